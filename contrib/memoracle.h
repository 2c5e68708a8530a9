/* Writes the lines of a trace (docs/trace.md) through any putchar, before there is a heap: no memory, no printf, no libc.
 *
 *     #define MEMORACLE_PUTCHAR(c) serial_write(c)
 *     #include "memoracle.h"
 *     memoracle_event("frame.allocate"), memoracle_number("result", address), memoracle_end();
 *
 * Write a line under the lock under which the operation took effect. An empty key is none, as inside a list;
 * memoracle_open("tables", '[') begins a list or an object, memoracle_close(']') ends it. */
#ifndef MEMORACLE_H
#define MEMORACLE_H

#include <stdint.h>

static int memoracle_first; /* the next value is the first of its object or list */

static inline void memoracle_put(const char *text) { for (; *text; text++) MEMORACLE_PUTCHAR(*text); }
static inline void memoracle_hex(uint64_t number, int digits) /* at least so many; halves need no help of a library */
{
    uint32_t half[] = {(uint32_t)number, (uint32_t)(number >> 32)}, begun = 0;
    for (int at = 15; at >= 0; at--) {
        uint32_t digit = half[at / 8] >> (4 * (at % 8)) & 15;
        begun |= digit | (at < digits);
        if (begun) MEMORACLE_PUTCHAR("0123456789abcdef"[digit]);
    }
}
static inline int memoracle_length(const unsigned char *c) /* of the UTF-8 character that begins here; 0 if none does */
{
    static const struct { unsigned char from, to, from_next, to_next, length; } forms[] = {
        {0, 0x7f, 0, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++)
        if (forms[i].from <= *c && *c <= forms[i].to && forms[i].from_next <= c[1] && c[1] <= forms[i].to_next)
            return (forms[i].length < 3 || (c[2] & 0xc0) == 0x80) && (forms[i].length < 4 || (c[3] & 0xc0) == 0x80)
                ? forms[i].length : 0;
    return 0;
}
static inline void memoracle_quote(const char *text) /* what is no UTF-8 becomes U+FFFD */
{
    const unsigned char *c = (const unsigned char *)(text ? text : "(null)");
    MEMORACLE_PUTCHAR('"');
    while (*c) {
        int length = memoracle_length(c);
        if (!length || *c < ' ' || *c == '"' || *c == '\\')
            memoracle_put("\\u"), memoracle_hex(length ? *c++ : (c++, 0xfffd), 4);
        else
            for (; length; length--, c++) MEMORACLE_PUTCHAR((char)*c);
    }
    MEMORACLE_PUTCHAR('"');
}
static inline void memoracle_key(const char *key)
{
    memoracle_put(memoracle_first ? "" : ",");
    memoracle_first = 0;
    if (*key) memoracle_quote(key), memoracle_put(":");
}
static inline void memoracle_number(const char *key, uint64_t number)
{
    memoracle_key(key), memoracle_put("\"0x"), memoracle_hex(number, 1), memoracle_put("\"");
}
static inline void memoracle_text(const char *key, const char *text) { memoracle_key(key), memoracle_quote(text); }
static inline void memoracle_flag(const char *key, int flag) { memoracle_key(key), memoracle_put(flag ? "true" : "false"); }
static inline void memoracle_null(const char *key) { memoracle_key(key), memoracle_put("null"); }
static inline void memoracle_open(const char *key, char bracket)
{
    memoracle_key(key);
    MEMORACLE_PUTCHAR(bracket);
    memoracle_first = 1;
}
static inline void memoracle_close(char bracket) { MEMORACLE_PUTCHAR(bracket); memoracle_first = 0; }
static inline void memoracle_header(void) { memoracle_put("{\"memoracle\":1"), memoracle_first = 0; }
static inline void memoracle_event(const char *op) { memoracle_put("{\"op\":"), memoracle_quote(op), memoracle_first = 0; }
static inline void memoracle_end(void) { memoracle_put("}\n"); }

#endif

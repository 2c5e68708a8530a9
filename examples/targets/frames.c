/* Physical frames in a bitmap, one bit a frame, 1 = free; a magazine of four is refilled from it.
 * FAULT is what is wrong with it: cc -shared -fPIC -O1 -DFAULT=PAST_THE_TOP -o frames.so frames.c */
#include <stdint.h>

enum { PAGE = 4096, FRAMES = 1000, WORDS = (FRAMES + 63) / 64, FULL = 4 };
enum { NOTHING, PAST_THE_TOP, TWICE_WHEN_FULL, WRONG_WORD };
#ifndef FAULT
#define FAULT NOTHING
#endif

static uint64_t bitmap[WORDS];
static unsigned magazine[FULL], in_magazine;

/* All frames are free, but frame 0. */
void frames_init(void)
{
    for (int word = 0; word < WORDS; word++)
        bitmap[word] = 0;
    for (unsigned frame = 1; frame < FRAMES + (FAULT == PAST_THE_TOP); frame++)
        bitmap[frame / 64] |= 1ull << frame % 64;
    in_magazine = 0;
}

static unsigned lowest(void)
{
    for (int word = 0; word < WORDS; word++)
        if (bitmap[word]) {
            unsigned bit = __builtin_ctzll(bitmap[word]);
            bitmap[word] &= bitmap[word] - 1;
            return word * 64 + bit;
        }
    return 0;
}

static void refill(void)
{
    unsigned place = 0;
    while (place < FULL) {
        unsigned frame = lowest();
        if (!frame)
            break;
        magazine[place++] = frame;
    }
    in_magazine = FAULT == TWICE_WHEN_FULL && place ? FULL : place;
}

/* The address of a frame, or 0 if none is left. */
uint64_t frames_allocate(void)
{
    if (!in_magazine)
        refill();
    return in_magazine ? (uint64_t)magazine[--in_magazine] * PAGE : 0;
}

int frames_is_free(uint64_t address)
{
    unsigned frame = address / PAGE;
    for (unsigned place = 0; place < in_magazine; place++)
        if (magazine[place] == frame)
            return 1;
    return frame < FRAMES && bitmap[frame / 64] >> frame % 64 & 1;
}

/* 0, or -1 if this is no frame in use. */
int frames_free(uint64_t address)
{
    unsigned frame = address / PAGE;
    if (address % PAGE || frame < 1 || address / PAGE >= FRAMES || frames_is_free(address))
        return -1;
    unsigned word = FAULT == WRONG_WORD && frame % 64 == 63 ? frame / 64 - (frame > 64) : frame / 64;
    bitmap[word] |= 1ull << frame % 64;
    return 0;
}

unsigned frames_free_count(void)
{
    unsigned count = in_magazine;
    for (int word = 0; word < WORDS; word++)
        count += __builtin_popcountll(bitmap[word]);
    return count;
}

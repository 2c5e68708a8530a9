/* Sixteen frames that a linker script says where they begin; it panics where it refuses a free.
   FAULT 1: a frame is handed out twice, after a refused free.  2: the second free of a frame is no panic.
   PLAIN: it returns -1 in the place of a panic. */
#include <stdint.h>
#include <stdlib.h>

enum { FRAMES = 16, PAGE = 4096 };
extern char pool_start[], pool_frames[];
struct place { uint8_t tags[3]; uint64_t number; };
struct frame { struct place place; double share; float part; int16_t errors[2]; };
struct frame last;
char used[FRAMES];

void panic(const char *words, int number);

struct frame take(void)
{
    struct frame found = {.errors = {-12}};
    for (uint64_t number = 1; number < (uint64_t)pool_frames; number++)
        if (!used[number]) {
            used[number] = 1;
            found = (struct frame){{{7}, number}, 0.5, 0.25f, {0, 3}};
            break;
        }
    return last = found;
}

int take_into(struct frame *frame)
{
    *frame = take();
    return frame->errors[0];
}

uint64_t address_of(uint64_t number)
{
    return (uint64_t)pool_start + number * PAGE;
}

int put(uint64_t address)
{
    uint64_t number = (address - (uint64_t)pool_start) / PAGE;
    if (number >= FRAMES || address % PAGE || (!used[number] && FAULT != 2)) {
        if (FAULT == 1 && number < FRAMES)
            used[1] = 0;
#ifdef PLAIN
        return -1;
#else
        if (number == 0)
            abort();
        panic("no frame of ours", (int)number);
#endif
    }
    used[number] = 0;
    return 0;
}

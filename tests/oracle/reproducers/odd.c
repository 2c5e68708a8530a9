/* Eight frames of memory that it is given, called in odd ways; FAULT 1: two frees of a frame count twice. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#ifndef FAULT
#define FAULT 0
#endif
enum { FRAMES = 8, PAGE = 4096 };

struct frame { uint64_t number; uint32_t order; int16_t error; };

struct pool { uint64_t used[FRAMES]; };

uint64_t origin;
unsigned char untouched;

size_t pool_size(void)
{
    return sizeof(struct pool);
}

void pool_init(struct pool *pool, const unsigned char *memory, uint64_t bytes)
{
    untouched = memory[bytes - 1];
    pool->used[0] = 1;
}

void pool_get(uint64_t at, struct pool *pool, struct frame *frame)
{
    (void)at;
    memset(frame, 0, sizeof *frame);
    for (unsigned number = 0; number < FRAMES; number++)
        if (!pool->used[number]) {
            pool->used[number] = 1;
            frame->number = number;
            return;
        }
    frame->error = -12;
}

struct frame pool_take(struct pool *pool)
{
    struct frame frame;
    pool_get(0, pool, &frame);
    return frame;
}

/* The frame, or NULL. */
void *pool_pointer(struct pool *pool)
{
    struct frame frame;
    pool_get(0, pool, &frame);
    return frame.error ? NULL : (void *)(origin + frame.number * PAGE);
}

/* It sets errno. */
void pool_put(struct pool *pool, unsigned char shift, void *address)
{
    uint64_t number = ((uint64_t)address - origin) >> shift;
    if (number >= FRAMES || (!pool->used[number] && !FAULT))
        errno = EINVAL;
    else
        pool->used[number] = 0;
}

_Bool pool_count(struct pool *pool, unsigned *count)
{
    *count = 0;
    for (unsigned number = 0; number < FRAMES; number++)
        *count += !pool->used[number];
    return 1;
}

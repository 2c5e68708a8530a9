// Pools of frames, of which there may be several, each with a handle. FAULT: one that shows with two of them alone, one
// that shows after a reset alone, one that a single pool shows, one that dies in a reset.
#include <stdint.h>
#include <stdlib.h>

enum { NOTHING, SHARED, KEEPS, TWICE, DIES };
#define FRAMES 16
struct pool {
    unsigned char taken[FRAMES];
    int first;
};
static int hint = 1;

struct pool *pool_new(int first)
{
    struct pool *pool = calloc(1, sizeof *pool);
    pool->first = first;
    return pool;
}

void pool_reset(struct pool *pool)
{
    if (FAULT == DIES)
        abort();
    for (int frame = 0; frame < FRAMES; frame++)
        if (FAULT != KEEPS || frame != 7)
            pool->taken[frame] = 0;
}

int pool_take(struct pool *pool)
{
    if (FAULT != SHARED)
        hint = pool->first;
    for (int frame = hint; frame < FRAMES; frame++)
        if (!pool->taken[frame]) {
            pool->taken[frame] = FAULT != TWICE || frame != 3;
            hint = FAULT == SHARED ? frame : hint;
            return frame;
        }
    return 0;
}

int pool_give(struct pool *pool, int frame)
{
    if (frame < 1 || frame >= FRAMES || !pool->taken[frame])
        return -1;
    pool->taken[frame] = 0;
    hint = FAULT == SHARED && frame < hint ? frame : hint;
    return 0;
}

/* A heap that only grows, in memory that it is given: several may be there at once. */
#include <stddef.h>
#include <stdint.h>

struct pool {
    char *next, *end;
};
static struct pool pools[2];
static uintptr_t last_returned;

struct pool *pool_create(void *memory, size_t bytes, int which)
{
    pools[which].next = memory;
    pools[which].end = (char *)memory + bytes;
    return &pools[which];
}

/* Of a block that is not in use nobody may ask this: it dies. */
void pool_return(void *block)
{
    if (block == (void *)last_returned || (uintptr_t)block % 16)
        *(volatile int *)0 = 0;
    last_returned = (uintptr_t)block;
}

/* 0, or 12 if no memory is left. */
int pool_take(size_t bytes, void **block, struct pool *pool)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > (size_t)(pool->end - pool->next))
        return 12;
    *block = pool->next;
    pool->next += WASTE ? bytes - 16 : bytes;
    return 0;
}

/* A heap in the memory that it is given: blocks with a header before them, the first free one that is large enough.
 * FAULT is what is wrong with it: cc -shared -fPIC -O1 -DFAULT=MISSED_COALESCE -o heap.so heap.c */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { HEADER = 16, ROUND = 16 };
enum { NOTHING, MISSED_COALESCE, ROUNDS_DOWN, CLEARS_TOO_MUCH, FREES_TWICE };
#ifndef FAULT
#define FAULT NOTHING
#endif

struct header {
    size_t bytes; /* with the header */
    uint32_t used, magic;
};
enum { MAGIC = 0x6d656d6f };
static char *start, *end;

static struct header *next(struct header *block) { return (struct header *)((char *)block + block->bytes); }

void heap_init(void *memory, size_t bytes)
{
    start = memory;
    end = start + bytes;
    *(struct header *)start = (struct header){bytes, 0, MAGIC};
}

/* A block, which is cleared, or NULL. */
void *heap_new(size_t bytes)
{
    if (bytes == 0 || bytes > (size_t)(end - start))
        return NULL;
    size_t whole = (FAULT == ROUNDS_DOWN && bytes > 512 ? bytes & ~15ul : (bytes + ROUND - 1) & ~15ul) + HEADER;
    for (struct header *block = (struct header *)start; (char *)block < end; block = next(block)) {
        if (block->used || block->bytes < whole)
            continue;
        if (block->bytes - whole >= HEADER + ROUND) {
            struct header *rest = (struct header *)((char *)block + whole);
            *rest = (struct header){block->bytes - whole, 0, MAGIC};
            block->bytes = whole;
        }
        block->used = 1;
        size_t cleared = FAULT == CLEARS_TOO_MUCH && bytes % 16 == 0 ? bytes + 8 : bytes;
        if ((char *)(block + 1) + cleared <= end)
            memset(block + 1, 0, cleared);
        return block + 1;
    }
    return NULL;
}

/* 0, or -1 if this is no block in use. */
int heap_delete(void *address)
{
    struct header *before = NULL, *block = (struct header *)start;
    if (address == NULL)
        return 0;
    while ((char *)block < end && (void *)(block + 1) != address) {
        before = block;
        block = next(block);
    }
    if ((char *)block >= end || (!block->used && FAULT != FREES_TWICE))
        return -1;
    block->used = 0;
    if ((char *)next(block) < end && !next(block)->used)
        block->bytes += next(block)->bytes;
    if (before && !before->used && FAULT != MISSED_COALESCE)
        before->bytes += block->bytes;
    return 0;
}

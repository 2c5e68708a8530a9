/* Slabs of 4 KiB in the memory that it is given, one size of objects each; larger blocks are whole pages on end.
 * FAULT is what is wrong with it: cc -shared -fPIC -O1 -DFAULT=CLASS_EDGE -o slab.so slab.c */
#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096, PAGES = 64, CLASSES = 4, LARGE = 255 };
enum { NOTHING, CLASS_EDGE, TWICE_WHEN_FULL, KEEPS_EMPTY_SLABS };
#ifndef FAULT
#define FAULT NOTHING
#endif

static const unsigned sizes[CLASSES] = {32, 128, 512, 2048};
static struct slab {
    unsigned char kind;    /* 0: free; a class and 1; LARGE */
    unsigned short used;   /* objects; of large blocks, pages from here on, or 0 within one */
    uint64_t objects[2];   /* 1 = in use */
} slabs[PAGES];
static char *start;

void slab_init(void *memory)
{
    start = memory;
    for (int page = 0; page < PAGES; page++)
        slabs[page] = (struct slab){0};
}

static int free_run(unsigned pages)
{
    unsigned run = 0;
    for (int page = 0; page < PAGES; page++) {
        run = slabs[page].kind == 0 ? run + 1 : 0;
        if (run == pages)
            return page - (int)pages + 1;
    }
    return -1;
}

static void *large(unsigned pages)
{
    int first = free_run(pages);
    if (first < 0)
        return NULL;
    for (unsigned place = 0; place < pages; place++)
        slabs[first + place] = (struct slab){.kind = LARGE, .used = place ? 0 : pages};
    return start + (size_t)first * PAGE;
}

static void *object_of(int page, int kind)
{
    unsigned count = PAGE / sizes[kind];
    for (unsigned place = 0; place < count; place++)
        if (!(slabs[page].objects[place / 64] >> place % 64 & 1)) {
            slabs[page].objects[place / 64] |= 1ull << place % 64;
            slabs[page].used++;
            return start + (size_t)page * PAGE + place * sizes[kind];
        }
    return FAULT == TWICE_WHEN_FULL && kind == 3 ? start + (size_t)page * PAGE : NULL;
}

/* A block, or NULL. */
void *slab_new(size_t bytes)
{
    int kind = 0;
    if (bytes == 0 || bytes > (size_t)PAGES * PAGE)
        return NULL;
    while (kind < CLASSES && bytes > sizes[kind] + (FAULT == CLASS_EDGE && kind == 1 ? 8 : 0))
        kind++;
    if (kind == CLASSES)
        return large((bytes + PAGE - 1) / PAGE);
    for (int page = 0; page < PAGES; page++)
        if (slabs[page].kind == kind + 1 && slabs[page].used < PAGE / sizes[kind])
            return object_of(page, kind);
    int page = free_run(1);
    if (page < 0) {
        for (page = 0; FAULT == TWICE_WHEN_FULL && page < PAGES; page++)
            if (slabs[page].kind == kind + 1)
                return object_of(page, kind);
        return NULL;
    }
    slabs[page] = (struct slab){.kind = kind + 1};
    return object_of(page, kind);
}

/* 0, or -1 if this is no block in use. */
int slab_delete(void *address)
{
    size_t offset = (size_t)((char *)address - start), page = offset / PAGE;
    if (address == NULL)
        return 0;
    if (page >= PAGES || slabs[page].kind == 0)
        return -1;
    struct slab *slab = &slabs[page];
    if (slab->kind == LARGE) {
        unsigned pages = slab->used;
        if (offset % PAGE || pages == 0)
            return -1;
        for (unsigned place = 0; place < pages; place++)
            slabs[page + place] = (struct slab){0};
        return 0;
    }
    unsigned size = sizes[slab->kind - 1], place = offset % PAGE / size;
    if (offset % PAGE % size || !(slab->objects[place / 64] >> place % 64 & 1))
        return -1;
    slab->objects[place / 64] &= ~(1ull << place % 64);
    if (--slab->used == 0 && FAULT != KEEPS_EMPTY_SLABS)
        slab->kind = 0;
    return 0;
}

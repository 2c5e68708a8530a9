/* A buddy allocator of physical memory with a flaw, and the lines that record what it does.
 *
 * cc examples/blocks.c -o blocks && ./blocks > blocks.jsonl
 *
 * Two zones, blocks of up to eight pages, and a hole in the memory: firmware keeps tables there.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define RECORD(...) printf(__VA_ARGS__) /* in a kernel: to the serial port, under the allocator's lock */

enum { ORDERS = 4 };        /* of blocks: 1, 2, 4 and 8 pages */
enum { DMA, NORMAL, ZONES };

struct zone {
    const char *name, *list; /* list: this zone, and those to fall back on */
    unsigned first, end;     /* pages; both zones begin at a multiple of the largest block */
    uint64_t blocks[ORDERS]; /* bit p: a free block of this order begins at page p */
    unsigned free_pages;
};
static struct zone zones[ZONES] = {
    [DMA] = {.name = "dma", .list = "[\"dma\"]", .first = 0, .end = 16},
    [NORMAL] = {.name = "normal", .list = "[\"normal\", \"dma\"]", .first = 16, .end = 46},
};
static uint64_t in_use; /* bit p: page p is in use */

static uint64_t bits(unsigned page, unsigned order)
{
    return ((UINT64_C(1) << (1u << order)) - 1) << page;
}

static struct zone *zone_of(unsigned page)
{
    return &zones[page < zones[DMA].end ? DMA : NORMAL];
}

/* At boot: the pages of a region, none of which was in use, as the largest blocks that fit. */
static void add_region(unsigned page, unsigned end)
{
    while (page < end) {
        unsigned order = ORDERS - 1;
        while (page & ((1u << order) - 1) || page + (1u << order) > end)
            order--;
        in_use &= ~bits(page, order);
        zone_of(page)->blocks[order] |= UINT64_C(1) << page;
        zone_of(page)->free_pages += 1u << order;
        page += 1u << order;
    }
}

/* The lowest of the smallest free blocks of a zone that are large enough, split; false if there is none. */
static bool take(struct zone *zone, unsigned order, unsigned *page)
{
    unsigned larger = order;
    while (larger < ORDERS && !zone->blocks[larger])
        larger++;
    if (larger == ORDERS)
        return false;
    for (*page = zone->first; !(zone->blocks[larger] >> *page & 1); ++*page)
        ;
    zone->blocks[larger] &= ~(UINT64_C(1) << *page);
    while (larger-- > order)
        zone->blocks[larger] |= UINT64_C(1) << (*page + (1u << larger)); /* the upper half stays free */
    in_use |= bits(*page, order);
    zone->free_pages -= 1u << order;
    return true;
}

/* A block of a zone, or of one below it; 0 if there is none. */
static uint64_t allocate(unsigned order, int preferred)
{
    unsigned page = 0;
    int zone = preferred;
    while (zone >= DMA && !take(&zones[zone], order, &page))
        zone--;
    RECORD("{\"op\": \"frame.allocate\", \"order\": %u, \"zone\": %s, ", order, zones[preferred].list);
    if (zone < DMA)
        RECORD("\"error\": \"out of memory\"}\n");
    else
        RECORD("\"result\": \"0x%x\"}\n", page << 12);
    return (uint64_t)page << 12;
}

static void release(uint64_t address, unsigned order)
{
    unsigned page = (unsigned)(address >> 12), merged = order;
    struct zone *zone = zone_of(page);
    in_use &= ~bits(page, order);
    zone->free_pages += 1u << order;
    while (merged < ORDERS - 1) {
        unsigned buddy = page ^ (1u << merged);
        if (buddy + (1u << merged) > zone->end || in_use & bits(buddy, merged))
            break;
        zone->blocks[merged] &= ~(UINT64_C(1) << buddy);
        page &= buddy; /* the lower of the two */
        merged++;
    }
    zone->blocks[merged] |= UINT64_C(1) << page;
    RECORD("{\"op\": \"frame.free\", \"address\": \"0x%" PRIx64 "\", \"order\": %u}\n", address, order);
}

static void count_free(const struct zone *zone)
{
    RECORD("{\"op\": \"frame.free_count\", \"zone\": \"%s\", \"result\": %u}\n", zone->name, zone->free_pages);
}

int main(void)
{
    puts("{\"memoracle\": 1, \"geometry\": {\"preset\": \"x64-4k\", \"frames\": 48,"
         " \"frame_allocator\": \"buddy\", \"frame_max_order\": 3,"
         " \"never_free\": [{\"start\": \"0x0\", \"bytes\": \"0x3000\"}],"
         " \"zones\": [{\"name\": \"dma\", \"start\": \"0x0\", \"bytes\": \"0x10000\"},"
         " {\"name\": \"normal\", \"start\": \"0x10000\", \"bytes\": \"0x1e000\"}]}}");
    puts("{\"op\": \"boot\", \"memory_map\": [{\"start\": \"0x0\", \"length\": \"0x16000\", \"type\": 1},"
         " {\"start\": \"0x16000\", \"length\": \"0x2000\", \"type\": 3},"
         " {\"start\": \"0x18000\", \"length\": \"0x16000\", \"type\": 1}]}");
    in_use = bits(0, 1) | bits(2, 0); /* the kernel's image */
    add_region(3, 22);
    add_region(24, 46);

    uint64_t stack = allocate(1, NORMAL), buffer = allocate(2, DMA);
    uint64_t cache = allocate(3, NORMAL), table = allocate(0, NORMAL);
    release(stack, 1);
    count_free(&zones[NORMAL]);
    uint64_t large[5];
    unsigned count = 0;
    while ((large[count] = allocate(3, NORMAL)))
        count++;
    while (count-- > 0)
        release(large[count], 3);
    release(table, 0);
    release(cache, 3);
    release(buffer, 2);
    count_free(&zones[NORMAL]);
    count_free(&zones[DMA]);
    return 0;
}

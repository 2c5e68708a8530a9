/* A kernel's allocator of address ranges with a flaw, and the lines that record what it does.
 *
 * cc examples/regions.c -o regions && ./regions > regions.jsonl
 *
 * It keeps a process's regions in address order, gives out the first gap that fits, and unmaps any part of a region.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define RECORD(...) printf(__VA_ARGS__) /* in a kernel: to the serial port, under the lock of the address space */

enum { REGIONS = 32, FIRST = 0x10, END = 0x7e }; /* regions at most; the first page of the range, and the page past it */

struct region {
    unsigned first, end; /* pages */
};
static struct region regions[REGIONS]; /* in address order; no two of them overlap */
static unsigned count;

static uint64_t address_of(unsigned page)
{
    return (uint64_t)page << 12;
}

static unsigned aligned(unsigned page, unsigned alignment)
{
    return (page + alignment - 1) & ~(alignment - 1);
}

static void insert(unsigned place, unsigned first, unsigned end)
{
    for (unsigned i = count++; i > place; i--)
        regions[i] = regions[i - 1];
    regions[place] = (struct region){first, end};
}

static void erase(unsigned place)
{
    count--;
    for (unsigned i = place; i < count; i++)
        regions[i] = regions[i + 1];
}

/* The first page of the first gap of so many pages, and the place of the region after it; false if there is none. */
static bool find_gap(unsigned pages, unsigned alignment, unsigned *first, unsigned *place)
{
    unsigned gap = FIRST;
    for (*place = 0; *place < count; ++*place) {
        *first = aligned(gap, alignment);
        if (*first + pages <= regions[*place].first)
            return true;
        gap = regions[*place].end;
    }
    *first = gap; /* what lies past the last region */
    return *first + pages <= END;
}

static uint64_t map(unsigned pages, unsigned alignment)
{
    unsigned first, place;
    bool found = find_gap(pages, alignment, &first, &place);
    RECORD("{\"op\": \"range.allocate\", \"process\": 1, \"pages\": %u, \"alignment\": %u, ", pages, alignment << 12);
    if (!found) {
        RECORD("\"error\": \"no gap is large enough\"}\n");
        return 0;
    }
    insert(place, first, first + pages);
    RECORD("\"result\": \"0x%" PRIx64 "\"}\n", address_of(first));
    return address_of(first);
}

static void unmap(uint64_t address, unsigned pages)
{
    unsigned first = (unsigned)(address >> 12), end = first + pages, place = 0;
    while (place < count && regions[place].first < end) {
        struct region region = regions[place];
        if (region.end <= first) {
            place++;
            continue;
        }
        erase(place);
        if (end < region.end)
            insert(place, end, region.end);
        if (region.first < first)
            insert(place++, region.first, first);
    }
    RECORD("{\"op\": \"range.free\", \"process\": 1, \"address\": \"0x%" PRIx64 "\", \"pages\": %u}\n", address, pages);
}

int main(void)
{
    puts("{\"memoracle\": 1, \"geometry\": {\"preset\": \"x64-4k\", \"range_allocator\": \"runs\","
         " \"range_free\": \"partial\", \"process_range\": {\"start\": \"0x10000\", \"pages\": 110}}}");
    puts("{\"op\": \"process.create\", \"result\": 1}");
    uint64_t text = map(24, 16);
    uint64_t stack = map(13, 1);
    unmap(text + (8 << 12), 8);           /* the middle of the text */
    unmap(text + (20 << 12), 7);          /* its end, and the head of the stack */
    uint64_t buffer = map(4, 4);          /* fits where the middle was */
    uint64_t table = map(16, 16);         /* fits only past the stack */
    unmap(buffer, 4);
    unmap(table, 16);
    unmap(stack + (3 << 12), 10);
    return 0;
}

/* A kernel's page allocator with a flaw, and the lines that record what it does.
 *
 * cc examples/pages.c -o pages && ./pages > pages.jsonl
 *
 * It gives out pages of the kernel's address range, each mapped to a frame of its own.
 */
#include <inttypes.h>
#include <stdio.h>

#define RECORD(...) printf(__VA_ARGS__) /* in a kernel: to the serial port, under the allocator's lock */

enum { FRAMES = 16, IMAGE = 2 }; /* of 2 MiB; the kernel's image lies in frames 0 and 1 */
enum { PAGES = 16, NONE = 0 };   /* of the range; pages 0 and 1 of it are taken at start */

static const uint64_t range = 0xffffffff00000000;
static uint64_t free_frames = 0xfffc, free_pages = 0xfffc; /* bit n: frame n, or page n, is free */
static unsigned mapped[PAGES];                             /* the frame that each page is mapped to */

static unsigned take_frame(void)
{
    for (unsigned frame = IMAGE; frame < FRAMES; frame++)
        if (free_frames >> frame & 1) {
            free_frames &= ~(UINT64_C(1) << frame);
            return frame;
        }
    return NONE;
}

/* The first page of a free block of so many pages, rounded up to a power of two and aligned to it. */
static unsigned take_range(unsigned pages)
{
    unsigned size = 1;
    while (size < pages)
        size *= 2;
    uint64_t block = (UINT64_C(1) << size) - 1;
    for (unsigned page = 0; page + size <= PAGES; page += size)
        if ((free_pages >> page & block) == block) {
            free_pages &= ~(block << page);
            return page;
        }
    return NONE;
}

static uint64_t allocate(unsigned pages)
{
    unsigned page = take_range(pages);
    if (page == NONE) {
        RECORD("{\"op\": \"kernel_pages.allocate\", \"pages\": %u, \"error\": \"out of range\"}\n", pages);
        return 0;
    }
    RECORD("{\"op\": \"kernel_pages.allocate\", \"pages\": %u, \"frames\": [", pages);
    for (unsigned i = 0; i < pages; i++) {
        mapped[page + i] = take_frame(); /* there are always enough in this example */
        RECORD("%s\"0x%" PRIx64 "\"", i ? ", " : "", (uint64_t)mapped[page + i] << 21);
    }
    uint64_t address = range + ((uint64_t)page << 21);
    RECORD("], \"result\": \"0x%" PRIx64 "\"}\n", address);
    return address;
}

static void release(uint64_t address, unsigned pages)
{
    unsigned page = (unsigned)((address - range) >> 21);
    for (unsigned i = 0; i < pages; i++) {
        free_frames |= UINT64_C(1) << mapped[page + i];
        mapped[page + i] = NONE;
    }
    RECORD("{\"op\": \"kernel_pages.free\", \"address\": \"0x%" PRIx64 "\", \"pages\": %u}\n", address, pages);
}

static void count_frames(void)
{
    unsigned count = 0;
    for (unsigned frame = 0; frame < FRAMES; frame++)
        count += free_frames >> frame & 1;
    RECORD("{\"op\": \"frame.free_count\", \"result\": %u}\n", count);
}

int main(void)
{
    puts("{\"memoracle\": 1, \"geometry\": {\"frames\": 16, \"kernel_reserved\": [{\"page\": 0, \"pages\": 2}],"
         " \"kernel_range\": {\"start\": \"0xffffffff00000000\", \"pages\": 16}}}");
    puts("{\"op\": \"boot\", \"memory_map\": [{\"start\": \"0x0\", \"length\": \"0x2000000\", \"type\": 1}]}");
    uint64_t heap = allocate(1);
    for (int request = 0; request < 4; request++) {
        uint64_t buffer = allocate(3);
        if (buffer)
            release(buffer, 3);
    }
    count_frames();
    release(heap, 1);
    return 0;
}

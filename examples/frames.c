/* A frame allocator with a flaw, and the three lines that record what it does.
 *
 * cc examples/frames.c -o frames && ./frames > frames.jsonl
 *
 * To be quick, it hands the frame that was freed last out again without a search.
 */
#include <inttypes.h>
#include <stdio.h>

#define RECORD(...) printf(__VA_ARGS__) /* in a kernel: to the serial port, under the allocator's lock */

enum { FRAMES = 8, IMAGE = 2 };            /* of 2 MiB; the kernel's image lies in frames 0 and 1 */
static uint64_t is_free = 0xfc;            /* bit f: frame f is free */
static unsigned last_freed = FRAMES;       /* FRAMES: none */

static uint64_t allocate(void)
{
    unsigned frame = last_freed;
    last_freed = FRAMES;
    if (frame == FRAMES) {
        for (frame = IMAGE; frame < FRAMES && !(is_free >> frame & 1); frame++)
            ;
        if (frame == FRAMES) {
            RECORD("{\"op\": \"frame.allocate\", \"error\": \"out of memory\"}\n");
            return 0;
        }
        is_free &= ~(UINT64_C(1) << frame);
    }
    uint64_t address = (uint64_t)frame << 21;
    RECORD("{\"op\": \"frame.allocate\", \"result\": \"0x%" PRIx64 "\"}\n", address);
    return address;
}

static void release(uint64_t address)
{
    is_free |= UINT64_C(1) << (address >> 21);
    last_freed = (unsigned)(address >> 21);
    RECORD("{\"op\": \"frame.free\", \"address\": \"0x%" PRIx64 "\"}\n", address);
}

int main(void)
{
    puts("{\"memoracle\": 1, \"geometry\": {\"preset\": \"x64-2m\", \"frames\": 8}}");
    puts("{\"op\": \"boot\", \"memory_map\": [{\"start\": \"0x0\", \"length\": \"0x1000000\", \"type\": 1}]}");
    uint64_t code = allocate(), stack = allocate();
    release(stack);
    stack = allocate();
    uint64_t heap = allocate();
    release(code);
    release(heap);
    return 0;
}

/* One pool of 32 frames, and one heap, behind the interfaces that real allocators have. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 32, PAGE = 4096 };
enum status { DONE, NO_MEMORY, NOT_YOURS };

static char used[FRAMES];
long frames = FRAMES;

static long take(void)
{
    for (long frame = 1; frame < frames; frame++)
        if (!used[frame]) {
            used[frame] = 1;
            return frame;
        }
    return -1;
}

static int give(uint64_t frame)
{
    if (frame == 0 || frame >= (uint64_t)frames || !used[frame])
        return -1;
    used[frame] = 0;
    return 0;
}

/* How a result shows, and a failure. */
void *by_pointer(void) { long frame = take(); return frame < 0 ? NULL : (void *)(frame * PAGE); }
int free_pointer(void *frame) { return (uintptr_t)frame % PAGE ? -1 : give((uintptr_t)frame / PAGE); }
uint32_t by_number(void) { long frame = take(); return frame < 0 ? 0 : frame; }
_Bool free_number(uint64_t frame) { return give(frame) == 0; }
enum status by_status(uint64_t *address)
{
    long frame = take();
    *address = frame * PAGE;
    return frame < 0 ? NO_MEMORY : DONE;
}
enum status free_status(uint64_t address) { return address % PAGE || give(address / PAGE) ? NOT_YOURS : DONE; }
struct found { int ok; void *address; } by_structure(void)
{
    long frame = take();
    return (struct found){frame >= 0, (void *)(frame * PAGE)};
}
int in_structure(struct found *found) { *found = by_structure(); return 0; }
long by_errno(void)
{
    long frame = take();
    if (frame < 0)
        errno = ENOMEM;
    return frame;
}
int last_error;
long by_variable(void)
{
    long frame = take();
    last_error = frame < 0 ? NO_MEMORY : 0;
    return frame;
}
void free_ignoring(uint64_t address) { if (address % PAGE == 0) give(address / PAGE); }
uint64_t count_free(void) { uint64_t found = 0; for (int frame = 1; frame < frames; frame++) found += !used[frame]; return found; }
int by_value(uint64_t given) { return given == 0; } /* refuses what is not 0, by 0 */
int is_taken(uint64_t frame) { return used[frame]; }

/* A failure that does not return. */
void panic(const char *why, ...) __attribute__((noreturn));
void complain(const char *why) { panic(why); }
uint64_t or_panic(void) { long frame = take(); if (frame < 0) complain("out of frames"); return frame * PAGE; }
void free_or_abort(uint64_t address) { if (address % PAGE || give(address / PAGE)) abort(); }

/* What a free wants, and other arguments: handles, zones, sizes. */
static uint32_t asked[FRAMES];
uint64_t take_tagged(void *context, int zone, unsigned flags, uint64_t alignment_order)
{
    for (long frame = 1; frame < FRAMES; frame++)
        if (!used[frame] && frame >> 4 == zone && frame % (1 << alignment_order) == 0) {
            used[frame] = 1;
            asked[frame] = zone << 8 | alignment_order;
            return context == NULL && flags == 3 ? frame * PAGE : 0;
        }
    return 0;
}
int free_tagged(uint64_t address, uint64_t alignment_order, int zone, uint64_t returned)
{
    if (address % PAGE || give(address / PAGE))
        return -1;
    if (asked[address / PAGE] != (uint32_t)(zone << 8 | alignment_order) || returned != address)
        abort();
    return 0;
}

/* A heap: an arena that is never given back. Its blocks remember their sizes. */
struct heap { char *next, *end; };
size_t heap_sizeof(void) { return sizeof(struct heap); }
int heap_init(char *memory, size_t bytes, struct heap *heap)
{
    for (size_t byte = 0; byte < bytes; byte++)
        if ((unsigned char)memory[byte] != 0xA5)
            return -1;
    *heap = (struct heap){memory, memory + bytes};
    return 0;
}
void *heap_take(size_t alignment, size_t bytes, struct heap *heap)
{
    uintptr_t start = ((uintptr_t)heap->next + 8 + alignment - 1) & -(uintptr_t)alignment;
    if (bytes > (size_t)(heap->end - heap->next) || start + bytes > (uintptr_t)heap->end)
        return NULL;
    ((uint64_t *)start)[-1] = bytes;
    heap->next = (char *)((start + bytes + 7) & -8ul);
    return (void *)start;
}
void heap_give(struct heap *heap, void *block, size_t bytes)
{
    if (block && (((uint64_t *)block)[-1] != bytes || heap == NULL))
        abort();
}
void *heap_move(struct heap *heap, void *block, size_t before, size_t bytes)
{
    heap_give(heap, block, before);
    return heap_take(16, bytes, heap);
}

/* What it calls: a source of pages, a break, locks, a log, an entry of a table; and the end of its image. */
extern char image_end[];
void *more_pages(size_t count);
void *sbrk(intptr_t increment);
void spin_lock(int *lock);
void (*hook)(int);
int kprintf(const char *format, ...);
uint64_t *entry_of(uint64_t table, int index);
struct source { void *(*pages)(size_t count); };

void *take_of(void *(*pages)(size_t)) { spin_lock(NULL); hook(1); return pages(1); }
void *take_from(struct source *source) { return source->pages(1); }
void *take_sourced(void) { kprintf("%d", 1); return more_pages(1); }
void *take_break(void) { void *found = sbrk(PAGE); return found == (void *)-1 ? NULL : found; }
uint64_t end_of_image(void) { return (uint64_t)image_end; }
void set_entry(int index, uint64_t value) { *entry_of(0, index) = value; }
uint64_t get_entry(int index) { return *entry_of(0, index); }
void past_the_end(char *memory, size_t bytes) { memory[bytes] = 1; }

/* A start of several calls. */
static struct record { uint64_t start, length; uint32_t type; } *records;
static uint64_t regions, ready;
int add_region(uint64_t start, uint64_t length) { regions += start + length > start; return 7; }
void set_ready(void) { ready = 1; }
int started(uint64_t expected) { return ready && regions == expected ? 0 : -5; }
int with_map(struct record *map, int count) { records = map; return count; }
uint64_t length_of(int index) { return records[index].type == 1 ? records[index].length : 0; }

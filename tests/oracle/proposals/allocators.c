/* Small allocators of the kinds that kernels have. Which is compiled says WHICH; FAULT is what is wrong with it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NOTHING, WRONG_MASK };
#ifndef FAULT
#define FAULT NOTHING
#endif

#if WHICH == 1 /* frames of a bitmap, which panics, takes a lock, prints, and knows where its kernel ends */
#define PAGE_SIZE 4096
#define PAGES 96
typedef uint64_t phys_addr_t;
struct spinlock { int held; };
void spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);
int kprintf(const char *format, ...);
void panic(const char *format, ...) __attribute__((noreturn));
extern char _kernel_end[];

static struct spinlock lock;
static uint64_t bitmap[(PAGES + 63) / 64];
static size_t left;

void pmm_init(void)
{
    bitmap[0] = 0xff;
    left = PAGES - 8;
    kprintf("kernel ends at %p\n", _kernel_end);
}
phys_addr_t pmm_alloc_page(void)
{
    spin_lock(&lock);
    for (size_t page = 0; page < PAGES; page++)
        if (!(bitmap[page / 64] >> page % 64 & 1)) {
            bitmap[page / 64] |= 1ull << page % 64;
            left--;
            spin_unlock(&lock);
            return page * PAGE_SIZE;
        }
    panic("out of memory");
}
void pmm_free_page(phys_addr_t address)
{
    size_t page = address / PAGE_SIZE;
    if (address % PAGE_SIZE || page < 8 || page >= PAGES || !(bitmap[page / 64] >> page % 64 & 1))
        panic("no page of mine");
    bitmap[page / 64] &= ~((FAULT == WRONG_MASK ? 3ull : 1ull) << page % 64);
    left++;
}
size_t pmm_free_page_count(void) { return left; }
bool pmm_is_page_free(phys_addr_t address)
{
    size_t page = address / PAGE_SIZE;
    return page < PAGES && !(bitmap[page / 64] >> page % 64 & 1);
}

#elif WHICH == 2 /* a heap that is a buddy system in memory of its caller's, and has a handle */
typedef struct buddy { char *base; size_t size; unsigned levels; struct block *free_lists[32]; } buddy_t;
struct block { struct block *next; };
static unsigned char order_of[1 << 16];
#define SMALLEST ((size_t)64)

int buddy_init(buddy_t *heap, void *base, size_t size)
{
    heap->base = base, heap->size = size;
    while (SMALLEST << heap->levels < size)
        heap->levels++;
    heap->free_lists[heap->levels] = base;
    ((struct block *)base)->next = NULL;
    return SMALLEST << heap->levels == size ? 0 : -1;
}
void *buddy_alloc(buddy_t *heap, size_t size)
{
    unsigned order = 0, level;
    while (order < heap->levels && SMALLEST << order < size)
        order++;
    if (size == 0 || SMALLEST << order < size)
        return NULL;
    for (level = order; !heap->free_lists[level]; level++)
        if (level == heap->levels)
            return NULL;
    char *found = (char *)heap->free_lists[level];
    heap->free_lists[level] = heap->free_lists[level]->next;
    while (level-- > order) {
        struct block *half = (struct block *)(found + (SMALLEST << level));
        half->next = heap->free_lists[level];
        heap->free_lists[level] = half;
    }
    order_of[(found - heap->base) / SMALLEST] = order;
    return found;
}
void buddy_free(buddy_t *heap, void *block)
{
    size_t at = (char *)block - heap->base;
    unsigned order = order_of[at / SMALLEST];
    for (; order < heap->levels; order++) {
        struct block **link = &heap->free_lists[order], *half = (void *)(heap->base + (at ^ SMALLEST << order));
        while (*link && *link != half)
            link = &(*link)->next;
        if (*link == NULL)
            break;
        *link = half->next;
        at &= ~(SMALLEST << order);
    }
    struct block *whole = (struct block *)(heap->base + at);
    whole->next = heap->free_lists[order];
    heap->free_lists[order] = whole;
}

#elif WHICH == 3 /* a heap that moves the break */
void *sbrk(intptr_t increment);
struct header { size_t size; struct header *next; bool is_free; } __attribute__((aligned(16)));
static struct header *all;

void *kmalloc(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    for (struct header *each = all; each; each = each->next)
        if (each->is_free && each->size >= size) {
            each->is_free = false;
            return each + 1;
        }
    struct header *made = size ? sbrk(sizeof *made + size) : (void *)-1;
    if (made == (void *)-1)
        return NULL;
    *made = (struct header){size, all, false};
    all = made;
    return made + 1;
}
void kfree(void *block)
{
    if (block)
        ((struct header *)block - 1)->is_free = true;
}
void *krealloc(void *block, size_t size)
{
    if (block && ((struct header *)block - 1)->size >= size)
        return block;
    void *moved = kmalloc(size);
    if (moved)
        kfree(block);
    return moved;
}

#elif WHICH == 4 /* pages of the kernel's half */
#define VM_BASE 0xffffc90000000000ull
#define VM_PAGES 300
typedef uint64_t vaddr_t;
static char map[VM_PAGES];

vaddr_t vmm_alloc(size_t npages)
{
    for (size_t start = 0; npages && start + npages <= VM_PAGES && npages <= VM_PAGES; start++) {
        size_t page = 0;
        while (page < npages && !map[start + page])
            page++;
        if (page < npages)
            continue;
        map[start] = 1;
        while (--page)
            map[start + page] = 2;
        return VM_BASE + start * 4096;
    }
    return 0;
}
bool vmm_free(vaddr_t va, size_t npages)
{
    size_t start = (va - VM_BASE) / 4096, page = 1;
    if (va < VM_BASE || va % 4096 || start >= VM_PAGES || map[start] != 1)
        return false;
    while (start + page < VM_PAGES && map[start + page] == 2)
        page++;
    if (page != npages)
        return false;
    while (page)
        map[start + --page] = 0;
    return true;
}

#elif WHICH == 5 /* frames of an array of its own, wherever the library lies */
static _Alignas(4096) unsigned char memory[64][4096];
static void *stack[64];
static int top;
static bool is_used[64];

void frame_allocator_init(void)
{
    while (top < 64)
        stack[top] = memory[63 - top], top++;
}
void *frame_alloc(void)
{
    if (top == 0)
        return NULL;
    unsigned char *frame = stack[--top];
    is_used[(frame - memory[0]) / 4096] = true;
    return frame;
}
int frame_free(void *frame)
{
    uintptr_t at = (uintptr_t)frame - (uintptr_t)memory;
    if (at >= sizeof memory || at % 4096 || !is_used[at / 4096])
        return -1;
    is_used[at / 4096] = false;
    stack[top++] = frame;
    return 0;
}

#elif WHICH == 6 /* frames of a bitmap that begins at 0, of which pieces are added; a free ignores what it should refuse */
#define BLOCK_SIZE 4096
static uint8_t is_taken[512];
static uint32_t most, used;

void pmm_init(uint32_t mem_size)
{
    most = used = mem_size / BLOCK_SIZE;
    for (uint32_t block = 0; block < most; block++)
        is_taken[block] = 1;
}
void pmm_init_region(uint32_t base, uint32_t size)
{
    for (uint32_t block = base / BLOCK_SIZE; block < (base + size) / BLOCK_SIZE && block < most; block++)
        used -= is_taken[block], is_taken[block] = 0;
}
void pmm_deinit_region(uint32_t base, uint32_t size)
{
    for (uint32_t block = base / BLOCK_SIZE; block < (base + size) / BLOCK_SIZE && block < most; block++)
        used += !is_taken[block], is_taken[block] = 1;
}
uint32_t pmm_alloc_block(void)
{
    for (uint32_t block = 0; block < most; block++)
        if (!is_taken[block]) {
            used++;
            is_taken[block] = 1;
            return block * BLOCK_SIZE;
        }
    return 0xffffffff;
}
void pmm_free_block(uint32_t address)
{
    if (address / BLOCK_SIZE < most && is_taken[address / BLOCK_SIZE])
        used--, is_taken[address / BLOCK_SIZE] = 0;
}
uint32_t pmm_get_used_blocks(void) { return used; }
uint32_t pmm_get_free_blocks(void) { return most - used; }

#elif WHICH == 7 /* pages that are structures */
typedef unsigned gfp_t;
struct page { bool is_used; };
static struct page mem_map[100];

struct page *alloc_page(gfp_t flags)
{
    for (int page = 0; page < 100; page++)
        if (!mem_map[page].is_used) {
            mem_map[page].is_used = true;
            return &mem_map[page];
        }
    return NULL;
}
int free_page(struct page *page)
{
    if (page < mem_map || page >= mem_map + 100 || !page->is_used)
        return -1;
    page->is_used = false;
    return 0;
}
unsigned long page_to_pfn(struct page *page) { return page - mem_map; }
struct page *pfn_to_page(unsigned long number) { return mem_map + number; }

#elif WHICH == 8 /* pages from the end of the kernel on */
#define PGSIZE 4096
#define PHYSTOP 0x10100000ul
struct run { struct run *next; };
static struct run *freelist;
extern char end[];
void panic(char *why) __attribute__((noreturn));

void kfree(void *pa)
{
    if ((uintptr_t)pa % PGSIZE || (char *)pa < end || (uintptr_t)pa >= PHYSTOP)
        panic("kfree");
    ((struct run *)pa)->next = freelist;
    freelist = pa;
}
void kinit(void)
{
    for (char *page = end; page + PGSIZE <= (char *)PHYSTOP; page += PGSIZE)
        kfree(page);
}
void *kalloc(void)
{
    struct run *found = freelist;
    if (found)
        freelist = found->next;
    return found;
}

#elif WHICH == 9 /* a heap behind a name for a pointer, with several ways to make one, in room of its caller's */
typedef void *heap_t;
typedef void *pool_t;
struct content { char *next, *end; };

size_t heap_sizeof(size_t size) { return size / 4096 + sizeof(struct content); }
heap_t heap_create(void *at, void *memory);
heap_t heap_create_with_pool(void *at, void *memory, size_t bytes)
{
    *(struct content *)at = (struct content){memory, (char *)memory + bytes};
    return at;
}
heap_t heap_create(void *at, void *memory) { return heap_create_with_pool(at, memory, 64); }
pool_t heap_add_pool(heap_t heap, void *memory, size_t bytes) { return heap_create_with_pool(heap, memory, bytes); }
pool_t heap_get_pool(heap_t heap) { return ((struct content *)heap)->next; }
void *heap_malloc(heap_t heap, size_t amount)
{
    struct content *of = heap;
    amount = (amount + 15) & ~15ul;
    if (amount == 0 || amount > (size_t)(of->end - of->next))
        return NULL;
    of->next += amount;
    return of->next - amount;
}
void heap_free(heap_t heap, void *pointer) {}
size_t heap_block_size(void *pointer) { return 0; }

#elif WHICH >= 10 /* address spaces, by number or by pointer: pages of each, counted from 0 */
struct space { bool is_alive; char is_used[50]; };
static struct space spaces[8];

#if WHICH == 10
typedef int space_t;
#define OF(space) ((space) >= 0 && (space) < 8 && (spaces[space].is_alive || (space) == 0) ? &spaces[space] : NULL)
#define NAME(found) ((int)((found) - spaces))
#else
typedef struct space *space_t;
#define OF(space) (space)
#define NAME(found) (found)
#endif

space_t space_create(void)
{
    for (struct space *each = spaces + 1; each < spaces + 8; each++)
        if (!each->is_alive) {
            *each = (struct space){.is_alive = true};
            return NAME(each);
        }
    return 0;
}
int space_destroy(space_t space)
{
    struct space *of = OF(space);
    if (!of || of == spaces)
        return -1;
    of->is_alive = false;
    return 0;
}
long vm_alloc(space_t space, unsigned long pages)
{
    struct space *of = OF(space);
    for (unsigned long first = 0; of && pages && pages <= 50 && first + pages <= 50; first++) {
        unsigned long page = 0;
        while (page < pages && !of->is_used[first + page])
            page++;
        if (page < pages)
            continue;
        of->is_used[first] = 1;
        while (--page)
            of->is_used[first + page] = 2;
        return first;
    }
    return -1;
}
int vm_free(space_t space, unsigned long page, unsigned long pages)
{
    struct space *of = OF(space);
    unsigned long end = page + 1;
    if (!of || page >= 50 || of->is_used[page] != 1)
        return -1;
    while (end < 50 && of->is_used[end] == 2)
        end++;
    if (end - page != pages)
        return -1;
    while (end-- > page)
        of->is_used[end] = 0;
    return 0;
}
#endif

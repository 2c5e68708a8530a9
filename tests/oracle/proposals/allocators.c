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
#endif

/* A buddy system of 200 pages in blocks of up to 64, with a list of free blocks for each order.
 * FAULT is what is wrong with it: cc -shared -fPIC -O1 -DFAULT=MISSED_COALESCE -o buddy.so buddy.c */
#include <stdint.h>

enum { PAGES = 200, ORDERS = 7, NONE = -1 };
enum { NOTHING, MISSED_COALESCE, PAST_THE_TOP, BELIEVES_THE_SIZE };
#ifndef FAULT
#define FAULT NOTHING
#endif

static struct page {
    short next, previous; /* in the list of its order */
    signed char free_order, used_order;
} pages[256];
static short lists[ORDERS];

static void push(int page, int order)
{
    pages[page].free_order = order;
    pages[page].previous = NONE;
    pages[page].next = lists[order];
    if (lists[order] != NONE)
        pages[lists[order]].previous = page;
    lists[order] = page;
}

static void take_out(int page)
{
    int order = pages[page].free_order, next = pages[page].next, previous = pages[page].previous;
    if (previous != NONE)
        pages[previous].next = next;
    else
        lists[order] = next;
    if (next != NONE)
        pages[next].previous = previous;
    pages[page].free_order = NONE;
}

void buddy_init(void)
{
    for (int page = 0; page < 256; page++)
        pages[page].free_order = pages[page].used_order = NONE;
    for (int order = 0; order < ORDERS; order++)
        lists[order] = NONE;
    for (int page = 0; page < PAGES;) {
        int order = ORDERS - 1;
        while (page + (1 << order) > PAGES)
            order--;
        push(page, order);
        page += 1 << order;
    }
}

/* The first page of a block, or -1. */
long buddy_allocate(unsigned order)
{
    for (unsigned larger = order; larger < ORDERS; larger++)
        if (lists[larger] != NONE) {
            int page = lists[larger];
            take_out(page);
            while (larger-- > order)
                push(page + (1 << larger), larger);
            pages[page].used_order = order;
            return page;
        }
    return -1;
}

/* 0, or -1 if no such block is in use. */
int buddy_free(unsigned long page, unsigned order)
{
    if (page >= PAGES || pages[page].used_order == NONE)
        return -1;
    if (FAULT != BELIEVES_THE_SIZE && pages[page].used_order != (int)order)
        return -1;
    if (order >= ORDERS || page % (1ul << order))
        return -1;
    pages[page].used_order = NONE;
    for (; order < ORDERS - 1; order++) {
        unsigned long buddy = page ^ 1ul << order;
        int is_free = pages[buddy].free_order == (int)order;
        if (FAULT == PAST_THE_TOP && order == 3 && buddy >= PAGES && buddy + (1ul << order) <= 256) {
            page &= ~(1ul << order);
            continue;
        }
        if (!is_free || (FAULT == MISSED_COALESCE && order == 4 && buddy < page))
            break;
        take_out(buddy);
        page &= ~(1ul << order);
    }
    push(page, order);
    return 0;
}

/* A buddy allocator of 256 pages, in blocks of up to 32; FAULT is what is wrong with it. */
#include <stdint.h>

enum { ORDERS = 6, PAGES = 256, NONE = 255 };
enum { NOTHING, LOSES_A_HALF, CRASHES, HANGS, HANDS_OUT_TWICE };
#ifndef FAULT
#define FAULT NOTHING
#endif

static uint8_t order_of[PAGES], is_free[ORDERS][PAGES];

void blocks_init(void)
{
    for (int page = 0; page < PAGES; page++) {
        order_of[page] = NONE;
        is_free[ORDERS - 1][page] = page % (1 << (ORDERS - 1)) == 0;
    }
}

/* The first page of a block, or -1. */
long blocks_alloc(unsigned order)
{
    for (unsigned larger = order; larger < ORDERS; larger++)
        for (int page = 0; page < PAGES; page += 1 << larger)
            if (is_free[larger][page]) {
                is_free[larger][page] = FAULT == HANDS_OUT_TWICE && page == 64;
                while (larger-- > order)
                    if (FAULT != LOSES_A_HALF || larger != 3 || page != 128)
                        is_free[larger][page + (1 << larger)] = 1;
                order_of[page] = order;
                return page;
            }
    return -1;
}

/* 0, or -1 if no such block was handed out; the first page is stored for the caller. */
int blocks_free(unsigned long page, unsigned order, unsigned long *freed)
{
    if (page == PAGES && FAULT == CRASHES)
        *(volatile int *)0 = 0;
    while (page == PAGES && FAULT == HANGS)
        ;
    if (page >= PAGES || order_of[page] != order)
        return -1;
    *freed = page;
    order_of[page] = NONE;
    for (; order < ORDERS - 1 && is_free[order][page ^ 1ul << order]; order++) {
        is_free[order][page ^ 1ul << order] = 0;
        page &= ~(1ul << order);
    }
    is_free[order][page] = 1;
    return 0;
}

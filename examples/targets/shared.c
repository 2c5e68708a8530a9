/* Single frames in a bitmap, and the frames that pages show, for several threads at once: between looking for a frame and
 * taking it nobody else may look, and there a thread waits now and then, so that a race shows.
 * FAULT is what is wrong with it: cc -shared -fPIC -O1 -pthread -DFAULT=NO_LOCK -o shared.so shared.c */
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

enum { PAGE = 4096, FRAMES = 24, PAGES = 64 };
enum { NOTHING, NO_LOCK, COUNTS_LATE, NEVER_UNLOCKS, CRASHES, LOOKS_FIRST, FREES_TWICE };
#ifndef FAULT
#define FAULT NOTHING
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t is_free, waits;
static unsigned count;
static uint64_t shows[PAGES]; /* of each page, its frame's address and 1; 0 if it shows none */

static void enter(void)
{
    if (FAULT != NO_LOCK)
        pthread_mutex_lock(&lock);
}

static void leave(void)
{
    if (FAULT != NO_LOCK && (FAULT != NEVER_UNLOCKS || is_free))
        pthread_mutex_unlock(&lock);
}

static void wait(void)
{
    if (++waits % 8 == 0)
        usleep(20);
}

void shared_init(void)
{
    is_free = ((1u << FRAMES) - 1) & ~3u;
    count = FRAMES - 2;
}

/* 0, or -1 if no frame is free; its address is stored for the caller. */
int shared_allocate(uint64_t *address)
{
    enter();
    unsigned frame = is_free ? __builtin_ctz(is_free) : 0;
    wait();
    is_free &= ~(frame ? 1u << frame : 0);
    if (FAULT == COUNTS_LATE) {
        leave();
        wait();
        count -= frame != 0;
    } else {
        count -= frame != 0;
        leave();
    }
    if (FAULT == CRASHES && frame == FRAMES - 1)
        *(volatile int *)0 = 0;
    *address = (uint64_t)frame * PAGE;
    return frame ? 0 : -1;
}

int shared_free(uint64_t address)
{
    unsigned frame = address / PAGE;
    if (frame < 2 || frame >= FRAMES || address % PAGE)
        return -1;
    int was_free = is_free >> frame & 1;
    if (FAULT == FREES_TWICE)
        wait();
    enter();
    was_free = FAULT == FREES_TWICE ? was_free : is_free >> frame & 1;
    wait();
    is_free |= 1u << frame;
    count += !was_free;
    leave();
    return was_free ? -1 : 0;
}

unsigned shared_count(void)
{
    enter();
    unsigned found = count;
    leave();
    return found;
}

int shared_map(unsigned page, uint64_t address)
{
    if (page >= PAGES)
        return -1;
    int is_mapped = shows[page] != 0;
    if (FAULT == LOOKS_FIRST)
        wait();
    enter();
    is_mapped = FAULT == LOOKS_FIRST ? is_mapped : shows[page] != 0;
    if (!is_mapped)
        shows[page] = address | 1;
    leave();
    return is_mapped ? -1 : 0;
}

int shared_unmap(unsigned page)
{
    if (page >= PAGES)
        return -1;
    enter();
    int was_mapped = shows[page] != 0;
    wait();
    shows[page] = 0;
    leave();
    return was_mapped ? 0 : -1;
}

/* The address that a page shows and 1, or 0. */
uint64_t shared_translate(unsigned page)
{
    return page < PAGES ? shows[page] : 0;
}

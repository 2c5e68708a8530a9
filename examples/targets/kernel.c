/* A kernel's own pages, and PML4s whose upper halves are kept in step.
 * FAULT is what is wrong with it: cc -shared -fPIC -O1 -DFAULT=LOST_UPDATE -o kernel.so kernel.c */
#include <stdint.h>
#include <string.h>

enum { PAGE = 4096, ENTRIES = 512, HALF = 256, PROCESSES = 8, FRAMES = 256, PAGES = 512, NONE = -1 };
enum { NOTHING, LOST_UPDATE, LEAKS_WHEN_SHORT, STALE_TABLE };
#ifndef FAULT
#define FAULT NOTHING
#endif

static int lives[PROCESSES];
static uint64_t pml4[PROCESSES][ENTRIES];
static int frame_of[PAGES];          /* of a page of the kernel's range: its frame, or NONE */
static unsigned short block[PAGES];  /* of the first page of a block: how many pages */
static unsigned char frame_used[FRAMES], page_used[PAGES];

void kernel_init(void)
{
    memset(lives, 0, sizeof lives);
    memset(pml4, 0, sizeof pml4);
    memset(block, 0, sizeof block);
    memset(frame_used, 0, sizeof frame_used);
    memset(page_used, 0, sizeof page_used);
    for (int page = 0; page < PAGES; page++)
        frame_of[page] = NONE;
    lives[0] = 1;
    frame_used[0] = 1;
    pml4[0][ENTRIES - 1] = 3; /* by which its own range is mapped: present, writable */
}

/* Its number, or 0. */
int process_create(void)
{
    for (int process = 1; process < PROCESSES; process++)
        if (!lives[process]) {
            lives[process] = 1;
            memset(pml4[process], 0, HALF * sizeof(uint64_t));
            if (FAULT != STALE_TABLE || process != 3)
                memcpy(pml4[process] + HALF, pml4[0] + HALF, HALF * sizeof(uint64_t));
            return process;
        }
    return 0;
}

int process_exit(int process)
{
    if (process < 1 || process >= PROCESSES || !lives[process])
        return -1;
    lives[process] = 0;
    return 0;
}

int pml4_write(int process, unsigned index, uint64_t value)
{
    if (process < 0 || process >= PROCESSES || !lives[process] || index >= ENTRIES)
        return -1;
    if (index < HALF) {
        pml4[process][index] = value;
        return 0;
    }
    for (int each = 0; each < PROCESSES; each++)
        if (lives[each] && !(FAULT == LOST_UPDATE && index == ENTRIES - 2 && each > process + 1))
            pml4[each][index] = value;
    return 0;
}

/* 0, or -1; the entry is stored. */
int pml4_read(int process, unsigned index, uint64_t *value)
{
    if (process < 0 || process >= PROCESSES || !lives[process] || index >= ENTRIES)
        return -1;
    *value = pml4[process][index];
    return 0;
}

/* The first page of a block, or -1. */
static int take_pages(unsigned pages)
{
    unsigned run = 0;
    for (int page = 0; page < PAGES; page++) {
        run = page_used[page] ? 0 : run + 1;
        if (run == pages) {
            int first = page - (int)pages + 1;
            memset(page_used + first, 1, pages);
            block[first] = pages;
            return first;
        }
    }
    return NONE;
}

static int take_frame(void)
{
    for (int frame = 0; frame < FRAMES; frame++)
        if (!frame_used[frame]) {
            frame_used[frame] = 1;
            return frame;
        }
    return NONE;
}

static void give_back(int first, unsigned pages)
{
    for (unsigned place = 0; place < pages; place++) {
        frame_used[frame_of[first + place]] = 0;
        frame_of[first + place] = NONE;
    }
}

/* A frame's number, or -1. */
int frame_allocate(void) { return take_frame(); }

int frame_free(unsigned frame)
{
    if (frame < 1 || frame >= FRAMES || !frame_used[frame])
        return -1;
    for (int page = 0; page < PAGES; page++)
        if (frame_of[page] == (int)frame)
            return -1;
    frame_used[frame] = 0;
    return 0;
}

unsigned frame_free_count(void)
{
    unsigned count = 0;
    for (int frame = 0; frame < FRAMES; frame++)
        count += !frame_used[frame];
    return count;
}

/* Pages on end of the kernel's range, each with a frame: the first page's number, or -1. */
int kernel_pages_allocate(unsigned pages)
{
    int first = pages ? take_pages(pages) : NONE;
    if (first == NONE)
        return NONE;
    for (unsigned place = 0; place < pages; place++) {
        frame_of[first + place] = take_frame();
        if (frame_of[first + place] != NONE)
            continue;
        give_back(first, FAULT == LEAKS_WHEN_SHORT && place > 4 ? place - 1 : place);
        memset(page_used + first, 0, pages);
        block[first] = 0;
        return NONE;
    }
    return first;
}

/* 0, or -1 if no such block is in use. */
int kernel_pages_free(unsigned first, unsigned pages)
{
    if (first >= PAGES || pages == 0 || block[first] != pages)
        return -1;
    give_back(first, pages);
    memset(page_used + first, 0, pages);
    block[first] = 0;
    return 0;
}

/* The frame that a page of the kernel's range shows, or -1. */
int kernel_frame(unsigned page) { return page < PAGES ? frame_of[page] : NONE; }

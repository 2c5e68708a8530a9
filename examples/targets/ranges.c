/* Ranges of virtual addresses of each process, 0 being the kernel: its free runs in address order, the first that fits.
 * FAULT is what is wrong with it: cc -shared -fPIC -O1 -DFAULT=MISSED_COALESCE -o ranges.so ranges.c */
#include <stdint.h>
#include <string.h>

enum { PAGES = 4096, PROCESSES = 8, RUNS = 2048 };
enum { NOTHING, MISSED_COALESCE, EXACT_FIT, STALE_PROCESS };
#ifndef FAULT
#define FAULT NOTHING
#endif

static struct process {
    int lives, runs;
    struct run { unsigned page, pages; } free[RUNS];
    unsigned short used[PAGES]; /* of the first page of a block, how many it has */
} processes[PROCESSES];

static void begin(struct process *process)
{
    process->lives = 1;
    if (FAULT != STALE_PROCESS || process->runs != 1)
        memset(process->used, 0, sizeof process->used);
    process->runs = 1;
    process->free[0] = (struct run){0, PAGES};
}

/* Only the kernel lives. */
void ranges_init(void)
{
    memset(processes, 0, sizeof processes);
    begin(&processes[0]);
}

/* Its number, or 0. */
int process_create(void)
{
    for (int number = 1; number < PROCESSES; number++)
        if (!processes[number].lives) {
            begin(&processes[number]);
            return number;
        }
    return 0;
}

int process_exit(int number)
{
    if (number < 1 || number >= PROCESSES || !processes[number].lives)
        return -1;
    processes[number].lives = 0;
    return 0;
}

static struct process *living(int number)
{
    return number >= 0 && number < PROCESSES && processes[number].lives ? &processes[number] : 0;
}

/* The first page of a block, or -1. */
int64_t range_allocate(int number, uint64_t pages)
{
    struct process *process = living(number);
    if (!process || pages == 0)
        return -1;
    for (int place = 0; place < process->runs; place++) {
        struct run *run = &process->free[place];
        if (FAULT == EXACT_FIT && run->pages > 1 ? run->pages <= pages : run->pages < pages)
            continue;
        unsigned page = run->page;
        run->page += pages;
        run->pages -= pages;
        if (run->pages == 0)
            memmove(run, run + 1, (--process->runs - place) * sizeof *run);
        process->used[page] = pages;
        return page;
    }
    return -1;
}

/* 0, or -1 if no such block is in use. */
int range_free(int number, uint64_t page, uint64_t pages)
{
    struct process *process = living(number);
    unsigned place = 0;
    if (!process || page >= PAGES || pages == 0 || process->used[page] != pages)
        return -1;
    process->used[page] = 0;
    while (place < (unsigned)process->runs && process->free[place].page < page)
        place++;
    struct run *after = &process->free[place];
    memmove(after + 1, after, (process->runs++ - place) * sizeof *after);
    *after = (struct run){page, pages};
    if (place + 1 < (unsigned)process->runs && page + pages == after[1].page && FAULT != MISSED_COALESCE) {
        after->pages += after[1].pages;
        memmove(after + 1, after + 2, (--process->runs - place - 1) * sizeof *after);
    }
    if (place > 0 && after[-1].page + after[-1].pages == page) {
        after[-1].pages += after->pages;
        memmove(after, after + 1, (--process->runs - place) * sizeof *after);
    }
    return 0;
}

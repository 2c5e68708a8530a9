/* Two small allocators, to be tried from Python: frames of memory, and pages of an address range (a buddy system).
   Both choose otherwise than the reference: any free frame after the last one, and the highest block that fits. */
#include <string.h>

enum { FRAMES = 20, IMAGE = 3, DEPTH = 5, PAGES = 1 << DEPTH, REFUSED = -1 };

static char frame_in_use[FRAMES];
static int last_frame;
static char free_order[PAGES], used_order[PAGES]; /* of the block that starts at a page: its order + 1; 0: none does */

void start(void)
{
    memset(frame_in_use, 0, sizeof frame_in_use);
    memset(frame_in_use, 1, IMAGE);
    memset(free_order, 0, sizeof free_order);
    memset(used_order, 0, sizeof used_order);
    last_frame = FRAMES - 1;
    free_order[0] = DEPTH + 1;
}

int frame_allocate(void)
{
    for (int tried = 0; tried < FRAMES; tried++) {
        last_frame = (last_frame + 1) % FRAMES;
        if (!frame_in_use[last_frame]) {
#ifndef HANDS_OUT_TWICE
            frame_in_use[last_frame] = 1;
#endif
            return last_frame;
        }
    }
    return REFUSED;
}

int frame_free(int frame)
{
    if (frame < IMAGE || frame >= FRAMES || !frame_in_use[frame])
        return 0;
    frame_in_use[frame] = 0;
    return 1;
}

static int order_for(int pages)
{
    int order = 0;
    while (1 << order < pages)
        order++;
    return order;
}

int range_allocate(int pages)
{
    if (pages < 1 || pages > PAGES)
        return REFUSED;
    int wanted = order_for(pages);
    for (int order = wanted; order <= DEPTH; order++)
        for (int page = PAGES - 1; page >= 0; page--)
            if (free_order[page] == order + 1) {
                free_order[page] = 0;
                while (order > wanted) { /* the lower half stays free */
                    order--;
                    free_order[page] = order + 1;
                    page += 1 << order;
                }
                used_order[page] = wanted + 1;
                return page;
            }
    return REFUSED;
}

int range_free(int page, int pages)
{
    if (page < 0 || page >= PAGES || pages < 1 || pages > PAGES)
        return 0;
    int order = order_for(pages);
    if (used_order[page] != order + 1)
        return 0;
    used_order[page] = 0;
#ifndef FORGETS_TO_MERGE
    while (order < DEPTH && free_order[page ^ 1 << order] == order + 1) {
        free_order[page ^ 1 << order] = 0;
        page &= ~(1 << order);
        order++;
    }
#endif
    free_order[page] = order + 1;
    return 1;
}

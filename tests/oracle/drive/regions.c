/* Blocks of up to 16 pages in regions of 512, of which the emptiest is used first. FAULT: the count of pages in use has 9
 * bits, so that a region that is full looks as if it were empty. */
#include <stdint.h>

#define REGION 512u
#define REGIONS 8u
#define MOST 16u
#ifdef FAULT
#define BITS 9
#else
#define BITS 10
#endif

static struct {
    unsigned used : BITS;
    uint8_t taken[REGION]; /* at the first page of a block its size, at the others 1 */
} regions[REGIONS];

static unsigned rounded(unsigned long pages)
{
    unsigned size = 1;
    while (size < pages)
        size *= 2;
    return size;
}

static int place(unsigned region, unsigned size)
{
    for (unsigned first = 0; first < REGION; first += size) {
        unsigned page = first;
        while (regions[region].used != 0 && page < first + size && !regions[region].taken[page])
            page++;
        if (regions[region].used == 0 || page == first + size)
            return (int)first;
    }
    return -1;
}

long regions_take(unsigned long pages)
{
    long found = -1;
    unsigned least = ~0u;
    if (pages == 0 || pages > MOST)
        return -1;
    unsigned size = rounded(pages);
    for (unsigned region = 0; region < REGIONS; region++) {
        int first = regions[region].used < least ? place(region, size) : -1;
        if (first >= 0) {
            found = (long)region * REGION + first;
            least = regions[region].used;
        }
    }
    if (found >= 0) {
        unsigned region = (unsigned)found / REGION, first = (unsigned)found % REGION;
        for (unsigned page = first; page < first + size; page++)
            regions[region].taken[page] = 1;
        regions[region].taken[first] = (uint8_t)(size + 1);
        regions[region].used += size;
    }
    return found;
}

int regions_give(unsigned long page, unsigned long pages)
{
    if (page >= REGION * REGIONS || pages == 0 || pages > MOST)
        return -1;
    unsigned region = (unsigned)page / REGION, first = (unsigned)page % REGION, size = rounded(pages);
    if (regions[region].taken[first] != size + 1)
        return -1;
    for (unsigned each = first; each < first + size; each++)
        regions[region].taken[each] = 0;
    regions[region].used -= size;
    return 0;
}

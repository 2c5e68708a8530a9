/* Frames 2 to 5, one at a time, as golden vectors call them; FAULT is what is wrong, and HIGHEST another choice. */
#include <stdint.h>

enum { PAGE = 4096, FIRST = 2, FRAMES = 6 };
enum { NOTHING, FREES_TWICE, FREES_THE_IMAGE, LOSES_THE_LAST, HANDS_OUT_TWICE, MISCOUNTS };
#ifndef FAULT
#define FAULT NOTHING
#endif
#ifndef HIGHEST
#define HIGHEST 0
#endif

static int used[FRAMES];

void memoracle_start(void)
{
    for (int frame = 0; frame < FRAMES; frame++)
        used[frame] = frame < FIRST;
}

int memoracle_frame_allocate(uint64_t *result)
{
    for (int each = FIRST; each < FRAMES; each++) {
        int frame = HIGHEST ? FRAMES + FIRST - 1 - each : each;
        if (used[frame] || (FAULT == LOSES_THE_LAST && frame == FRAMES - 1))
            continue;
        used[frame] = FAULT != HANDS_OUT_TWICE || frame != 3;
        *result = (uint64_t)frame * PAGE;
        return 0;
    }
    return 1;
}

int memoracle_frame_free(uint64_t address)
{
    uint64_t frame = address / PAGE;
    if (address % PAGE || frame >= FRAMES || (frame < FIRST && FAULT != FREES_THE_IMAGE) || (!used[frame] && FAULT != FREES_TWICE))
        return 1;
    used[frame] = 0;
    return 0;
}

int memoracle_frame_is_free(uint64_t address, uint64_t *result)
{
    if (address / PAGE >= FRAMES)
        return 1;
    *result = !used[address / PAGE];
    return 0;
}

int memoracle_frame_free_count(uint64_t *result)
{
    *result = FAULT == MISCOUNTS ? 4 : 0;
    for (int frame = FIRST; FAULT != MISCOUNTS && frame < FRAMES; frame++)
        *result += !used[frame];
    return 0;
}

"""Golden vectors: what the law requires of the calls of small sequences, for unit tests in other languages."""

NAMES = (  # of what there are vectors of
    "bitmap",
    "runs",
    "frame_buddy",
    "buddy",
    "boot",
    "kernel_half",
    "paging",
    "manager",
    "kernel_pages",
    "kernel_frames",
    "heap",
    "heap_resize",
    "heap_arena",
    "heap_arena_resize",
    "pat",
    "pte",
)

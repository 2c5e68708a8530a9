"""Golden vectors: what the law requires of the calls of small sequences, for unit tests in other languages."""

NAMES = ("bitmap", "runs", "frame_buddy", "buddy", "kernel_half", "pat", "pte")  # of what there are vectors of

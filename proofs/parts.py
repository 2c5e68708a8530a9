"""Which modules make up a component in each wing, where they do not all have its name."""

from __future__ import annotations

PARTS = {
    "buddy": ("blocks", "buddy", "added_blocks"),
    "paging": ("pte", "pte_theorems", "tables", "paging", "paging_theorems"),
    "heap": ("slab", "heap", "heap_room", "arena"),
    "runs": ("run_index", "place_set", "runs", "given_runs", "run_lists", "zones"),
    "manager": (
        "manager",
        "manager_mappings",
        "manager_gets",
        "manager_ranges",
        "manager_pages",
        "manager_tables",
        "manager_law",
    ),
}
# The components whose reference and law a component's own proofs and small runs use.
BUILT_ON = {
    "boot": ("bitmap",),
    "buddy": ("kernel_half", "runs", "bitmap"),
    "runs": ("bitmap",),
    "paging": ("bitmap", "kernel_half", "pat"),
    "manager": ("bitmap", "buddy", "kernel_half", "paging", "pat"),
    "heap": ("bitmap", "runs"),
}


def parts_of(component: str) -> tuple[str, ...]:
    """The names of a component's modules; a wing need not have all of them."""
    return PARTS.get(component, (component,))


def component_of(module: str) -> str:
    """The component that a module belongs to."""
    return next((component for component, parts in PARTS.items() if module in parts), module)

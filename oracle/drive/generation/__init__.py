"""Which operations are asked of a live memory manager: steered by the law, at its boundaries first."""

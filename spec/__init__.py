"""The law: what must hold of a kernel memory manager. It knows nothing of the rest."""

"""The replay of pages: what is mapped, page tables, PML4 entries, kernel pages, and uses of frames."""

"""An emulated x86 that walks the reference's page tables."""

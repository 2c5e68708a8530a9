"""memoracle: is this memory manager right?"""

"""The replay of frames: single ones, blocks and runs."""

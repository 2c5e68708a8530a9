"""Replays events on the reference, and holds each answer to the law."""

"""Runs a live memory manager: makes up operations, compares what it answers with the law, shrinks what fails."""

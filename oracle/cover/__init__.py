"""Every call in every state of a small machine: the states, the shortest ways through all calls, and the walk there."""

"""What `drive` does with a target: calls of one process, of several, or of several threads at once."""

"""What is read: traces, kernel logs and memory maps."""

"""What is known of a name: where it stands, and what proves it."""

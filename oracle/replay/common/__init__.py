"""What the replays of several components share."""

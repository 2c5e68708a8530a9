"""What is said of a divergence."""

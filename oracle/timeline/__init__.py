"""What led to a divergence, step by step, with the state before and after each."""

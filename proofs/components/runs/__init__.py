"""Proofs of runs: of their law, and of the code of `impl/runs.py`, `impl/place_set.py` and `impl/run_index.py`."""

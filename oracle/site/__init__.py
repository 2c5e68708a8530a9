"""The pages of the site that are made from the law, the proofs and the code, so that they cannot drift from these."""

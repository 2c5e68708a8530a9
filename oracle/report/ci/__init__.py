"""Reports for CI servers and code hosts, and what all of these say of a run."""

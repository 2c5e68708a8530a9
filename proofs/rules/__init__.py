"""Rules that every module of impl/ must keep."""

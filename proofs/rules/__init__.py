"""Rules that every module of impl/ keeps, whatever it is about."""

"""Work that is done by many processes: units of it, which name what is to be done, and the executors that do them."""

"""Which state of the law an object of the reference stands for."""

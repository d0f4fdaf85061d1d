"""Which model files are let in: tried out in a child first, and put aside when they end the program."""

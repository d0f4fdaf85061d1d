"""How good the finding, the answers and the checks are, as numbers that can be compared."""

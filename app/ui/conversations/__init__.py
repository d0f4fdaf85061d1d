"""The questions asked before, by day."""

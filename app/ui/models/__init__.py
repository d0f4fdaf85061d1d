"""Which model answers, and choosing another."""

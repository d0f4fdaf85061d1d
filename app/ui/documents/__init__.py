"""The library: which documents there are and how far their reading has come."""

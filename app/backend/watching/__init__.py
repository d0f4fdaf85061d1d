"""Folders that are followed: what changes in them changes in the library."""

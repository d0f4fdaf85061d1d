"""Conversations as files: training examples, pages to read, or everything."""

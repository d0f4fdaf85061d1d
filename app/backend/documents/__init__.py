"""A document's way: added, parsed, chunked, embedded, found again."""

"""Questions about whole documents: what they are, and how all of the documents is worked through."""

"""diskcache: embeddings for 15 minutes, sessions for 24 hours."""

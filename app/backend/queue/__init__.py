"""The persisted queue of files to read, and the worker that empties it."""

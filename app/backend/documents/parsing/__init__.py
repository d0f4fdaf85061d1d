"""One file a format, run in a child process with limits."""

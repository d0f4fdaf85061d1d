"""The command line: one file a command group, speaking only to the client."""

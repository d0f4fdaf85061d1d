"""The typed client: what the window and the command line speak to."""

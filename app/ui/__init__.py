"""The window: the only room with Qt, speaking only to the client."""

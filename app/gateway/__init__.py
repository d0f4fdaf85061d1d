"""The API gateway: an ASGI application on its own thread, with or without a socket."""

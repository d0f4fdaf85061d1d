"""The composition root: builds everything once, and closes it in reverse."""

from app.main.entry import main

__all__ = ["main"]

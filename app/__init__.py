"""Carrel: a private desk for your own documents."""

__version__ = "0.1.0"

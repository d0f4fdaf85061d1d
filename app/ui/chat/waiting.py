"""What stands in an answer's place before its first word."""

from app.events import Progress

SEARCHING = "Searching your documents…"
THINKING = "Thinking…"
NOTHING_FOUND = "Nothing in your documents matches this question."


def reading(event: Progress) -> str:
    """How far the reading of whole documents is."""
    if event.done >= event.of:
        return "Choosing what to say…"
    if event.of == 1:
        return f"Reading {event.what}…"
    # The figures first: a long name is cut off at the end of the line.
    return f"Reading part {event.done + 1} of {event.of}: {event.what}…"

"""Where sequences put what they make, in tests without an engine."""


class Recorder:
    """An outbox that keeps what it was given."""

    def __init__(self):
        self.items = []

    def put(self, item):
        self.items.append(item)

"""What crosses the rooms of the worklist, read top to bottom along the way of a study."""


def connect() -> None:
    """Called once when the app is ready."""

"""Which news from the archive the triage room listens to."""


def connect() -> None:
    """Called once when the app is ready."""

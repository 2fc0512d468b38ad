"""Errors for the operator, each in one line, without secrets."""


class UnableToStart(Exception):
    """Something that every event needs is missing or wrong; the text says how to fix it."""


class UnroutedEvent(Exception):
    """This function has no handler for the event."""

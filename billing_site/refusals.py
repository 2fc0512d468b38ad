"""What the running product refuses, each in one line for the operator, with no secret in it."""


class UnableToStart(Exception):
    """Something that every event needs is missing or wrong; the text says what to mend."""


class UnroutedEvent(Exception):
    """No handler is meant for this event, or not in this function."""

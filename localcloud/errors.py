"""Errors of the local platform, each a sentence for the terminal."""


class UnableToStart(Exception):
    """Something that a command needs couldn't be started; the text says what, and how to fix it."""


class UnableToStop(Exception):
    """A server doesn't stop."""


class UnableToMove(Exception):
    """The clock can't be moved; the text says why, and what to do."""

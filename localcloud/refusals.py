"""What the machine's own cloud refuses, each a sentence for the person at the terminal."""


class UnableToStart(Exception):
    """Something that a command needs couldn't be started; the text says what, and what to do."""


class UnableToStop(Exception):
    """A server that was told to stop goes on."""


class UnableToMove(Exception):
    """The clock isn't this machine's to move, or can't be moved so; the text says what to do."""

"""Why something is not shipped."""


class UnableToShip(Exception):
    """The settings or the package aren't fit to be deployed. Its text says what to mend, and holds no secret."""

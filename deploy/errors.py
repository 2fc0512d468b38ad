"""The error of packaging and deploying."""


class UnableToShip(Exception):
    """The settings or the package aren't fit to be deployed. The text says how to fix them, and holds no secret."""

"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0
"""What a step may take on the slowest machine. Reached only when something is broken."""


def wait_until(condition: Callable[[], object], *, seconds: float = PATIENCE_SECONDS, pause: float = 0.01) -> None:
    """Returns as soon as the condition holds; fails when it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} seconds"
        time.sleep(pause)

"""The garbage collector of a function: what its start made is never looked through, and its work seldom."""

import gc

MAX_NEW_OBJECTS = 50_000
"""That are made before the collector looks for cycles among them. A batch of 500 periods makes about as many, and
hardly ever a cycle: looked for after each 700, as Python does, they take a fiftieth of a batch's time.
"""


def collect_seldom() -> None:
    """From now on, once the start is over."""
    gc.freeze()
    gc.set_threshold(MAX_NEW_OBJECTS)
    gc.enable()

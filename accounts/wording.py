"""Numbers in the sentences that people read."""


def counted(number: int, noun: str) -> str:
    """How many there are of it: "1 period", "1,200 periods"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

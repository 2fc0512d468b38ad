"""How a deployment speaks: its steps by number, and the question before what costs or can't be taken back."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from deploy.errors import UnableToShip


@dataclass
class Steps:
    titles: Sequence[str]
    done: int = field(default=0)

    def announce(self, heading: str) -> None:
        print(heading)
        for number, title in enumerate(self.titles, start=1):
            print(f"  {number:2} {title}")
        print(flush=True)

    def begin(self) -> None:
        print(f"[{self.done + 1}/{len(self.titles)}] {self.titles[self.done]}", flush=True)
        self.done += 1

    def say(self, text: str) -> None:
        print("\n".join(f"    {line}" for line in text.strip().splitlines()), flush=True)


def ask(question: str, *, answer: str, given: str | None) -> None:
    """Goes on only with the answer: typed, or given on the command line, as where nobody sits at a terminal.

    Raises UnableToShip for any other.
    """
    if given is not None:
        said = given
    elif sys.stdin.isatty():
        said = input(f"{question} Type {answer} to go on: ").strip()
    else:
        raise UnableToShip(f"{question} There is no terminal to ask at: say so on the command line")
    if said != answer:
        raise UnableToShip(f"nothing was done: {said or 'nothing'} isn't {answer}")

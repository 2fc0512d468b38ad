"""Commands that a deployment runs. Cut off, it lets them end in an orderly way: Terraform then keeps what it knows."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.environment import ROOT
from deploy.errors import UnableToShip

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended, and what it printed on both streams."""

    code: int
    printed: str

    def last_lines(self, *, max_lines: int = 12) -> str:
        return "\n".join(self.printed.strip().splitlines()[-max_lines:])


def run(command: Sequence[str], *, log: Path, variables: Mapping[str, str] | None = None) -> Ended:
    """Runs a command to its end, at the root of the project. What it prints is added to the log.

    `variables` are added to this process's. Interrupted, however often, it interrupts the command once, waits for its
    end, and raises KeyboardInterrupt. Raises UnableToShip for a program that isn't installed. For the main thread only.
    """
    printed: list[str] = []
    # By the line, for who looks on.
    with log.open("a", buffering=1, encoding="utf-8") as kept:
        kept.write(f"\n$ {' '.join(command)}\n")
        try:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # The terminal's Ctrl-C would reach it besides ours, and of two Terraform ends at once.
                start_new_session=True,
                preexec_fn=_interrupted_with_its_parent,  # noqa: PLW1509
            )
        except FileNotFoundError as error:
            raise UnableToShip(f"{command[0]} isn't installed") from error
        with process, _interrupting_once(process):
            for line in process.stdout or []:
                printed.append(line)
                kept.write(line)
            code = process.wait()
    return Ended(code=code, printed="".join(printed))


@contextmanager
def _interrupting_once(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Hands the first interrupt on to a process, and raises KeyboardInterrupt when the block has ended.

    A handler that raises wouldn't do: make repeats the terminal's signal, and the second exception would come out of
    the first one's handling. Of two interrupts Terraform ends at once, and leaves its state locked.
    """
    interrupted = False

    def hand_on(_number: int, _frame: object) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            process.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interrupted:
        raise KeyboardInterrupt


def _interrupted_with_its_parent() -> None:
    """In the child: when this process is killed, the command is interrupted, as if by hand."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)

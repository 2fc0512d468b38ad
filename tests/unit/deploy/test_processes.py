"""What a deployment runs is interrupted once, and its end waited for, however often the deployment itself is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.errors import UnableToShip
from deploy.processes import Ended, run

COMMAND = """
import signal, sys, time
interrupts = []
signal.signal(signal.SIGINT, lambda *_: interrupts.append(1))
signal.signal(signal.SIGTERM, lambda *_: interrupts.append(1))
print("begun", flush=True)
deadline = time.monotonic() + 30
while not interrupts and time.monotonic() < deadline:
    time.sleep(0.01)
# As long as further ones may come.
time.sleep(1)
print(f"interrupted {len(interrupts)} times", flush=True)
"""
DEPLOYMENT = """
import signal, subprocess, sys, time
from pathlib import Path
from deploy.processes import run
at_once = subprocess.Popen.send_signal
def slowly(process, number):
    # The next interrupt comes amid this one's being handed on.
    time.sleep(0.1)
    at_once(process, number)
subprocess.Popen.send_signal = slowly
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    run([sys.executable, "-c", sys.argv[1]], log=Path(sys.argv[2]))
except KeyboardInterrupt:
    print("cut off")
"""


def until_it_says(log: Path, text: str) -> None:
    deadline = time.monotonic() + 30
    while not log.exists() or text not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestRun:
    def test_gives_what_was_printed_and_keeps_it(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        command = [sys.executable, "-c", "import os; print(os.environ['NAME']); raise SystemExit(3)"]
        assert run(command, log=log, variables={"NAME": "anna"}) == Ended(code=3, printed="anna\n")
        assert log.read_text().endswith("\nanna\n")

    def test_a_program_that_is_not_installed(self, tmp_path: Path) -> None:
        with pytest.raises(UnableToShip, match="no-such-program isn't installed"):
            run(["no-such-program"], log=tmp_path / "log")

    @pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
    def test_interrupts_the_command_once(self, tmp_path: Path, by: signal.Signals) -> None:
        """Twenty times: somebody presses Ctrl-C again, or make hands on what the terminal sent already."""
        log = tmp_path / "log"
        deployment = subprocess.Popen(
            [sys.executable, "-c", DEPLOYMENT, COMMAND, str(log)], stdout=subprocess.PIPE, text=True
        )
        until_it_says(log, "\nbegun\n")
        for _ in range(20):
            os.kill(deployment.pid, by)
            time.sleep(0.005)
        printed, _ = deployment.communicate(timeout=60)
        assert printed == "cut off\n"
        assert deployment.returncode == 0
        assert log.read_text().endswith("interrupted 1 times\n")

    def test_interrupts_it_when_the_deployment_is_killed(self, tmp_path: Path) -> None:
        log, said = tmp_path / "log", tmp_path / "said"
        command = COMMAND.replace('print(f"', f'print(file=open({str(said)!r}, "w"), flush=True) or print(f"')
        deployment = subprocess.Popen([sys.executable, "-c", DEPLOYMENT, command, str(log)])
        until_it_says(log, "\nbegun\n")
        deployment.kill()
        deployment.wait(timeout=30)
        until_it_says(said, "\n")

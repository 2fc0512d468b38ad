"""A clone of its own that one deploys from, and a terminal in it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.deploy.terraform.terraform_command import ROOT, provider_mirror

SECONDS = 600
_KEPT = ["PATH", "HOME", "LANG", "TMPDIR", "TF_PLUGIN_CACHE_DIR"]


def missing() -> str:
    """What the page needs beside the package, and isn't here."""
    if absent := [name for name in ("terraform", "git", "make", "bash", "curl") if shutil.which(name) is None]:
        return ", ".join(absent)
    return "" if (ROOT / ".git").exists() else "a git repository"


def cloned(folder: Path) -> Path:
    """This clone as it lies here, committed, with an environment that nothing can be installed into."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z", folder=ROOT).split("\0")
    for name in (name for name in listed if (ROOT / name).is_file()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    git("init", "--quiet", folder=folder)
    git("add", "--all", folder=folder)
    git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message=all", folder=folder)
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.suffix != ".stamp":
            (folder / ".venv" / path.name).symlink_to(path)
    # Newer than the requirements, so that make installs nothing.
    for name in ("local.stamp", "dev.stamp"):
        (folder / ".venv" / name).touch()
    return folder


def surroundings(folder: Path) -> dict[str, str]:
    """A terminal's variables: nothing of an AWS account, and Terraform's provider from where it was found."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    mirror = provider_mirror()
    if mirror is not None:
        configuration = folder / "terraform.rc"
        configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        kept["TF_CLI_CONFIG_FILE"] = str(configuration)
    return kept | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "ignore",
        "TF_CLI_ARGS": "-no-color",
        "TF_INPUT": "0",
    }


def ended(script: str, *, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A shell's end, with what was printed on both streams; its input is no terminal."""
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )


@contextmanager
def terminal(
    script: str, *, folder: Path, environment: dict[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A shell in a folder, gone with all that it started when the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def git(*arguments: str, folder: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout

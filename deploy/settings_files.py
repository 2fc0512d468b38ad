"""Zappa's settings as files: the fixed part, which the repository holds, and an environment's filled ones."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.environment import BUILD, ROOT
from deploy.target import read_settings
from deploy.zappa_settings import Stages, as_text, filled, with_stages

SETTINGS = ROOT / "zappa_settings.json"


def generated_settings(environment: str, *, build: Path = BUILD) -> Path:
    """Where an environment's filled settings lie. They are made of Terraform's outputs, and never committed."""
    return build / f"zappa-{environment}.json"


def write_generated(
    *, environment: str, outputs: Mapping[str, Any], settings: Path = SETTINGS, build: Path = BUILD
) -> Path:
    """Writes the filled settings in the place of the old ones. Raises UnableToShip, and then changes nothing."""
    fixed = with_stages(read_settings(settings), environment=environment)
    wanted = filled(settings=fixed, outputs=outputs, environment=environment)
    build.mkdir(exist_ok=True)
    generated = generated_settings(environment, build=build)
    with written_beside(generated, wanted) as unfinished:
        unfinished.replace(generated)
    return generated


@contextmanager
def written_beside(settings: Path, wanted: Stages) -> Iterator[Path]:
    """A file of the settings that are wanted, to take the place of the held ones in one step: a file that is cut off
    would be a broken deployment. Gone when the block ends.
    """
    unfinished = settings.with_suffix(".unfinished.json")
    unfinished.write_text(as_text(wanted), encoding="utf-8")
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)

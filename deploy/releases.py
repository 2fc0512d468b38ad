"""The packages that were deployed, kept in the environment's bucket of packages to roll back to."""

import datetime
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.cloud import one_line_errors
from deploy.environment import ROOT
from deploy.errors import UnableToShip
from deploy.package import sha256_of

PREFIX = "releases/"
_CODE, _COMMIT = "code", "commit"


@dataclass(frozen=True, kw_only=True)
class Release:
    """`code` is the SHA-256 that Lambda shows; `commit` is empty where there was no git."""

    name: str
    code: str
    commit: str

    @property
    def key(self) -> str:
        return f"{PREFIX}{self.name}.zip"


@dataclass(frozen=True, kw_only=True)
class Releases:
    s3: Any
    bucket: str

    def all(self) -> list[Release]:
        """The oldest first."""
        with one_line_errors():
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=PREFIX)
            keys = sorted(each["Key"] for page in pages for each in page.get("Contents", []))
            return [self._described(key) for key in keys]

    def keep(self, package: Path, *, now: datetime.datetime) -> None:
        """Keeps one, unless it is the newest already."""
        code, kept = sha256_of(package), self.all()
        if kept and kept[-1].code == code:
            return
        with one_line_errors():
            self.s3.put_object(
                Bucket=self.bucket,
                Key=f"{PREFIX}{now:%Y-%m-%dT%H%M%S}.zip",
                Body=package.read_bytes(),
                Metadata={_CODE: code, _COMMIT: _commit()},
            )

    def before(self, code: str, *, named: str | None = None) -> Release:
        """The release before the one that is deployed, or the one with a name. Raises UnableToShip without it."""
        kept = self.all()
        if named is not None:
            found = [each for each in kept if each.name == named]
            if not found:
                raise UnableToShip(
                    f"no release {named} is kept: {', '.join(each.name for each in kept) or 'none at all'}"
                )
            return found[0]
        numbers = [number for number, each in enumerate(kept) if each.code == code]
        earlier = [each for each in kept[: numbers[-1] if numbers else len(kept)] if each.code != code]
        if not earlier:
            raise UnableToShip("no release before this one is kept")
        return earlier[-1]

    def fetch(self, release: Release, package: Path) -> None:
        with one_line_errors():
            package.write_bytes(self.s3.get_object(Bucket=self.bucket, Key=release.key)["Body"].read())
        if sha256_of(package) != release.code:
            raise UnableToShip(f"the kept package {release.name} isn't what it was")

    def empty(self) -> int:
        """Deletes all that is in the bucket, and says how much."""
        deleted = 0
        with one_line_errors():
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
                for each in page.get("Contents", []):
                    self.s3.delete_object(Bucket=self.bucket, Key=each["Key"])
                    deleted += 1
        return deleted

    def _described(self, key: str) -> Release:
        metadata = self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        return Release(
            name=key.removeprefix(PREFIX).removesuffix(".zip"),
            code=metadata.get(_CODE, ""),
            commit=metadata.get(_COMMIT, ""),
        )


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()

"""Secrets Manager's rotation of the application's password."""

from typing import Any

from billing_site.refusals import UnroutedEvent


def rotate(*, step: str, secret_id: str, token: str) -> dict[str, Any]:
    raise UnroutedEvent(f"no rotation step {step!r}")

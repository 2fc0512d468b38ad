"""Secrets Manager, read at run time. Secrets are never logged, and no error shows them."""

import json
import logging
from functools import cache
from typing import Any

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"

# At DEBUG it logs every answer, whatever level the root logger is given later.
logging.getLogger("botocore").setLevel(logging.WARNING)


class UnableToReadSecret(Exception):
    """The secret can't be read, or has the wrong form; the text says how to fix it, in one line."""


class NoSuchVersion(UnableToReadSecret):
    """The secret has no value under that label or version."""


@cache
def client() -> Any:
    """A client that gives up after about six seconds; Lambda gives a start ten."""
    # Imported here: only Lambda has such secrets, and it takes a tenth of a second.
    from botocore.config import Config  # noqa: PLC0415

    from accounts.aws import aws_client  # noqa: PLC0415

    config = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
    return aws_client("secretsmanager", config=config)


def secret_fields(*, arn: str, names: tuple[str, ...], stage: str = CURRENT, version: str = "") -> dict[str, str]:
    """These fields of a secret that is a JSON object, each a text that isn't empty.

    With `version` that version is read, which must carry the label `stage`. Raises `UnableToReadSecret`, and
    `NoSuchVersion` when there is no value under the label or version.
    """
    fields = _fields(arn=arn, text=_text(arn=arn, stage=stage, version=version))
    for name in names:
        if not isinstance(fields.get(name), str) or not fields[name]:
            raise UnableToReadSecret(f"the secret {arn} must have a text {name!r} in its JSON object")
    return {name: fields[name] for name in names}


def whole_secret(*, arn: str, stage: str = CURRENT, version: str = "") -> dict[str, Any]:
    """Every field of a secret that is a JSON object, to write it anew. Raises as `secret_fields` does."""
    return _fields(arn=arn, text=_text(arn=arn, stage=stage, version=version))


def _text(*, arn: str, stage: str, version: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    which = {"VersionId": version} if version else {}
    try:
        answer = client().get_secret_value(SecretId=arn, VersionStage=stage, **which)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        missing = code == "ResourceNotFoundException"
        why = f"the secret {arn} can't be read ({code}): look at its ARN, its {stage} version and the function's role"
        raise (NoSuchVersion if missing else UnableToReadSecret)(why) from None
    except BotoCoreError as error:
        raise UnableToReadSecret(f"Secrets Manager can't be reached ({type(error).__name__}) for {arn}") from None
    return str(answer.get("SecretString", ""))


def _fields(*, arn: str, text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        # Not `from`: the error holds the text.
        fields = None
    if not isinstance(fields, dict):
        raise UnableToReadSecret(f"the secret {arn} must be a JSON object")
    return fields

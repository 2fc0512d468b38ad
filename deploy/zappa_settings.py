"""`zappa_settings.json`, filled from Terraform's output `zappa_settings`: what only Terraform knows, and no secret.

The repository holds the fixed part. What is filled is a file of its own (`settings_files`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.errors import UnableToShip

Stages = dict[str, dict[str, Any]]

FILLED = {
    *("s3_bucket", "aws_region", "role_arn", "vpc_config", "aws_environment_variables", "lambda_concurrency", "tags"),
}
"""The keys that Terraform may give a stage. A concurrency of null reserves none."""
NEEDED_TO_DEPLOY = {"s3_bucket", "aws_region", "role_arn", "vpc_config", "aws_environment_variables"}
FIXED_VARIABLES = {"DJANGO_SETTINGS_MODULE", "FUNCTION_DUTY", "INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT"}
"""Variables that the repository decides about. Terraform may repeat them, not change them."""
DEFAULT_VARIABLES = {"LOG_LEVEL"}
"""Variables that the repository has a value for, where Terraform gives none."""

_NAMES_OF_SECRETS = re.compile(
    r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|KEY|DATABASE_\w*URL|DSN", re.IGNORECASE
)
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z-]+:[a-z0-9-]*:[0-9]*:.+")
_SECRETS = [
    re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"\b(sk|rk|whsec)_[A-Za-z0-9_]{8,}"),
    re.compile(r"-----BEGIN "),
    re.compile(r"://[^/\s:@]*:[^/\s@]+@"),
    re.compile(r"\"(password|SECRET_KEY|STRIPE_API_KEY)\"\s*:", re.IGNORECASE),
]
# Long, and of capitals, small letters and digits without a separator that names and addresses have.
_RANDOM = re.compile(r"(?=\S*[0-9])(?=\S*[a-z])(?=\S*[A-Z])[A-Za-z0-9+/_=!#$%^&*~-]{20,}")


def stages_of(environment: str) -> list[str]:
    return [environment, f"{environment}_worker", f"{environment}_migrate"]


def with_stages(settings: Stages, *, environment: str) -> Stages:
    """The settings with the three stages of an environment that the file doesn't name: as production's are."""
    result = dict(settings)
    for stage, model in zip(stages_of(environment), stages_of("production"), strict=True):
        if stage not in result:
            variables = {
                name: value
                for name, value in settings[model]["aws_environment_variables"].items()
                if name in FIXED_VARIABLES | DEFAULT_VARIABLES
            }
            result[stage] = {"extends": model, "aws_environment_variables": variables}
    return result


def filled(*, settings: Stages, outputs: Mapping[str, Any], environment: str) -> Stages:
    """The settings with an environment's stages filled. `outputs` is the value of Terraform's `zappa_settings`.

    Raises UnableToShip for a stage that isn't one of the environment's three or is left out, a key that isn't
    Terraform's to give, a fixed variable with another value, and whatever looks like a secret.
    """
    wanted = stages_of(environment)
    for stage in wanted:
        if stage not in settings:
            raise UnableToShip(f"zappa_settings.json has no stage {stage}")
    if {*outputs} != {*wanted}:
        raise UnableToShip(f"the outputs hold the stages {sorted(outputs)}; {environment} has {sorted(wanted)}")
    result = {stage: dict(held) for stage, held in settings.items()}
    for stage in wanted:
        result[stage] = _filled_stage(stage=stage, held=settings[stage], given=outputs[stage])
    found = secrets_in(result)
    if found:
        raise UnableToShip("not filled, since this looks like a secret: " + ", ".join(found))
    return result


def _filled_stage(*, stage: str, held: Mapping[str, Any], given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise UnableToShip(f"{stage}: not an object")
    unknown = sorted(given.keys() - FILLED)
    if unknown:
        raise UnableToShip(f"{stage}: {', '.join(unknown)} isn't Terraform's to give")
    missing = sorted(NEEDED_TO_DEPLOY - given.keys())
    if missing:
        raise UnableToShip(f"{stage}: {', '.join(missing)} is missing")
    fixed = {name: value for name, value in held["aws_environment_variables"].items() if name in FIXED_VARIABLES}
    defaults = {name: value for name, value in held["aws_environment_variables"].items() if name in DEFAULT_VARIABLES}
    variables = given["aws_environment_variables"]
    for name, value in variables.items():
        if not isinstance(value, str):
            raise UnableToShip(f"{stage}: {name} isn't a string; Lambda takes only strings")
        if fixed.get(name, value) != value:
            raise UnableToShip(f"{stage}: {name} is {fixed[name]!r} here and can't be {value!r}")
    return {**held, **given, "aws_environment_variables": defaults | variables | fixed}


def secrets_in(settings: Mapping[str, Any]) -> list[str]:
    """Where the settings hold what looks like a secret: by the name of its place, never its value."""
    return sorted(
        place for place, value in _strings(settings, "") if _looks_like_a_secret(name=place.split(".")[-1], value=value)
    )


def _strings(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, held in value.items():
            yield from _strings(held, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for held in value:
            yield from _strings(held, place)
    elif isinstance(value, str):
        yield place, value


def _looks_like_a_secret(*, name: str, value: str) -> bool:
    if any(pattern.search(value) for pattern in _SECRETS):
        return True
    if _ARN.fullmatch(value):
        return False
    if _NAMES_OF_SECRETS.search(name):
        return bool(value)
    return bool(_RANDOM.fullmatch(value))


def as_text(settings: Stages) -> str:
    """As the file has it: sorted, so that the same settings are the same text."""
    return json.dumps(settings, indent=2, sort_keys=True) + "\n"

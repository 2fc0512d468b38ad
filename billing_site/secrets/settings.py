"""Settings that are secrets: from the environment on a local machine, from Secrets Manager on Lambda."""

from django.core.exceptions import ImproperlyConfigured

from billing_site.environment import Environment
from billing_site.secrets.store import secret_fields


def from_secret(env: Environment, name: str, *, arn_in: str, required: bool = False) -> str:
    """The setting `name` of the environment; without it, the field of that name in the secret that `arn_in` names.

    Empty when neither is set. Raises `ImproperlyConfigured` then if it is required, and `UnableToReadSecret`.
    """
    value: str = env.str(name, default="")
    arn: str = env.str(arn_in, default="")
    if value or (not arn and not required):
        return value
    if not arn:
        raise ImproperlyConfigured(f"There is no {name}: set {arn_in} to a secret that holds it, or {name}.")
    return secret_fields(arn=arn, names=(name,))[name]

"""The database in the settings: by URLs, or at a host with its credentials in Secrets Manager."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from billing_site.environment import Environment

SECRETS_BACKEND = "billing_site.database.postgresql"

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""As libpq names them, the strictest last."""

STATEMENT_SECONDS = {"api": 25, "worker": 240}
"""Less than the function's own timeout (29 and 300 seconds), so that the error names the statement."""
MIGRATION_LOCK_SECONDS = 10
"""A migration that waits for a table's lock blocks every later statement on that table."""
CONNECT_SECONDS = 3
UNANSWERED_MILLISECONDS = 10_000
"""An environment that slept may wake to a connection that is gone, and would wait for an answer for minutes."""


def configured_databases(*, env: Environment, duty: str) -> dict[str, dict[str, Any]]:
    """`default` is the application's, `owner` the owner's, which only the migrating function and a clone have.

    Raises `ImproperlyConfigured` for what is missing, or would verify less than it seems to.
    """
    by_url = bool(env.str("DATABASE_URL", default=""))
    if by_url and env.str("DATABASE_SSLROOTCERT", default=""):
        raise ImproperlyConfigured(
            "DATABASE_SSLROOTCERT isn't used with DATABASE_URL: put sslmode=verify-full and sslrootcert into the URL."
        )
    databases = _by_url(env) if by_url else _by_secret(env, duty=duty)
    databases["default"] |= {"CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60), "CONN_HEALTH_CHECKS": True}
    return databases


def _by_url(env: Environment) -> dict[str, dict[str, Any]]:
    databases = {"default": env.db("DATABASE_URL")}
    if env.str("DATABASE_OWNER_URL", default=""):
        databases["owner"] = env.db("DATABASE_OWNER_URL")
        # One test database, made by the owner and used through both roles.
        databases["default"]["TEST"] = {"MIRROR": "owner"}
    return databases


def _by_secret(env: Environment, *, duty: str) -> dict[str, dict[str, Any]]:
    """The migrating function has two secrets: its own is the owner's, and the other the application's."""
    own = env.str("DATABASE_SECRET_ARN", default="")
    application = env.str("DATABASE_APPLICATION_SECRET_ARN", default="")
    if not own or not env.str("DATABASE_HOST", default="") or not env.str("DATABASE_NAME", default=""):
        raise ImproperlyConfigured(
            "There is no database: set DATABASE_SECRET_ARN with DATABASE_HOST and DATABASE_NAME, or DATABASE_URL."
        )
    if not application:
        return {"default": _at_host(env, secret_arn=own, duty=duty)}
    return {
        "default": _at_host(env, secret_arn=application, duty=duty),
        "owner": _at_host(env, secret_arn=own, duty=duty),
    }


def _at_host(env: Environment, *, secret_arn: str, duty: str) -> dict[str, Any]:
    options = {
        **_tls(env),
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": UNANSWERED_MILLISECONDS,
        "application_name": f"billing-{duty or 'command'}",
    }
    if duty in STATEMENT_SECONDS:
        options["options"] = f"-c statement_timeout={STATEMENT_SECONDS[duty]}s"
    elif duty == "migrate":
        options["options"] = f"-c lock_timeout={MIGRATION_LOCK_SECONDS}s"
    return {
        "ENGINE": SECRETS_BACKEND,
        "HOST": env.str("DATABASE_HOST"),
        "PORT": env.int("DATABASE_PORT", default=5432),
        "NAME": env.str("DATABASE_NAME"),
        "SECRET_ARN": secret_arn,
        "OPTIONS": options,
    }


def _tls(env: Environment) -> dict[str, str]:
    """With no authority to hold it against, the server's certificate can't be verified: RDS signs with its own.

    And they sign for all of AWS's customers. A certificate of theirs for another host (`verify-ca`) is one that anybody
    with a database at RDS has.
    """
    authorities = env.str("DATABASE_SSLROOTCERT", default="")
    mode = "verify-full" if authorities else "require"
    if env.str("DATABASE_SSLMODE", default=""):
        mode = env.one_of("DATABASE_SSLMODE", SSL_MODES, default=mode)
    if authorities and mode != "verify-full":
        raise ImproperlyConfigured(
            f"DATABASE_SSLMODE is {mode}, which verifies too little by DATABASE_SSLROOTCERT, or nothing: unset it."
        )
    if not authorities and mode.startswith("verify-"):
        raise ImproperlyConfigured(
            f"DATABASE_SSLMODE is {mode}, and there is nothing to verify by: set DATABASE_SSLROOTCERT to a file of "
            "authorities."
        )
    return {"sslmode": mode, **({"sslrootcert": authorities} if authorities else {})}

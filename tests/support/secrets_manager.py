"""This process's own way to Secrets Manager, on moto's server."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from billing_site.database import credentials as database_credentials
from billing_site.secrets import store as secret_store
from localcloud.sqs.endpoint import REGION
from localcloud.sqs.server import local_sqs
from tests.support.lambdas.secrets import secrets_client


@contextmanager
def secrets_manager() -> Iterator[Any]:
    """A client of it, with what a function's environment would have, until the block ends; nothing is kept before."""
    with local_sqs() as endpoint, pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ENDPOINT_URL", endpoint.endpoint_url),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_DEFAULT_REGION", REGION),
        ):
            patch.setenv(name, value)
        forget()
        yield secrets_client(endpoint_url=endpoint.endpoint_url)
        forget()


def forget() -> None:
    """As a new environment, which has read nothing."""
    secret_store.client.cache_clear()
    database_credentials._kept.clear()

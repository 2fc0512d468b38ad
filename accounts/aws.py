"""Clients of AWS's services. By botocore, which boto3 wraps: with boto3 a start would load what copies files to S3."""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session


def aws_client(service: str, *, config: Config) -> Any:
    """A client of a service, by the process's credentials, region and `AWS_ENDPOINT_URL`."""
    return _session().create_client(service, config=config)


@cache
def _session() -> Session:
    """One for all clients: each would read the services' descriptions anew."""
    return get_session()

"""The AWS account that an environment is deployed to, and whose credentials these are."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from deploy.errors import UnableToShip
from deploy.variables import Variables

MAX_INVOCATION_SECONDS = 910
"""A migration's time on Lambda, and a little more."""
_EXPIRED = {
    *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException"),
    *("AuthFailure", "SignatureDoesNotMatch", "InvalidAccessKeyId"),
}
SIGN_IN = "the AWS credentials have expired or aren't valid: sign in again (aws sso login, or new keys)"


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """An account, in one region."""

    account: str
    region: str

    def client(self, service: str) -> Any:
        return _client(service, self.region)


def the_cloud(variables: Variables) -> Cloud:
    """Raises UnableToShip for credentials that are missing, expired or another account's."""
    with one_line_errors():
        account: str = _client("sts", variables.region).get_caller_identity()["Account"]
    if variables.account not in {None, account}:
        raise UnableToShip(
            f"the credentials are for the account {account}, and {variables.name} belongs to {variables.account}"
        )
    return Cloud(account=account, region=variables.region)


def _client(service: str, region: str) -> Any:
    # An invocation is never repeated by the client: what it began goes on.
    config = Config(read_timeout=MAX_INVOCATION_SECONDS, retries={"total_max_attempts": 1})
    return boto3.client(service, region_name=region, config=config if service == "lambda" else None)  # type: ignore[call-overload]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Raises UnableToShip for what AWS, or the way to it, answers with."""
    try:
        yield
    except NoCredentialsError as error:
        raise UnableToShip("there are no AWS credentials: sign in, or set AWS_PROFILE") from error
    except EndpointConnectionError as error:
        raise UnableToShip(f"AWS doesn't answer: {error}. Is the region right, and the network there?") from error
    except ClientError as error:
        raise UnableToShip(SIGN_IN if code_of(error) in _EXPIRED else str(error)) from error
    except BotoCoreError as error:
        expired = "SSO" in type(error).__name__ or "Token" in type(error).__name__
        raise UnableToShip(SIGN_IN if expired else str(error)) from error


def code_of(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])

"""What AWS, or the way to it, answers with is one clear line; and whose bucket the state is in."""

from pathlib import Path

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from deploy.cloud import SIGN_IN, Cloud, one_line_errors
from deploy.errors import UnableToShip
from deploy.infrastructure import Infrastructure
from deploy.state_bucket import state_bucket
from tests.support.deployments import some_variables
from tests.support.project_files import ROOT

CLOUD = Cloud(account="123456789012", region="us-east-1")


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said so"}}, "GetCallerIdentity")


class TestOneLineErrors:
    @pytest.mark.parametrize(
        "error",
        [
            client_error("ExpiredToken"),
            client_error("InvalidClientTokenId"),
            UnauthorizedSSOTokenError(),
            TokenRetrievalError(provider="sso", error_msg="gone"),
        ],
    )
    def test_ask_to_sign_in_again(self, error: Exception) -> None:
        with pytest.raises(UnableToShip) as refused, one_line_errors():
            raise error
        assert str(refused.value) == SIGN_IN

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (NoCredentialsError(), "there are no AWS credentials"),
            (EndpointConnectionError(endpoint_url="https://sts.eu-north-9.amazonaws.com"), "Is the region right"),
            (client_error("AccessDenied"), "AccessDenied"),
            (BotoCoreError(), "unspecified"),
        ],
    )
    def test_say_what_it_was(self, error: Exception, said: str) -> None:
        with pytest.raises(UnableToShip) as refused, one_line_errors():
            raise error
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)

    def test_hide_no_bug(self) -> None:
        with pytest.raises(KeyError), one_line_errors():
            raise KeyError("bug")


class TestStateBucket:
    def test_is_of_this_account(self, tmp_path: Path) -> None:
        backend = tmp_path / "backend.tf"
        backend.write_text('  bucket = "states"\n  region = "us-east-1"\n  allowed_account_ids = ["123456789012"]\n')
        assert state_bucket(cloud=CLOUD, backend=backend) == "states"
        with pytest.raises(UnableToShip, match=r"are for the account 210987654321, and terraform/backend.tf for 1234"):
            state_bucket(cloud=Cloud(account="210987654321", region="us-east-1"), backend=backend)

    def test_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UnableToShip, match=r"^terraform/backend.tf is missing: run `make bootstrap` first$"):
            state_bucket(cloud=CLOUD, backend=tmp_path / "none.tf")
        (tmp_path / "backend.tf").write_text("terraform {}\n")
        with pytest.raises(UnableToShip, match="names no bucket"):
            state_bucket(cloud=CLOUD, backend=tmp_path / "backend.tf")


class TestALockedState:
    def test_says_who_holds_it_and_what_unlocks_it(self) -> None:
        printed = """
Error: Error acquiring the state lock

Error message: operation error S3: PutObject, PreconditionFailed
Lock Info:
  ID:        b6a7e8f0-1111-2222-3333-444455556666
  Path:      states/billing/production.tfstate
  Operation: OperationTypeApply
  Who:       anna@laptop
  Version:   1.11.4
  Created:   2026-11-30 12:03:04.5 +0000 UTC
"""
        said = Infrastructure(variables=some_variables(), log=ROOT / "build" / "a.log")._refusal("apply", printed)
        assert said == (
            "the state is locked by anna@laptop since 2026-11-30 12:03:04.5 +0000 UTC: wait. If nothing runs there any "
            "more: terraform -chdir=terraform force-unlock b6a7e8f0-1111-2222-3333-444455556666"
        )

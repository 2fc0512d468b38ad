"""The check of the queue, and the message when it is refused. The rest is in test_cold_start.py."""

from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from django.db.migrations.loader import MigrationLoader

from billing_site.errors import UnableToStart
from billing_site.lambda_function import readiness


def refusing(code: str) -> Any:
    client = mock.Mock()
    client.get_queue_attributes.side_effect = ClientError(
        {"Error": {"Code": code, "Message": "for a reason"}}, "GetQueueAttributes"
    )
    return mock.patch("billing_site.lambda_function.readiness.aws_client", return_value=client)


class TestMigrations:
    def test_are_those_that_django_finds(self) -> None:
        assert {*readiness.migrations_of_this_release()} == {*MigrationLoader(None).disk_migrations}


class TestQueue:
    @pytest.mark.parametrize(
        "code",
        ["AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied", "KMS.AccessDeniedException"],
    )
    def test_that_denies_access_is_reported_with_how_to_fix_it(self, code: str) -> None:
        """Terraform allows the look: a denial is a wrong role, a wrong policy, or another environment's queue."""
        with refusing(code), pytest.raises(UnableToStart) as caught:
            readiness._refuse_queue()
        assert str(caught.value) == (
            "the queue in REBILLING_QUEUE_URL denies this function a look: is it this environment's queue, and do the "
            "function's role and the endpoint of SQS allow sqs:GetQueueAttributes, as Terraform has them?"
        )

    @pytest.mark.parametrize("code", ["AWS.SimpleQueueService.NonExistentQueue", "InvalidClientTokenId"])
    def test_that_cannot_be_used_is_reported(self, code: str) -> None:
        with refusing(code), pytest.raises(UnableToStart) as caught:
            readiness._refuse_queue()
        assert str(caught.value) == (
            f"the queue in REBILLING_QUEUE_URL can't be used: An error occurred ({code}) when calling the "
            "GetQueueAttributes operation: for a reason"
        )

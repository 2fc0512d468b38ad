"""Secrets Manager on moto's server: the product's secrets, and a rotation as Secrets Manager goes about it."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.secretsmanager.models import FakeSecret, secretsmanager_backends

from localcloud.sqs.endpoint import REGION

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


def secrets_client(*, endpoint_url: str) -> Any:
    return boto3.client(
        "secretsmanager",
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


@dataclass(frozen=True)
class Secret:
    """One secret at the endpoint, named anew each time."""

    client: Any
    arn: str = field(default="")

    @classmethod
    def made(cls, client: Any, content: object) -> "Secret":
        text = content if isinstance(content, str) else json.dumps(content)
        return cls(client, client.create_secret(Name=f"billing-{uuid.uuid4()}", SecretString=text)["ARN"])

    def value(self, stage: str = "AWSCURRENT") -> dict[str, str]:
        content: dict[str, str] = json.loads(
            self.client.get_secret_value(SecretId=self.arn, VersionStage=stage)["SecretString"]
        )
        return content

    def put(self, content: object) -> None:
        """A new current value, as a person writes it."""
        text = content if isinstance(content, str) else json.dumps(content)
        self.client.put_secret_value(SecretId=self.arn, SecretString=text)

    def begin_rotation(self) -> str:
        """A version that is pending and has no value: what Secrets Manager makes before it asks for the first step.

        moto makes the same, but only on its way through all four steps, with a function of its own Lambda.
        """
        token = str(uuid.uuid4())
        stored = secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets[self.arn]
        assert isinstance(stored, FakeSecret)
        stored.remove_version_stages_from_old_versions(["AWSPENDING"])
        stored.versions[token] = {"createdate": 0, "version_id": token, "version_stages": ["AWSPENDING"]}
        return token

    def rotation_event(self, *, step: str, token: str) -> dict[str, str]:
        return {"Step": step, "SecretId": self.arn, "ClientRequestToken": token}

    def labels(self, token: str) -> list[str]:
        found: dict[str, list[str]] = self.client.describe_secret(SecretId=self.arn)["VersionIdsToStages"]
        return sorted(found.get(token, []))

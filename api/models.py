"""API keys, counts of requests, and the answers stored for idempotent replay."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.ids import new_id


class Scope(models.TextChoices):
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    LEDGER_READ = "ledger:read"
    LEDGER_WRITE = "ledger:write"
    RUNS_READ = "runs:read"


class ApiKey(models.Model):
    """A client's key. Only its SHA-256 is stored; `prefix` is shown so that people can tell keys apart.

    A key that replaces another is of the same client, so that the client's requests are known across both.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client_id = models.UUIDField(default=new_id, editable=False)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    key_hash = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["key_hash"], name="api_key_hash_once"),
            models.CheckConstraint(condition=Q(scopes__contained_by=Scope.values), name="api_key_scopes_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}...)"

    @property
    def author(self) -> str:
        """How this key signs what it does."""
        return f"key:{self.name}:{self.prefix}"


class RequestCount(models.Model):
    """How many requests a client or an address made in a window of time. Its table isn't logged, and loses its rows
    in a crash or a failover: then counting begins anew. The hourly check deletes old rows.
    """

    subject = models.CharField(max_length=100, primary_key=True)
    window_start = models.DateTimeField()
    requests = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.subject}: {self.requests}"


class IdempotentAnswer(models.Model):
    """The answer that a request with an Idempotency-Key was given, stored in the transaction of its work.

    `location` is the address of what was made, or empty.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client_id = models.UUIDField()
    method = models.CharField(max_length=6)
    path = models.CharField(max_length=500)
    idempotency_key = models.CharField(max_length=255)
    body_hash = models.BinaryField(max_length=32)
    status_code = models.PositiveSmallIntegerField()
    content_type = models.CharField(max_length=100)
    content = models.BinaryField()
    location = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["client_id", "method", "path", "idempotency_key"], name="idempotent_answer_once"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # api/idempotency.py: answers old enough to be forgotten.
            models.Index(fields=["created_at"], name="idempotent_answer_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.idempotency_key}"

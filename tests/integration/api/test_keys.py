"""Keys, made and revoked by operations and by commands."""

import datetime
import uuid
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from accounts.errors import OperationError
from api.keys import (
    AmbiguousApiKey,
    UnableToCreateApiKey,
    UnknownApiKey,
    create_api_key,
    key_hash,
    replace_api_key,
    revoke_api_key,
)
from api.models import ApiKey
from tests.builders import NOW
from tests.support.databases import rolled_back


def _key(**changes: Any) -> tuple[ApiKey, str]:
    return create_api_key(**{"name": "crm", "scopes": ["accounts:read"], "expires_at": None, "now": NOW} | changes)


def _run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    with time_machine.travel(NOW, tick=False):
        call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@rolled_back
class TestCreateApiKey:
    def test_makes_a_secret_that_is_not_kept(self) -> None:
        key, secret = _key(scopes=["ledger:read", "accounts:read", "ledger:read"])
        assert (len(secret), secret[:12]) == (46, key.prefix)
        kept = ApiKey.objects.get()
        assert bytes(kept.key_hash) == key_hash(secret)
        assert kept.scopes == ["accounts:read", "ledger:read"]
        assert kept.author == f"key:crm:{secret[:12]}"

    def test_makes_another_one_each_time(self) -> None:
        assert len({_key()[1] for _ in range(20)}) == 20

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": " "}, "name"),
            ({"name": "x" * 101}, "name"),
            ({"name": "a\nb"}, "name"),
            ({"name": "a\0b"}, "name"),
            ({"scopes": []}, "scopes"),
            ({"scopes": ["accounts:read", "accounts:own"]}, "scopes"),
            ({"expires_at": NOW}, "expires_at"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, changes: dict[str, Any], field: str) -> None:
        with pytest.raises(UnableToCreateApiKey) as refused:
            _key(**changes)
        assert list(refused.value.errors) == [field]
        assert ApiKey.objects.count() == 0


@rolled_back
class TestReplaceApiKey:
    def test_is_of_the_same_client_with_the_same_name_and_scopes(self) -> None:
        old, _ = _key()
        other, _ = _key()
        new, secret = replace_api_key(prefix_or_id=old.prefix, now=NOW)
        assert (new.client_id, new.name, new.scopes, new.expires_at) == (old.client_id, "crm", ["accounts:read"], None)
        assert new.author == f"key:crm:{secret[:12]}"
        assert other.client_id != old.client_id
        old.refresh_from_db()
        assert (old.revoked_at, old.expires_at) == (None, None)

    def test_of_one_that_ends_must_end_too(self) -> None:
        end = NOW + datetime.timedelta(days=1)
        old, _ = _key(expires_at=end)
        with pytest.raises(UnableToCreateApiKey) as refused:
            replace_api_key(prefix_or_id=old.prefix, now=NOW)
        said = f"The key that it replaces ends at {end.isoformat()}: say when this one does (--expires DATE)."
        assert refused.value.errors == {"expires_at": said}
        assert ApiKey.objects.count() == 1
        new, _ = replace_api_key(prefix_or_id=old.prefix, expires_at=end + datetime.timedelta(days=90), now=NOW)
        assert new.expires_at == end + datetime.timedelta(days=90)
        old.refresh_from_db()
        assert (old.revoked_at, old.expires_at) == (None, end)

    def test_may_have_another_name_and_other_scopes(self) -> None:
        old, _ = _key()
        new, _ = replace_api_key(prefix_or_id=str(old.id), name="crm 2", scopes=["runs:read"], now=NOW)
        assert (new.client_id, new.name, new.scopes) == (old.client_id, "crm 2", ["runs:read"])

    def test_may_replace_one_that_is_revoked(self) -> None:
        old, _ = _key()
        revoke_api_key(prefix_or_id=old.prefix, now=NOW)
        assert replace_api_key(prefix_or_id=old.prefix, now=NOW)[0].client_id == old.client_id

    def test_refuses_what_names_no_key(self) -> None:
        with pytest.raises(UnknownApiKey):
            replace_api_key(prefix_or_id="sk_nobody", now=NOW)
        assert ApiKey.objects.count() == 0


@rolled_back
class TestRevokeApiKey:
    @pytest.mark.parametrize("name", ["prefix", "id"])
    def test_knows_a_key_by_its_prefix_or_id(self, name: str) -> None:
        key, _ = _key()
        _key()
        assert revoke_api_key(prefix_or_id=str(getattr(key, name)), now=NOW).id == key.id
        assert ApiKey.objects.filter(revoked_at=NOW).count() == 1

    def test_keeps_the_first_time(self) -> None:
        key, _ = _key()
        revoke_api_key(prefix_or_id=key.prefix, now=NOW)
        revoke_api_key(prefix_or_id=key.prefix, now=NOW + datetime.timedelta(days=1))
        assert ApiKey.objects.get().revoked_at == NOW

    @pytest.mark.parametrize("name", ["", "sk_", "crm", str(uuid.UUID(int=1))])
    def test_refuses_what_names_no_key(self, name: str) -> None:
        _key()
        with pytest.raises(UnknownApiKey):
            revoke_api_key(prefix_or_id=name, now=NOW)
        assert ApiKey.objects.filter(revoked_at=None).count() == 1

    def test_refuses_a_prefix_that_two_keys_share(self) -> None:
        key, _ = _key()
        other, _ = _key()
        ApiKey.objects.filter(id=other.id).update(prefix=key.prefix)
        with pytest.raises(AmbiguousApiKey):
            revoke_api_key(prefix_or_id=key.prefix, now=NOW)
        assert ApiKey.objects.filter(revoked_at=None).count() == 2

    def test_never_repeats_a_whole_key_that_was_given(self) -> None:
        _, secret = _key()
        with pytest.raises(OperationError) as refused:
            revoke_api_key(prefix_or_id=secret, now=NOW)
        assert secret not in refused.value.detail


@rolled_back
class TestCommands:
    def test_print_the_key_alone(self) -> None:
        out, err = _run("create_api_key", "crm", "--scope", "accounts:read", "ledger:read", "--scope", "runs:read")
        key = ApiKey.objects.get()
        assert bytes(key.key_hash) == key_hash(out.strip())
        assert key.scopes == ["accounts:read", "ledger:read", "runs:read"]
        assert out.strip() not in err
        assert "until it is revoked" in err

    def test_let_a_key_work_through_its_last_day(self) -> None:
        _, err = _run("create_api_key", "crm", "--scope", "accounts:read", "--expires", "2026-01-31")
        assert ApiKey.objects.get().expires_at == datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)
        assert "until 2026-02-01T00:00:00+00:00" in err

    def test_end_that_day_in_the_billing_time_zone(self, settings: Any) -> None:
        settings.BILLING_TIME_ZONE = "America/New_York"
        _run("create_api_key", "crm", "--scope", "accounts:read", "--expires", "2026-01-31")
        assert ApiKey.objects.get().expires_at == datetime.datetime(2026, 2, 1, 5, tzinfo=datetime.UTC)

    def test_replace_a_key_and_say_that_the_old_one_still_works(self) -> None:
        old, _ = _key()
        out, err = _run("create_api_key", "--replaces", old.prefix, "--expires", "2026-01-31")
        new = ApiKey.objects.exclude(id=old.id).get()
        assert bytes(new.key_hash) == key_hash(out.strip())
        assert (new.client_id, new.name, new.scopes) == (old.client_id, "crm", ["accounts:read"])
        assert new.expires_at == datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)
        assert f"revoke it when its client has this one (`manage.py revoke_api_key {old.prefix}`)" in err

    def test_replace_a_key_that_ends_by_one_that_does(self) -> None:
        old, _ = _key(expires_at=NOW + datetime.timedelta(days=1))
        with pytest.raises(CommandError, match=r"ends at 2026-.*: say when this one does \(--expires DATE\)"):
            _run("create_api_key", "--replaces", old.prefix)
        assert ApiKey.objects.count() == 1
        _run("create_api_key", "--replaces", old.prefix, "--expires", "2026-06-30")
        assert ApiKey.objects.exclude(id=old.id).get().expires_at == datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)

    def test_revoke_by_prefix(self) -> None:
        key, _ = _key()
        out, _ = _run("revoke_api_key", key.prefix)
        assert out == f"crm ({key.prefix}...) is revoked.\n"
        assert ApiKey.objects.get().revoked_at == NOW

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["create_api_key", " ", "--scope", "accounts:read"], "from 1 to 100 characters"),
            (["create_api_key", "crm"], "--scope"),
            (["create_api_key", "--scope", "accounts:read"], "NAME"),
            (["create_api_key", "--replaces", "sk_nobody"], "no such key"),
            (["create_api_key", "crm", "--scope", "everything"], "everything"),
            (["create_api_key", "crm", "--scope", "accounts:read", "--expires", "tomorrow"], "tomorrow"),
            (["create_api_key", "crm", "--scope", "accounts:read", "--expires", "9999-12-31"], "9999"),
            (["create_api_key", "crm", "--scope", "accounts:read", "--expires", "2025-12-31"], "future"),
            (["revoke_api_key", "sk_nobody"], "no such key"),
        ],
    )
    def test_refuse_with_a_clear_error(self, arguments: list[str], message: str) -> None:
        with pytest.raises(CommandError, match=message):
            _run(*arguments)
        assert ApiKey.objects.count() == 0

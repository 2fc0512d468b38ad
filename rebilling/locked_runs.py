"""Runs under their lock, and the accounts that are locked before one.

As a `LockedAccount` does, each of these types stands for a lock: nothing else makes them.
"""

import uuid
from typing import NewType

from django.db.models import QuerySet

from accounts.models import Account
from rebilling.models import Rebilling, Run

LockedRun = NewType("LockedRun", Run)
"""A run that the present transaction has locked, or inserted."""
LockedAccountIds = NewType("LockedAccountIds", frozenset[uuid.UUID])
"""The ids of accounts that the present transaction has locked, where nothing else of theirs is needed: a run may be of
very many.
"""


def lock_runs(runs: QuerySet[Run]) -> list[LockedRun]:
    """These runs in id order, locked until the transaction ends. What needs accounts, too, has locked them before."""
    return [LockedRun(run) for run in runs.select_for_update(no_key=True).order_by("id")]


def insert_run(run: Run) -> LockedRun:
    """Insert the run: nobody else sees it until the transaction ends."""
    run.save(force_insert=True)
    return LockedRun(run)


def lock_accounts_of_periods(periods: QuerySet[Rebilling]) -> LockedAccountIds:
    """The accounts of these periods, locked in id order until the transaction ends."""
    accounts = Account.objects.filter(id__in=periods.values("account_id"))
    locked = accounts.select_for_update(no_key=True).order_by("id").values_list("id", flat=True)
    return LockedAccountIds(frozenset(locked))

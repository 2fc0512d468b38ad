"""Calls that change one account, and answer with it as it is then."""

from collections.abc import Callable

from django.http import HttpResponse

from accounts.models import Account
from api.endpoints import Endpoint
from api.idempotency import Answer
from api.v1.account_answers import account_as_json


class AccountCall(Endpoint):
    """An endpoint whose calls change one account."""

    def account_after(self, change: Callable[[], Account], *, needs_key: str = "") -> HttpResponse:
        """Make the change, once for an Idempotency-Key, and answer with the account; `needs_key` as in `once`."""

        def work() -> Answer:
            return Answer(200, account_as_json(change(), today=self.today))

        return self.once(work, needs_key=needs_key)

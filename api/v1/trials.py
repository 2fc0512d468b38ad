"""Moving the end of an account's trial."""

import uuid
from functools import partial
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from api.fields import WordOrDay
from api.models import Scope
from api.schema import call
from api.v1.accounts import TAG
from api.v1.lifecycle import ReasonSerializer
from api.v1.new_periods import BilledAccountCall, BilledAccountSerializer
from subscriptions.effective_days import At
from subscriptions.trials import move_trial_end


class MoveTrialEndSerializer(ReasonSerializer):
    """When the trial ends instead."""

    ends_on = WordOrDay([At.NOW], help_text="The day of the first period, from today on; or `now`.")


class TrialEndpoint(BilledAccountCall):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "move_trial_end",
        tag=TAG,
        summary="Extend or end a trial",
        description="The first period begins on that day, and periods are counted from it. Ended now, it is billed at "
        "once.",
        scope=Scope.ACCOUNTS_WRITE,
        request=MoveTrialEndSerializer,
        response=BilledAccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[
            OpenApiExample("Two more weeks", {"ends_on": "2027-01-15", "reason": "Holidays."}, request_only=True),
        ],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        given = self.body(MoveTrialEndSerializer)
        ends_on = self.today if given["ends_on"] == At.NOW else given["ends_on"]

        return self.billed_account_after(
            partial(
                move_trial_end,
                account_id=account_id,
                ends_on=ends_on,
                reason=given["reason"],
                author=self.author,
                today=self.today,
                now=self.now,
            )
        )

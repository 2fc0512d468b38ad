"""The paths of the API."""

from django.urls import path

from api.docs import DocsView, SchemaView
from api.health import HealthEndpoint
from api.v1.accounts import AccountEndpoint, AccountsEndpoint
from api.v1.ledger import (
    AccountEntriesEndpoint,
    BalanceEndpoint,
    CreditsEndpoint,
    EntryEndpoint,
    ReversalsEndpoint,
)
from api.v1.lifecycle import CloseAccountEndpoint, ReopenAccountEndpoint
from api.v1.payments import AccountPaymentsEndpoint, PaymentEndpoint, RetryPaymentEndpoint
from api.v1.plans import PlanEndpoint, PlansEndpoint, RetirePlanEndpoint
from api.v1.refunds import PaymentRefundsEndpoint, RefundEndpoint
from api.v1.runs import RunEndpoint, RunsEndpoint
from api.v1.write_offs import WriteOffsEndpoint

urlpatterns = [
    path("healthz", HealthEndpoint.as_view()),
    path("v1/openapi.json", SchemaView.as_view(), name="api-schema"),
    path("v1/docs", DocsView.as_view(), name="api-docs"),
    path("v1/plans", PlansEndpoint.as_view()),
    path("v1/plans/<slug:code>", PlanEndpoint.as_view()),
    path("v1/plans/<slug:code>/retire", RetirePlanEndpoint.as_view()),
    path("v1/accounts", AccountsEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>", AccountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/close", CloseAccountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/reopen", ReopenAccountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/ledger", AccountEntriesEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/balance", BalanceEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/payments", AccountPaymentsEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/credits", CreditsEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/write-offs", WriteOffsEndpoint.as_view()),
    path("v1/ledger/<uuid:entry_id>", EntryEndpoint.as_view()),
    path("v1/ledger/<uuid:entry_id>/reversals", ReversalsEndpoint.as_view()),
    path("v1/payments/<uuid:payment_id>", PaymentEndpoint.as_view()),
    path("v1/payments/<uuid:payment_id>/retry", RetryPaymentEndpoint.as_view()),
    path("v1/payments/<uuid:payment_id>/refunds", PaymentRefundsEndpoint.as_view()),
    path("v1/refunds/<uuid:refund_id>", RefundEndpoint.as_view()),
    path("v1/runs", RunsEndpoint.as_view()),
    path("v1/runs/<uuid:run_id>", RunEndpoint.as_view()),
]

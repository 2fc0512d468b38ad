"""The paths of the API."""

from django.urls import path

from api.docs import docs, openapi
from api.health import HealthEndpoint
from api.v1.account_history import AccountHistoryEndpoint
from api.v1.accounts import AccountEndpoint, AccountsEndpoint
from api.v1.balances import BalanceEndpoint
from api.v1.credit_notes import CreditNoteEndpoint, CreditNotesEndpoint
from api.v1.credits import CreditsEndpoint
from api.v1.discounts import DiscountEndpoint, EndDiscountEndpoint
from api.v1.invoice_corrections import IssueCreditNoteEndpoint, WriteOffEndpoint
from api.v1.invoice_papers import InvoicePdfEndpoint
from api.v1.invoices import AccountInvoicesEndpoint, InvoiceEndpoint, InvoicesEndpoint, PayInvoiceEndpoint
from api.v1.items import ItemEndpoint, ItemsEndpoint, RemoveItemEndpoint
from api.v1.ledger import AccountEntriesEndpoint, EntriesEndpoint, EntryEndpoint, ReversalsEndpoint
from api.v1.lifecycle import CloseAccountEndpoint, LastInvoiceEndpoint, ReopenAccountEndpoint
from api.v1.pauses import PauseAccountEndpoint, ResumeAccountEndpoint, TakeBackEndpoint
from api.v1.payment_method_sessions import CompleteSessionEndpoint, OpenSessionEndpoint, SessionEndpoint
from api.v1.payments import AccountPaymentsEndpoint, PaymentEndpoint, PaymentsEndpoint
from api.v1.plans import PlanEndpoint, PlansEndpoint, RetirePlanEndpoint
from api.v1.rebillings import RebillingEndpoint, RebillingsEndpoint
from api.v1.refunds import PaymentRefundsEndpoint, RefundEndpoint, RefundsEndpoint
from api.v1.reversed_money import PaymentReversalEndpoint, RefundReversalEndpoint
from api.v1.runs import RunEndpoint, RunsEndpoint
from api.v1.tax_rates import TaxRateEndpoint, TaxRatesEndpoint
from api.v1.terms import TermsEndpoint, WithdrawTermsEndpoint
from api.v1.trials import TrialEndpoint
from api.v1.upcoming_invoices import UpcomingInvoiceEndpoint

urlpatterns = [
    path("healthz", HealthEndpoint.as_view()),
    path("v1/openapi.json", openapi, name="api-schema"),
    path("v1/docs", docs, name="api-docs"),
    path("v1/plans", PlansEndpoint.as_view()),
    path("v1/plans/<slug:code>", PlanEndpoint.as_view()),
    path("v1/plans/<slug:code>/retire", RetirePlanEndpoint.as_view()),
    path("v1/tax-rates", TaxRatesEndpoint.as_view()),
    path("v1/tax-rates/<uuid:tax_rate_id>", TaxRateEndpoint.as_view()),
    path("v1/accounts", AccountsEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>", AccountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/terms", TermsEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/terms/<uuid:terms_id>/withdraw", WithdrawTermsEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/close", CloseAccountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/reopen", ReopenAccountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/pause", PauseAccountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/resume", ResumeAccountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/take-back", TakeBackEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/trial", TrialEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/discount", DiscountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/discount/end", EndDiscountEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/items", ItemsEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/items/<uuid:item_id>", ItemEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/items/<uuid:item_id>/remove", RemoveItemEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/last-invoice", LastInvoiceEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/history", AccountHistoryEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/upcoming-invoice", UpcomingInvoiceEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/invoices", AccountInvoicesEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/payments", AccountPaymentsEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/payment-method-session", OpenSessionEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/payment-method-session/<uuid:session_id>", SessionEndpoint.as_view()),
    path(
        "v1/accounts/<uuid:account_id>/payment-method-session/<uuid:session_id>/complete",
        CompleteSessionEndpoint.as_view(),
    ),
    path("v1/accounts/<uuid:account_id>/credits", CreditsEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/ledger", AccountEntriesEndpoint.as_view()),
    path("v1/accounts/<uuid:account_id>/balance", BalanceEndpoint.as_view()),
    path("v1/invoices", InvoicesEndpoint.as_view()),
    path("v1/invoices/<uuid:invoice_id>", InvoiceEndpoint.as_view()),
    path("v1/invoices/<uuid:invoice_id>/pdf", InvoicePdfEndpoint.as_view()),
    path("v1/invoices/<uuid:invoice_id>/credit-notes", IssueCreditNoteEndpoint.as_view()),
    path("v1/invoices/<uuid:invoice_id>/write-off", WriteOffEndpoint.as_view()),
    path("v1/invoices/<uuid:invoice_id>/pay", PayInvoiceEndpoint.as_view()),
    path("v1/credit-notes", CreditNotesEndpoint.as_view()),
    path("v1/credit-notes/<uuid:credit_note_id>", CreditNoteEndpoint.as_view()),
    path("v1/payments", PaymentsEndpoint.as_view()),
    path("v1/payments/<uuid:payment_id>", PaymentEndpoint.as_view()),
    path("v1/payments/<uuid:payment_id>/refunds", PaymentRefundsEndpoint.as_view()),
    path("v1/payments/<uuid:payment_id>/reversal", PaymentReversalEndpoint.as_view()),
    path("v1/refunds", RefundsEndpoint.as_view()),
    path("v1/refunds/<uuid:refund_id>", RefundEndpoint.as_view()),
    path("v1/refunds/<uuid:refund_id>/reversal", RefundReversalEndpoint.as_view()),
    path("v1/ledger", EntriesEndpoint.as_view()),
    path("v1/ledger/<uuid:entry_id>", EntryEndpoint.as_view()),
    path("v1/ledger/<uuid:entry_id>/reversals", ReversalsEndpoint.as_view()),
    path("v1/rebillings", RebillingsEndpoint.as_view()),
    path("v1/rebillings/<uuid:rebilling_id>", RebillingEndpoint.as_view()),
    path("v1/runs", RunsEndpoint.as_view()),
    path("v1/runs/<uuid:run_id>", RunEndpoint.as_view()),
]

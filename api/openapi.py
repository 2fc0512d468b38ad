"""How drf-spectacular describes the API: its texts, and the names of its enumerations. Read before apps load."""

OPENAPI = {
    "TITLE": "Billing platform",
    "DESCRIPTION": "Accounts, their invoices and the ledger. Amounts are whole minor units beside a currency; dates "
    "are YYYY-MM-DD and go by the billing time zone; times are RFC 3339 in UTC. Errors are RFC 9457 problem details.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    # What may be left out of a change is optional in its serializer already.
    "COMPONENT_SPLIT_PATCH": False,
    "SERVERS": [{"url": "/", "description": "The host that this description comes from."}],
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "AccountStatus": "accounts.models.Account.Status",
        "BalanceUseKind": "invoices.models.BalanceUse.Kind",
        "CollectionMethod": "accounts.models.Account.CollectionMethod",
        "EntryType": "ledger.models.EntryType",
        "IntervalUnit": "accounts.models.Plan.Unit",
        "InvoiceStatus": "invoices.models.Invoice.Status",
        "LineKind": "invoices.models.InvoiceLine.Kind",
        "NotBilledReason": "subscriptions.sign_up.NoFirstInvoice",
        "OnDecline": "accounts.models.Account.OnDecline",
        "PaymentCause": "payments.models.Payment.Cause",
        "PaymentMethodSessionStatus": "payments.models.PaymentMethodSession.Status",
        "PaymentStatus": "payments.models.Payment.Status",
        "RebillingStatus": "rebilling.models.Rebilling.Status",
        "RefundSource": "payments.models.Refund.Source",
        "RefundStatus": "payments.models.Refund.Status",
        "RunKind": "rebilling.models.Run.Kind",
        "RunStatus": "rebilling.models.Run.Status",
        "SignUpBilling": "subscriptions.sign_up.Billing",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "api.schema.share_enums"],
}

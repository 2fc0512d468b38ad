"""Stripe's decline codes, and whether another attempt with the same payment method could help.

An unknown code is soft: a needless attempt costs less than a lost customer.
"""

from payments.gateways.port import Declined

NEVER_RETRIED = frozenset(
    {
        *("incorrect_number", "lost_card", "pickup_card", "stolen_card", "revocation_of_authorization"),
        *("revocation_of_all_authorizations", "highest_risk_level", "transaction_not_allowed"),
    }
)
"""Codes that Stripe's own billing doesn't retry
(https://docs.stripe.com/billing/revenue-recovery/smart-retries#non-retryable-decline-codes). Not among them here is
`authentication_required`: the card is good, and its bank may let a later attempt pass."""

CANT_CHANGE = frozenset({"card_not_supported", "currency_not_supported", "invalid_account", "stop_payment_order"})
"""Codes that the same card gives each time (https://docs.stripe.com/declines/codes)."""

DONT_TRY_AGAIN = "do_not_try_again"
"""The issuer's advice (https://docs.stripe.com/declines/card#retrying-issuer-declines)."""

REFUSED_BY_REQUEST = frozenset({"amount_too_small", "amount_too_large", "payment_method_unactivated"})
"""Codes of invalid requests that concern this charge, not our requests in general (https://docs.stripe.com/error-codes)."""
OF_THE_ACCOUNT = frozenset({"customer", "payment_method", "amount", "currency"})
"""Parameters from the account or its charge. A refusal because of one of these says nothing about other requests."""

REFUND_REFUSED = frozenset({"charge_already_refunded", "charge_disputed", "amount_too_large", "resource_missing"})
REFUND_CANT_ARRIVE = frozenset({"lost_or_stolen_card", "expired_or_canceled_card"})
"""Reasons of failed refunds for which another to the same card fails too (https://docs.stripe.com/refunds#failed-refunds)."""


def declined(*, code: str, advice: str = "") -> Declined:
    hard = code in NEVER_RETRIED or code in CANT_CHANGE or advice == DONT_TRY_AGAIN
    return Declined(code, hard=hard)

import datetime
import uuid
from dataclasses import replace

import pytest

from payments.gateways.port import PaymentRequest, Succeeded, contradiction

REQUEST = PaymentRequest(
    payment_id=uuid.UUID(int=1),
    amount_minor=900,
    currency="USD",
    customer="cus_1",
    payment_method="pm_1",
    description="Invoice",
    submitted_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
)
AS_ASKED = Succeeded.of(REQUEST, reference="pi_1")


class TestContradiction:
    def test_of_an_answer_to_the_request_is_none(self) -> None:
        assert contradiction(REQUEST, AS_ASKED) == ""

    def test_names_the_other_request(self) -> None:
        other = replace(AS_ASKED, key=uuid.UUID(int=2))
        assert contradiction(REQUEST, other) == f"the gateway answered for {other.key}, which is another request"

    @pytest.mark.parametrize(
        ("amount_minor", "currency", "moved"),
        [
            (901, "USD", "9.01 USD"),
            (900, "EUR", "9.00 EUR"),
            (900, "JPY", "900 JPY"),
            (900, "ZZZ", "900 minor units of ZZZ"),
        ],
    )
    def test_writes_amounts_as_money(self, amount_minor: int, currency: str, moved: str) -> None:
        answer = replace(AS_ASKED, amount_minor=amount_minor, currency=currency)
        assert contradiction(REQUEST, answer) == f"the gateway moved {moved}; we asked for 9.00 USD"

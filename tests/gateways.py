"""What a test's gateway answers unless it says otherwise."""

from payments.gateways import Answer, Finding, NotAttempted, NotFound, PaymentRequest, RefundRequest


class OnlyCollects:
    """A gateway that keeps no records and sends no money back."""

    def look_up(self, request: PaymentRequest, *, timeout_seconds: float) -> Finding:
        return NotFound()

    def refund(self, request: RefundRequest, *, timeout_seconds: float) -> Answer:
        return NotAttempted(reason="this gateway sends no money back")

    def look_up_refund(self, request: RefundRequest, *, timeout_seconds: float) -> Finding:
        return NotFound()

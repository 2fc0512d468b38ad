"""What a test's gateway answers by default."""

from payments.gateways.port import Answer, Finding, NotAttempted, NotFound, PaymentRequest, RefundRequest, Request


class OnlyCollects:
    """A gateway that keeps no records and sends no money back. Subclasses say how it collects."""

    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        return self.collect(request) if isinstance(request, PaymentRequest) else self.refund(request)

    def look_up(self, request: Request, *, timeout_seconds: float) -> Finding:
        return NotFound()

    def collect(self, request: PaymentRequest) -> Answer:
        raise NotImplementedError

    def refund(self, request: RefundRequest) -> Answer:
        return NotAttempted(reason="this gateway sends no money back")

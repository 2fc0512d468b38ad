"""What a test's gateway answers by default."""

from payments.gateways.port import Answer, Finding, NotAttempted, NotFound, PaymentRequest, RefundRequest, Request
from payments.gateways.sessions import (
    SessionAnswer,
    SessionFailed,
    SessionFinding,
    SessionOpened,
    SessionPending,
    SessionRequest,
)


class OpensSessions:
    """A gateway that opens each session, and whose customers give no payment method."""

    def open_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionAnswer:
        return SessionOpened(
            reference=f"opened-{request.session_id}",
            customer=request.customer or f"customer-{request.account_id}",
            client_secret=f"secret-{request.session_id}",
        )

    def look_up_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionFinding:
        return SessionPending()

    def end_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionFinding:
        return SessionFailed("canceled")


class OnlyCollects(OpensSessions):
    """A gateway that keeps no records and sends no money back. Subclasses say how it collects."""

    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        return self.collect(request) if isinstance(request, PaymentRequest) else self.refund(request)

    def look_up(self, request: Request, *, timeout_seconds: float) -> Finding:
        return NotFound()

    def collect(self, request: PaymentRequest) -> Answer:
        raise NotImplementedError

    def refund(self, request: RefundRequest) -> Answer:
        return NotAttempted(reason="this gateway sends no money back")

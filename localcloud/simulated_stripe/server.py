"""The simulated provider over HTTP, on 127.0.0.1 and any free port."""

import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from localcloud.simulated_stripe.faults import Fault, FaultPlan, Kind
from localcloud.simulated_stripe.provider import NoAnswer, SimulatedProvider
from localcloud.simulated_stripe.wire import Answer, Call, ErrorAnswer, answered, form, missing

CONTROL = "/_control/"
"""Below it, and without a key: `GET records`, `POST faults` with a plan as JSON, and `POST confirm` with a client
secret and a payment method, as a customer's browser gives one."""
MAX_BYTES = 1024 * 1024
IDLE_SECONDS = 60.0

_ROUTES = (
    ("POST", re.compile(r"/v1/payment_intents"), "payment.create"),
    ("GET", re.compile(r"/v1/payment_intents"), "payment.list"),
    ("GET", re.compile(r"/v1/payment_intents/(\w+)"), "payment.retrieve"),
    ("POST", re.compile(r"/v1/payment_intents/(\w+)/cancel"), "payment.cancel"),
    ("POST", re.compile(r"/v1/customers"), "customer.create"),
    ("POST", re.compile(r"/v1/setup_intents"), "setup_intent.create"),
    ("GET", re.compile(r"/v1/setup_intents/(\w+)"), "setup_intent.retrieve"),
    ("POST", re.compile(r"/v1/setup_intents/(\w+)/cancel"), "setup_intent.cancel"),
    ("POST", re.compile(r"/v1/payment_intents/(\w+)/confirm"), "payment.confirm"),
    ("POST", re.compile(r"/v1/refunds"), "refund.create"),
    ("GET", re.compile(r"/v1/refunds"), "refund.list"),
)


@contextmanager
def serving(provider: SimulatedProvider) -> Iterator[str]:
    """The address of the provider, while the block runs. Answers that are held then are dropped at its end.

    Served again, at another address, it has its records and keys still.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.provider = provider
    provider.closing.clear()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="provider", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        provider.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    provider: SimulatedProvider
    # Requests end by themselves within the time that answers are held; nothing needs to wait for them.
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone isn't worth a message."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    # Else an answer's second packet waits for the client's acknowledgement of the first.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._respond(params=form(urlsplit(self.path).query))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BYTES:
            self.close_connection = True
            return
        body = self.rfile.read(length).decode()
        if self.path.startswith(CONTROL):
            self._send(_control(self.server.provider, self.path, body))
        else:
            self._respond(params=form(body))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test reads the records instead."""

    def _respond(self, *, params: dict[str, Any]) -> None:
        path, provider = urlsplit(self.path).path, self.server.provider
        if path.startswith(CONTROL):
            self._send(_control(provider, path, None))
            return
        try:
            call = _call(self.command, path, params, key=self.headers.get("Idempotency-Key", ""))
            answer, fault = provider.answer(call, api_key=_bearer(self.headers.get("Authorization", "")))
        except ErrorAnswer as refusal:
            answer, fault = refusal.answer, None
        except NoAnswer as silence:
            self._be_silent(silence)
            return
        kind = fault.kind if fault else None
        if fault and kind == Kind.SLOW:
            provider.closing.wait(provider.seconds_of(fault))
        if kind == Kind.GARBAGE:
            answer = Answer(status=200, body=b"<html>It works!</html>")
        elif kind == Kind.EMPTY_OBJECT:
            answer = answered({})
        self._send(answer, gap_seconds=provider.seconds_of(fault) if fault and kind == Kind.DRIP else 0)

    def _send(self, answer: Answer, *, gap_seconds: float = 0) -> None:
        headers = {
            **answer.headers,
            "Content-Type": "application/json",
            "Content-Length": str(len(answer.body)),
            "Request-Id": "req_simulated",
        }
        head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        raw = "\r\n".join([*head, "", ""]).encode() + answer.body
        if not gap_seconds:
            self.wfile.write(raw)
            return
        for byte in raw:
            self.wfile.write(bytes([byte]))
            if self.server.provider.closing.wait(gap_seconds):
                self.close_connection = True
                return

    def _be_silent(self, silence: NoAnswer) -> None:
        self.server.provider.closing.wait(silence.seconds)
        self.close_connection = True
        if silence.reset:
            # With no time to linger, closing resets the connection.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


def _call(method: str, path: str, params: dict[str, Any], *, key: str) -> Call:
    for of_method, pattern, name in _ROUTES:
        if method == of_method and (match := pattern.fullmatch(path)):
            return Call(name=name, params=params, id=match[1] if match.groups() else "", key=key)
    raise missing(f"path: {path}", param="path", status=404)


def _bearer(authorization: str) -> str:
    return authorization.removeprefix("Bearer ")


def _control(provider: SimulatedProvider, path: str, body: str | None) -> Answer:
    """What other processes may see and do."""
    if path == f"{CONTROL}records" and body is None:
        provider.end_processing()
        return answered(provider.records.as_json())
    if path == f"{CONTROL}faults" and body is not None:
        plan = json.loads(body)
        provider.faults = FaultPlan(
            seed=plan.get("seed", 0),
            percent={Fault(**{**fault, "kind": Kind(fault["kind"])}): share for fault, share in plan["percent"]},
        )
        return answered({})
    if path == f"{CONTROL}confirm" and body is not None:
        given = json.loads(body)
        return provider.confirm(client_secret=given["client_secret"], payment_method=given["payment_method"])
    return missing(f"path: {path}", param="path", status=404).answer

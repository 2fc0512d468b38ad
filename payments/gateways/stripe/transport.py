"""HTTP to Stripe: one connection a request, over by a deadline, and certain about whether anything was sent.

The library's own clients can't replace this. Their time limits are for each wait on the socket, so that an answer that
comes byte by byte outlasts the lease. They raise the same error for a refused connection and for a lost answer, where
the one certainly moved no money. `tests/unit/payments/gateways/stripe/test_transport.py` shows both
(`TestLibrarysOwnClient`).
"""

import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from functools import cache
from http.client import HTTPConnection, HTTPException, IncompleteRead
from typing import Any, NoReturn, cast
from urllib.parse import SplitResult, urlsplit

import stripe

CONNECT_SECONDS = 5.0
"""For each address of a host, so that the others are tried in time."""
MAX_BYTES = 16 * 1024 * 1024
"""The largest answer. A page of 100 intents is a fraction of one MiB."""


class NotSent(stripe.APIConnectionError):
    """No connection was made during the whole call, so nothing was sent."""


class NotAnswered(stripe.APIConnectionError):
    """The request was sent, or a part of it, and no complete answer came."""


class Deadline:
    def __init__(self, *, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """The seconds that are left, more than zero. Raises TimeoutError when there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left

    def outlasts(self, *, seconds: float) -> bool:
        return self._ends - time.monotonic() > seconds


class DeadlineClient(stripe.HTTPClient):
    """For one call of the gateway, which may be several requests."""

    name = "deadline"

    def __init__(self, *, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline
        self._has_connected = False

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Raises NotSent and NotAnswered."""
        parts = urlsplit(url)
        try:
            connected = _connect(parts, self._deadline)
        except OSError as error:
            # After an earlier request of this call, the host isn't unreachable: most likely the deadline has passed.
            _raise(NotAnswered if self._has_connected else NotSent, error)
        self._has_connected = True
        with connected:
            try:
                wire = _Wire(connected, self._deadline)
                return _exchange(wire, method, parts, dict(headers or {}), post_data)
            except (OSError, HTTPException, ValueError) as error:
                _raise(NotAnswered, error)

    def close(self) -> None:
        """Nothing is kept open."""


def _raise(kind: type[stripe.APIConnectionError], error: Exception) -> NoReturn:
    raise kind(f"{type(error).__name__}: {error}") from error


def _connect(parts: SplitResult, deadline: Deadline) -> socket.socket:
    host, secure = parts.hostname or "", parts.scheme == "https"
    failed: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in _addresses(host, parts.port or (443 if secure else 80), deadline):
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(min(deadline.left(), CONNECT_SECONDS))
            connected.connect(address)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.settimeout(deadline.left())
            return _tls().wrap_socket(connected, server_hostname=host) if secure else connected
        except OSError as error:
            connected.close()
            failed = error
    raise failed


def _addresses(host: str, port: int, deadline: Deadline) -> list[Any]:
    """The host's addresses. Resolved in a thread, since that can't be given a time limit."""
    found: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as error:
            found.put(error)

    threading.Thread(target=resolve, name="name-lookup", daemon=True).start()
    try:
        addresses = found.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError(f"no address of {host} was found in time") from None
    if isinstance(addresses, OSError):
        raise addresses
    return addresses


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=stripe.ca_bundle_path)


def _exchange(
    wire: "_Wire", method: str, parts: SplitResult, headers: dict[str, str], body: str | None
) -> tuple[str, int, Mapping[str, str]]:
    connection = HTTPConnection(parts.hostname or "")
    connection.sock = cast("socket.socket", wire)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection.request(method.upper(), target, body, {**headers, "Host": parts.netloc, "Connection": "close"})
    response = connection.getresponse()
    content = response.read(MAX_BYTES + 1)
    if response.length or len(content) > MAX_BYTES:
        raise IncompleteRead(b"", response.length)
    # As the library's own clients do: it decodes bytes.
    return cast("str", content), response.status, dict(response.headers.items())


class _Wire:
    """A socket whose every step ends by the deadline; only what an HTTP connection needs of one."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket, self._deadline = connected, deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._deadline.left())
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self._socket, self._deadline))

    def close(self) -> None:
        """Whoever connected closes."""


class _Reading(io.RawIOBase):
    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._socket, self._deadline = connected, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self._deadline.left())
        return self._socket.recv_into(buffer)

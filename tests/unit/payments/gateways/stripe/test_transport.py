"""The transport against the answers of a plain socket, which no provider would give."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import stripe

from payments.gateways.stripe import transport
from payments.gateways.stripe.transport import Deadline, DeadlineClient, NotAnswered, NotSent

BODY = b"a=1"


@contextmanager
def server(*parts: bytes, gap_seconds: float = 0) -> Iterator[str]:
    """Sends `parts` to the first who connects, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connected, _ = listening.accept()
            with connected:
                received = b""
                # Closed with something unread, the connection would be reset.
                while not received.endswith(BODY):
                    received += connected.recv(65536)
                for part in parts:
                    try:
                        connected.sendall(part)
                    except OSError:
                        return
                    time.sleep(gap_seconds)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1/refunds"
        thread.join()


def answer_of(url: str, *, seconds: float = 5.0) -> tuple[Any, int]:
    client = DeadlineClient(deadline=Deadline(seconds=seconds))
    content, status, _ = client.request("post", url, {"Authorization": "Bearer sk_test_1"}, BODY.decode())
    return content, status


class TestAnswer:
    def test_is_read_whole_with_a_length_in_chunks_and_to_the_end(self) -> None:
        for answer in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n{}",
        ):
            with server(answer) as url:
                assert answer_of(url) == (b"{}", 200)

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTP/1.1 999999 Many\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        ],
        ids=lambda answer: repr(answer[:40]),
    )
    def test_that_is_cut_off_or_no_http_is_no_answer(self, answer: bytes) -> None:
        with server(answer) as url, pytest.raises(NotAnswered):
            answer_of(url)

    def test_that_is_too_large_is_no_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "MAX_BYTES", 10)
        for head in (b"Content-Length: 11\r\n", b""):
            with server(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n12345678901") as url, pytest.raises(NotAnswered):
                answer_of(url)

    @pytest.mark.parametrize(
        "parts",
        [
            [b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 100,
            [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"] + [b"x"] * 100,
        ],
        ids=["headers", "body"],
    )
    def test_that_comes_byte_by_byte_is_over_by_the_deadline(self, parts: list[bytes]) -> None:
        with server(*parts, gap_seconds=0.05) as url:
            began = time.monotonic()
            with pytest.raises(NotAnswered):
                answer_of(url, seconds=0.3)
            assert 0.3 <= time.monotonic() - began <= 1.5


class TestLibrarysOwnClient:
    """Why the adapter has its own: neither of these holds for the client that comes with the library."""

    def test_has_no_overall_deadline(self) -> None:
        """Its time limit is for each wait, so an answer that comes byte by byte outlasts it, and arrives."""
        parts = [b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"] + [b"x"] * 12
        with server(*parts, gap_seconds=0.1) as url:
            began = time.monotonic()
            content, status, _ = stripe.RequestsClient(timeout=0.3).request("post", url, {}, BODY.decode())
            assert (content, status) == (b"x" * 12, 200)
            assert time.monotonic() - began >= 1.0

    def test_raises_one_error_whether_or_not_the_request_was_sent(self) -> None:
        client = stripe.RequestsClient(timeout=5)
        with pytest.raises(stripe.APIConnectionError) as unsent:
            client.request("post", "http://127.0.0.1:9/v1/refunds", {}, BODY.decode())
        with server(b"") as url, pytest.raises(stripe.APIConnectionError) as unanswered:
            client.request("post", url, {}, BODY.decode())
        for raised in (unsent, unanswered):
            cause = raised.value.__cause__
            assert (type(raised.value), type(cause)) == (stripe.APIConnectionError, requests.ConnectionError)


class TestName:
    def test_that_is_not_resolved_by_the_deadline_means_that_nothing_was_sent(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        going = threading.Event()

        def hang(*args: Any, **kwargs: Any) -> Any:
            going.wait(5)
            raise OSError

        monkeypatch.setattr(socket, "getaddrinfo", hang)
        began = time.monotonic()
        with pytest.raises(NotSent):
            answer_of("http://api.stripe.example/v1/refunds", seconds=0.2)
        assert 0.2 <= time.monotonic() - began <= 1.5
        going.set()

    def test_with_a_dead_address_is_reached_by_the_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with server(b"HTTP/1.1 200 OK\r\n\r\n{}") as url, socket.socket() as dead:
            dead.bind(("127.0.0.1", 0))
            port = int(url.split(":")[2].split("/")[0])
            found = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
                for address in (dead.getsockname(), ("127.0.0.1", port))
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
            assert answer_of(url) == (b"{}", 200)


class TestDeadline:
    def test_that_has_passed_sends_nothing(self) -> None:
        with pytest.raises(NotSent):
            answer_of("http://127.0.0.1:9/v1/refunds", seconds=0)

    def test_that_passes_between_two_requests_says_nothing_about_the_host(self) -> None:
        """The first was answered. Were the host reported as unreachable, the whole batch would stop."""
        client = DeadlineClient(deadline=Deadline(seconds=0.5))
        with server(b"HTTP/1.1 200 OK\r\n\r\n{}") as url:
            assert client.request("post", url, {}, BODY.decode())[1] == 200
        with pytest.raises(NotAnswered):
            client.request("post", "http://127.0.0.1:9/v1/refunds", {}, BODY.decode())

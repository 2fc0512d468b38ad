"""The transport against servers that no provider would be: a plain socket's answers."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from payments.gateways import stripe_transport
from payments.gateways.stripe_transport import Deadline, DeadlineClient, NotAnswered, NotSent

BODY = b"a=1"


@contextmanager
def server(*parts: bytes, gap_seconds: float = 0) -> Iterator[str]:
    """Sends `parts` to the first who connects, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connected, _ = listening.accept()
            with connected:
                asked = b""
                # Closed with something unread, the connection would be reset.
                while not asked.endswith(BODY):
                    asked += connected.recv(65536)
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


def asked(url: str, *, seconds: float = 5.0) -> tuple[Any, int]:
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
                assert asked(url) == (b"{}", 200)

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
            asked(url)

    def test_that_is_too_large_is_no_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stripe_transport, "MOST_BYTES", 10)
        for head in (b"Content-Length: 11\r\n", b""):
            with server(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n12345678901") as url, pytest.raises(NotAnswered):
                asked(url)

    @pytest.mark.parametrize(
        "parts",
        [
            [b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 100,
            [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"] + [b"x"] * 100,
        ],
        ids=["headers", "body"],
    )
    def test_that_drips_is_over_by_the_deadline(self, parts: list[bytes]) -> None:
        with server(*parts, gap_seconds=0.05) as url:
            began = time.monotonic()
            with pytest.raises(NotAnswered):
                asked(url, seconds=0.3)
            assert 0.3 <= time.monotonic() - began <= 1.5


class TestName:
    def test_whose_look_up_hangs_is_given_up_and_nothing_was_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        going = threading.Event()

        def hang(*args: Any, **kwargs: Any) -> Any:
            going.wait(5)
            raise OSError

        monkeypatch.setattr(socket, "getaddrinfo", hang)
        began = time.monotonic()
        with pytest.raises(NotSent):
            asked("http://api.stripe.example/v1/refunds", seconds=0.2)
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
            assert asked(url) == (b"{}", 200)


class TestDeadline:
    def test_that_has_passed_sends_nothing(self) -> None:
        with pytest.raises(NotSent):
            asked("http://127.0.0.1:9/v1/refunds", seconds=0)

    def test_that_passes_between_two_requests_says_nothing_of_the_host(self) -> None:
        """The first was answered: a host that was away would be told as taking no requests, and stop a whole pack."""
        client = DeadlineClient(deadline=Deadline(seconds=0.5))
        with server(b"HTTP/1.1 200 OK\r\n\r\n{}") as url:
            assert client.request("post", url, {}, BODY.decode())[1] == 200
        with pytest.raises(NotAnswered):
            client.request("post", "http://127.0.0.1:9/v1/refunds", {}, BODY.decode())

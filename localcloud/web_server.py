"""The local web server: the product's WSGI application on loopback, a thread a connection."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from localcloud.ports import HOST, unable_to_listen


@contextmanager
def listening(*, port: int) -> Iterator[ThreadedWSGIServer]:
    """Takes the port while the block runs; connections wait until `serving`. Raises UnableToStart."""
    try:
        server = ThreadedWSGIServer((HOST, port), WSGIRequestHandler)
    except (OSError, OverflowError) as error:
        raise unable_to_listen(port=port, error=error) from error
    try:
        yield server
    finally:
        server.server_close()


@contextmanager
def serving(*, server: ThreadedWSGIServer) -> Iterator[None]:
    """Answers requests while the block runs."""
    server.set_app(application())
    thread = threading.Thread(target=server.serve_forever, name="web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def application() -> WSGIHandler:
    """The product. Static files come from the packages, so WhiteNoise needn't say that none are collected."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
        from billing_site.wsgi import application as loaded
    return loaded


def address(*, server: ThreadedWSGIServer) -> str:
    return f"http://{HOST}:{server.server_port}"

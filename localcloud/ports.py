"""The port that API and admin are served on."""

import errno
import socket

from localcloud.errors import UnableToStart

HOST = "127.0.0.1"
DEFAULT_PORT = 8000


def ensure_free(*, port: int) -> None:
    """Raises UnableToStart when the port can't be listened on. 0 means any port, and is always free."""
    with socket.socket() as listener:
        # As the server will: a port whose last connections are only just closed is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except (OSError, OverflowError) as error:
            raise unable_to_listen(port=port, error=error) from error


def unable_to_listen(*, port: int, error: Exception) -> UnableToStart:
    taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
    reason = "is taken" if taken else f"can't be used ({error})"
    return UnableToStart(f"port {port} of {HOST} {reason}: choose another with PORT= (make) or --port (manage.py)")

"""TLS in front of a PostgreSQL that has none, with a certificate of an authority made for the occasion."""

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""What a client sends first (PostgreSQL's protocol, "SSL Session Encryption"); one byte S says yes."""


@dataclass(frozen=True)
class Certificate:
    """Signed by itself, for `localhost`; a client that trusts `file` trusts it."""

    file: Path
    key: Path


def a_certificate(*, folder: Path, authority: bool = True) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    formats = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, *formats))
    return made


@contextmanager
def tls_in_front_of(*, port: int, certificate: Certificate) -> Iterator[int]:
    """A port that takes TLS and passes what comes on to another port of this machine, until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    with socket.create_server((HOST, 0)) as listening:
        thread = threading.Thread(target=_accept, args=(listening, context, port), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        # A listener that is closed under `accept` doesn't wake it; one that is shut down does.
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _accept(listening: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            threading.Thread(target=_serve, args=(listening.accept()[0], context, port), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with plain, contextlib.suppress(OSError):
        if plain.recv(len(SSL_REQUEST)) != SSL_REQUEST:
            return
        plain.sendall(b"S")
        with context.wrap_socket(plain, server_side=True) as client, socket.create_connection((HOST, port)) as server:
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)

"""The authorities that sign the database's certificate: RDS's own, in a file that an operator puts into the package.

Why they aren't in the repository: docs/decisions/0034-verified-tls.md.
"""

import ssl

BUNDLE = "certificates/rds.pem"
"""Where the file lies in a clone, and in the package."""


def fault_of(content: bytes) -> str:
    """Why nothing can be verified by a file with this content, to be said after its name; empty when it can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        # Comments between certificates may be of any characters.
        context.load_verify_locations(cadata=content.decode("ascii", errors="ignore"))
    except (ssl.SSLError, ValueError):
        return "isn't a bundle of certificates in PEM"
    if not context.cert_store_stats()["x509_ca"]:
        return "holds no certificate of an authority"
    return "holds a private key" if b"PRIVATE KEY-----" in content else ""

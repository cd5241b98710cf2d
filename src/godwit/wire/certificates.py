"""Certificates of the server: what TLS listeners show to those who come in (TLS-1, TLS-2)."""

from __future__ import annotations

import ssl
from pathlib import Path

from godwit.errors import InvalidSetting


def server_context(certificate: str | Path, key: str | Path = "") -> ssl.SSLContext:
    """Read a certificate with its chain, and its key, and make of them what a listener needs.

    Args:
        certificate: a PEM file, the server's own certificate first.
        key: a PEM file; empty: the key is in the file of the certificate.

    Raises:
        InvalidSetting: a file cannot be read, is not PEM, has a pass phrase, or the two do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A pass phrase would be asked for on the terminal: an empty one is wrong for every key that has one.
        context.load_cert_chain(certificate, key or None, password="")
    except ssl.SSLError as error:
        what = f"{certificate} and {key}" if key else str(certificate)
        raise InvalidSetting(
            f"the TLS certificate cannot be used: {what} must be PEM, belong together and have no pass phrase "
            f"({error.reason or error})"
        ) from error
    except OSError as error:
        raise InvalidSetting(
            f"the TLS certificate cannot be read: {error.strerror or error} ({error.filename or certificate})"
        ) from error
    return context

"""Certificates that can be used, and those that cannot (TLS-1)."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from godwit.errors import InvalidSetting
from godwit.local.certificate import own_certificate
from godwit.wire.certificates import server_context


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key."""
    return own_certificate(tmp_path, datetime.now(UTC))


def test_a_certificate_and_its_key(files: tuple[Path, Path]) -> None:
    context = server_context(*files)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE


def test_both_in_one_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(file.read_bytes() for file in files))
    assert server_context(both)


def _no_file(certificate: Path, key: Path) -> None:
    certificate.unlink()


def _no_key(certificate: Path, key: Path) -> None:
    key.write_text("")


def _no_pem(certificate: Path, key: Path) -> None:
    certificate.write_text("this is no certificate")


def _another_key(certificate: Path, key: Path) -> None:
    (key.parent / "other").mkdir()
    key.write_bytes(own_certificate(key.parent / "other", datetime.now(UTC))[1].read_bytes())


def _pass_phrase(certificate: Path, key: Path) -> None:
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    phrase = serialization.BestAvailableEncryption(b"secret")
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, phrase))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_no_file, "cannot be read: No such file"),
        (_no_key, "must be PEM"),
        (_no_pem, "must be PEM"),
        (_another_key, "belong together"),
        (_pass_phrase, "no pass phrase"),
    ],
)
def test_what_cannot_be_used(files: tuple[Path, Path], spoil: Callable[[Path, Path], None], told: str) -> None:
    spoil(*files)
    with pytest.raises(InvalidSetting, match=told):
        server_context(*files)

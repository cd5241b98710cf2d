"""A certificate of one's own (TLS-3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from godwit.local.certificate import LIFE, SPARE, own_certificate

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.row("TLS-3")
def test_it_is_for_this_machine(tmp_path: Path) -> None:
    certificate, key = own_certificate(tmp_path, NOW)
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert found.not_valid_before_utc < NOW < found.not_valid_after_utc
    assert key.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["godwit-tls.crt", "godwit-tls.key"]


@pytest.mark.row("TLS-3")
def test_it_is_kept_until_it_nears_its_end(tmp_path: Path) -> None:
    certificate, _ = own_certificate(tmp_path, NOW)
    first = certificate.read_bytes()
    own_certificate(tmp_path, NOW + LIFE - SPARE - timedelta(days=1))
    assert certificate.read_bytes() == first
    own_certificate(tmp_path, NOW + LIFE - SPARE + timedelta(days=1))
    assert certificate.read_bytes() != first


@pytest.mark.parametrize("spoiled", ["godwit-tls.crt", "godwit-tls.key"])
def test_what_is_missing_or_broken_is_made_anew(tmp_path: Path, spoiled: str) -> None:
    certificate, key = own_certificate(tmp_path, NOW)
    before = key.read_bytes()
    if spoiled == certificate.name:
        certificate.write_text("broken")
    else:
        key.unlink()
    own_certificate(tmp_path, NOW)
    assert key.read_bytes() != before
    assert x509.load_pem_x509_certificate(certificate.read_bytes())


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        own_certificate(tmp_path / "missing", NOW)

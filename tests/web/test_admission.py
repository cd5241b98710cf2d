"""Who gets in."""

from __future__ import annotations

import pytest

from godwit.web.admission import Admin, bearer, same


def test_an_empty_token_is_a_mistake() -> None:
    """It would let everybody in."""
    with pytest.raises(ValueError, match="empty"):
        Admin("")


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", ""), ("Bearer", ""), ("", "")],
)
def test_the_token_of_a_header(header: str, token: str) -> None:
    """RFC 6750: the scheme is in any case."""
    assert bearer(header) == token


def test_secrets_are_compared_whatever_they_hold() -> None:
    """Neither umlauts nor half a pair of surrogates make it fail."""
    assert same("geheim", "geheim")
    assert not same("g\xe4nse", "geheim")
    assert not same("\ud800", "geheim")


@pytest.mark.parametrize(
    ("headers", "trusted"),
    [
        ([(b"host", b"x"), (b"authorization", b"Bearer secret")], True),
        ([(b"authorization", b"Bearer other")], False),
        ([], False),
    ],
)
def test_a_request_that_carries_the_token_is_known_before_it_is_read(
    headers: list[tuple[bytes, bytes]], trusted: bool
) -> None:
    """Only such a one may be long."""
    assert Admin("secret").sent_it({"type": "http", "headers": headers}) is trusted

"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import rows
from tests.postgres import Databases, Postgres

# The same examples at each run, and no deadline: a busy machine is no failure.
settings.register_profile("godwit", derandomize=True, deadline=None)
settings.load_profile("godwit")

# Conformance suites are imported by the tests of each implementation; their assertions must explain themselves too.
pytest.register_assert_rewrite("tests.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of our own."""
    rows.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Parts of our own."""
    rows.register(config)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The databases of a real PostgreSQL, one for each process that tests."""
    server = Postgres()
    try:
        server.start()
        yield Databases(server)
    finally:
        server.remove()

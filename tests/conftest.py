"""What holds for all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The same examples at each run, and no deadline: a busy machine is no failure.
settings.register_profile("godwit", derandomize=True, deadline=None)
settings.load_profile("godwit")

# Conformance suites are imported by the tests of each implementation; their assertions must explain themselves too.
pytest.register_assert_rewrite("tests.conformance")

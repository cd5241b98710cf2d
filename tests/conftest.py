"""What holds for all tests."""

from __future__ import annotations

import pytest

# Conformance suites are imported by the tests of each implementation; their assertions must explain themselves too.
pytest.register_assert_rewrite("tests.conformance")

"""All vendors together cover all of our words; the counts are printed at the end of the run."""

import pytest

from schemas.vocabulary import Cause, Kind
from tests.providers.coverage import coverage
from tests.providers.coverage_line import COVERAGE_LINE


def test_every_kind_and_cause_is_reported_by_some_vendor(pytestconfig: pytest.Config) -> None:
    found = coverage()
    pytestconfig.stash[COVERAGE_LINE] = found.line()
    assert found.kinds == set(Kind)
    assert set(Cause) - found.causes == set()

"""Whoever adds contacts without saying what is known of their permission: a setting says it, by the caller."""

import pytest

from schemas.decision import Permission
from worker.settings.added_permission import added_permission, mistake_in


def test_the_callers_own_permission_goes_before_the_one_of_all() -> None:
    of = added_permission("stated", ("shop-plugin=none_needed", " crm = unknown ", "a=b=stated"))
    assert of("shop-plugin") is Permission.NONE_NEEDED
    assert of("crm") is Permission.UNKNOWN
    assert of("a=b") is Permission.STATED
    assert of("command") is Permission.STATED


@pytest.mark.parametrize("text", ["crm", "crm=", "=stated", "crm=perhaps", ""])
def test_what_is_not_a_name_and_a_permission_is_told(text: str) -> None:
    assert mistake_in(text) is not None
    assert mistake_in("crm=stated") is None

"""The one spelling of a campaign's id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.campaign import MOST_CAMPAIGN_CHARACTERS, campaign_name


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("spring", "spring"),
        ("  Spring 2026 ü\n", "Spring 2026 ü"),
        ("spr\x00\x1b\ufffding", "spring"),
        ("\x07 spring", "spring"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        (" \x00 ", None),
        ("", None),
    ],
)
def test_blanks_around_and_what_cannot_be_printed_go_and_the_rest_is_cut(told: str, name: str | None) -> None:
    assert campaign_name(told) == name


@given(st.text(max_size=300))
def test_a_name_is_its_own_spelling(told: str) -> None:
    name = campaign_name(told)
    if name is not None:
        assert campaign_name(name) == name
        assert name.isprintable()
        assert len(name) <= MOST_CAMPAIGN_CHARACTERS

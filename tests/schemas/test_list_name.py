"""Spellings of one list meet, and what names no list is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.list_name import fault_of_list_name, list_key, normalise_list_name, salvage_list_name

ACCENT, COMBINED = "Caf\u00e9", "Cafe\u0301"


@pytest.mark.parametrize("spelling", ["News", "news", " NEWS ", "\tnews\n"])
def test_case_and_blanks_around_make_no_other_list(spelling: str) -> None:
    assert list_key(spelling) == list_key("News")


def test_an_accent_written_as_one_sign_or_as_two_is_the_same_letter() -> None:
    assert list_key(ACCENT) == list_key(COMBINED.upper())
    assert normalise_list_name(f" {COMBINED} ") == ACCENT


@pytest.mark.parametrize("other", ["New", "News letter", "N\u0435ws", "news-2", ""])
def test_other_names_are_other_lists(other: str) -> None:
    """The third has a Cyrillic letter."""
    assert list_key("news") != list_key(other)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "is empty"),
        ("  \t", "is empty"),
        ("x" * 201, "has 201 characters; the limit is 200"),
        ("ne\x00ws", "holds a character that cannot be printed"),
        ("ne\nws", "holds a character that cannot be printed"),
        ("ne\u202ews", "holds a character that cannot be printed"),
        ("\ud800", "holds a character that cannot be printed"),
        (" News ", None),
        ("x" * 200, None),
        ("asm_group:17", None),
    ],
)
def test_a_fault_is_told(name: str, fault: str | None) -> None:
    assert fault_of_list_name(name) == fault


@given(st.text(max_size=300))
def test_what_an_esp_reports_is_kept_as_far_as_it_can_be(name: str) -> None:
    kept = salvage_list_name(name)
    if fault_of_list_name(name) is None:
        assert kept == normalise_list_name(name)
    if kept is None:
        assert not "".join(char for char in name if char.isprintable()).strip()
    else:
        assert fault_of_list_name(kept) is None
        assert salvage_list_name(kept) == kept


@given(st.text(max_size=50))
def test_the_key_of_a_key_is_itself(name: str) -> None:
    assert list_key(list_key(name)) == list_key(name)
    assert list_key(normalise_list_name(name)) == list_key(name)

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
        ("ne\u2028ws", "holds a character that cannot be printed"),
        ("ne\x85ws", "holds a character that cannot be printed"),
        ("\u200b\ufeff ", "is empty"),
        ("\u200d", "is empty"),
        ("ne\u202ews", None),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", None),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 Family", None),
        ("La\u00a0lettre", None),
        ("\ud800", "holds a character that cannot be printed"),
        (" News ", None),
        ("x" * 200, None),
        ("asm_group:17", None),
    ],
)
def test_a_fault_is_told(name: str, fault: str | None) -> None:
    assert fault_of_list_name(name) == fault


@pytest.mark.parametrize(
    "joined", ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f468\u200d\U0001f467 Family"]
)
def test_joiners_are_letters_of_a_name(joined: str) -> None:
    assert normalise_list_name(joined) == salvage_list_name(joined) == joined
    without = joined.replace("\u200c", "").replace("\u200d", "")
    assert list_key(joined) != list_key(without)


@pytest.mark.parametrize("mark", [*"\u00ad\u200b\u200e\u200f\u202a\u202e\u2066\u2069\ufeff"])
def test_unseen_marks_make_no_other_list(mark: str) -> None:
    spelling = f"{mark} Ne{mark}ws{mark}"
    assert normalise_list_name(spelling) == salvage_list_name(spelling) == "News"
    assert list_key(spelling) == list_key("News")


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

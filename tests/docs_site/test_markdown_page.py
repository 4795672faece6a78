"""A page reads on the site as it does in the repository."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.docs_site.markdown_page import site_page
from tests.docs.pages import REPOSITORY

POLICY = PurePosixPath("docs/policy.md")


def shown(text: str, page: PurePosixPath = POLICY) -> str:
    return site_page(text, page, REPOSITORY).rstrip("\n")


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("README.md", "[the policy](docs/policy.md#changing-it)", "[the policy](policy.md#changing-it)"),
        ("docs/policy.md", "[start](../README.md)", "[start](index.md)"),
        ("docs/providers/brevo.md", "[mail](../mail.md)", "[mail](../mail.md)"),
        ("README.md", "[all](docs/providers)", "[all](providers/README.md)"),
        ("README.md", '<img src="docs/rooms.svg" alt="">', '<img src="rooms.svg" alt="">'),
        ("docs/policy.md", "[page](https://example.org/x)", "[page](https://example.org/x)"),
        ("docs/policy.md", "[above](#changing-it)", "[above](#changing-it)"),
        ("docs/policy.md", "![rooms](rooms.svg)", "![rooms](rooms.svg)"),
    ],
)
def test_links_between_pages_lead_to_the_same_pages(page: str, text: str, expected: str) -> None:
    assert shown(text, PurePosixPath(page)) == expected


@pytest.mark.parametrize("target", ["../worker/policy", "../schemas/vocabulary.py", "../worker/policy/fold.py#fold"])
def test_a_link_to_the_source_becomes_its_text(target: str) -> None:
    assert shown(f"see [`the source`]({target}) for it") == "see `the source` for it"


def test_a_line_of_a_page_is_no_place_on_the_site() -> None:
    assert shown("[line](architecture.md#L12)") == "[line](architecture.md)"


def test_a_list_behind_a_paragraph_stands_apart() -> None:
    assert shown("These count:\n- one\n- two") == "These count:\n\n- one\n- two"
    assert shown("- one\n  more of it\n- two") == "- one\n  more of it\n- two"


@given(st.text(alphabet="-* \n[](a.md)#`x", max_size=80).filter(lambda text: "```" not in text))
def test_what_stands_in_a_fence_stays_as_it_is(text: str) -> None:
    block = "\n".join(["```sh", *text.splitlines(), "```"])
    assert shown(block) == block

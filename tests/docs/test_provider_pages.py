"""Each ESP has its page for the operator, and the page tells of every setting that the ESP's module knows."""

import re

import pytest

from schemas.source import Source
from tests.docs.pages import REPOSITORY
from worker.providers.registry import PROVIDERS


def options_of(provider: str) -> set[str]:
    """What a source of this provider may set beyond what all may: the module says so when it meets another."""
    problems = PROVIDERS[provider].check_source(Source(name="main", provider=provider, options={"invented": 1}))
    (told,) = [problem for problem in problems if problem.startswith("invented is not known")]
    known = re.search(r"it knows (.+)", told)
    return set(known[1].split(", ")) if known else set()


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_each_esp_has_a_page_that_tells_of_its_settings(provider: str) -> None:
    page = (REPOSITORY / "docs" / "providers" / f"{provider.replace('_', '-')}.md").read_text()
    assert f'provider = "{provider}"' in page
    for chapter in ("## Set up", "## Settings of its own", "## Try it", "## Traps"):
        assert chapter in page
    for option in options_of(provider):
        assert f"| `{option}` |" in page

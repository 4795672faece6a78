"""Pages made from the code are what the code says now."""

import pytest

from tests.docs.generated_pages import GENERATED
from tests.docs.pages import REPOSITORY


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_current(name: str) -> None:
    written = (REPOSITORY / name).read_text(encoding="utf-8")
    assert written == GENERATED[name](), f"run `python -m tests.docs.generated_pages` to write {name} anew"

"""Pages made from the code are what the code says now."""

import pytest

from tests.docs.generated_pages import GENERATED, common_fields_told
from tests.docs.pages import REPOSITORY


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_current(name: str) -> None:
    written = (REPOSITORY / name).read_text(encoding="utf-8")
    assert written == GENERATED[name](), f"run `python -m tests.docs.generated_pages` to write {name} anew"


def test_the_page_of_log_events_tells_of_every_common_field() -> None:
    assert common_fields_told()

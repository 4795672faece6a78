"""A contact with a long log, filled in once for all tests of a module."""

from collections.abc import AsyncIterator

import pytest

from tests.databases import Databases


@pytest.fixture(scope="module")
async def _filled(
    request: pytest.FixtureRequest, databases: Databases, template_with_months: str
) -> AsyncIterator[tuple[str, int]]:
    async with databases.filled(template_with_months, request.module.GIANT) as filled:
        yield filled


@pytest.fixture
def database_template(request: pytest.FixtureRequest, database_template: str) -> str:
    """Filled once for all that ask for the giant in it."""
    if "giant_id" not in request.fixturenames:
        return database_template
    name, _ = request.getfixturevalue("_filled")
    return str(name)


@pytest.fixture
def giant_id(_filled: tuple[str, int]) -> int:
    """The id of the contact that `GIANT` of the module has made."""
    return _filled[1]

"""The peer's statements fit the tables as they are now: otherwise it answers 500, and the contest has no figure."""

import ast
import re
from pathlib import Path

import asyncpg
import pytest

from tests.benchmarks.stored_rows import make_peer_table

_HANDLER = Path(__file__).parent / "peers" / "django_anymail" / "feedback_handler.py"


def _statements() -> dict[str, str]:
    """Read from its text: Django and django-anymail are in an environment of their own."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.parse(_HANDLER.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and node.value.value.lstrip().startswith(("INSERT", "UPDATE"))
    }


@pytest.mark.parametrize("name", _statements())
async def test_a_statement_of_the_peer_can_be_planned(name: str, database_dsn: str) -> None:
    await make_peer_table(database_dsn)
    connection = await asyncpg.connect(database_dsn)
    try:
        await connection.execute("EXPLAIN " + re.sub(r"%\(\w+\)s", "NULL", _statements()[name]))
    finally:
        await connection.close()


def test_the_peer_has_statements() -> None:
    assert len(_statements()) == 4

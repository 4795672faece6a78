import asyncpg
import pytest

from worker.store.named_statement import NamedStatement


async def test_values_go_to_the_places_of_their_names_in_whatever_order_they_are_given(postgres_dsn: str) -> None:
    statement = NamedStatement("SELECT :first::text || '-' || :second::text || '-' || :first::text AS joined")
    connection = await asyncpg.connect(postgres_dsn)
    assert await connection.fetchval(*statement(second="b", first="a")) == "a-b-a"
    await connection.close()


@pytest.mark.parametrize("parameters", [{}, {"id": 1}, {"id": 1, "state": "done", "by": "jane"}, {"id": 1, "stat": ""}])
def test_a_missing_or_unknown_name_is_an_error(parameters: dict[str, object]) -> None:
    statement = NamedStatement("UPDATE jobs SET state = :state WHERE id = :id")
    with pytest.raises(TypeError, match="takes state, id"):
        statement(**parameters)

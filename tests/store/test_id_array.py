"""Ids of many contacts as one parameter."""

import pytest

from worker.store.id_array import id_array
from worker.store.pool import Pool


@pytest.mark.parametrize("ids", [[], [7], [3, 1, 2], [2**63 - 1, -(2**63)]])
async def test_ids_arrive_in_the_database_as_they_are(pool: Pool, ids: list[int]) -> None:
    records = await pool.fetch("SELECT unnest($1::text::bigint[])", id_array(ids))
    assert [contact_id for (contact_id,) in records] == ids

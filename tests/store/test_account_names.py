"""Which accounts have contacts."""

from worker.store import account_names
from worker.store.account_names import account_has_contacts, accounts_with_contacts
from worker.store.pool import Pool


async def add_contacts(pool: Pool, account: str, count: int) -> None:
    await pool.execute(
        "INSERT INTO contacts (account, channel, address, first_seen_at)"
        " SELECT $1, 'email', n || '@example.org', now() FROM generate_series(1, $2::int) n",
        account,
        count,
    )


async def test_an_account_is_there_once_it_has_a_contact(pool: Pool) -> None:
    assert await accounts_with_contacts(pool, limit=10) == []
    for account in ("shop", "default", "Zoo", "ärger"):
        assert not await account_has_contacts(pool, account)
        await add_contacts(pool, account, 3)
        assert await account_has_contacts(pool, account)
    assert not await account_has_contacts(pool, "sho")
    assert not await account_has_contacts(pool, "shopp")
    assert set(await accounts_with_contacts(pool, limit=10)) == {"shop", "default", "Zoo", "ärger"}
    assert len(await accounts_with_contacts(pool, limit=2)) == 2


async def test_neither_question_reads_the_contacts_themselves(pool: Pool) -> None:
    """Also where the plan is made for any account, of which one holds nearly all contacts."""
    await add_contacts(pool, "default", 20_000)
    await add_contacts(pool, "shop", 1)
    await pool.execute("VACUUM ANALYZE contacts")
    async with pool.acquire() as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        for query, argument, name in ((account_names._NEXT, "'nosuch'", "text"), (account_names._NAMES, "10", "int")):
            await connection.execute(f"PREPARE asked ({name}) AS {query}")
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked ({argument})"))
            assert "Index Only Scan using contacts_account" in plan
            assert "Seq Scan" not in plan
            await connection.execute("DEALLOCATE asked")

"""What `GET /v1/overview` costs, for all accounts and for one, next to reading the same rows.

A busy window: a hundred accounts have had 170 status changes a second for ten minutes, behind nine times as many
older ones; each change has the bounce that made it. Asked without HTTP, so without the answers that the API keeps for
some seconds. The baseline is `COPY … TO` of the window's status changes, all or those of one account, thrown away.
"""

import time
from functools import partial

import asyncpg

from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Kind
from tests.benchmarks.benchmark import Bench, Measurement, Outcome
from worker.contacts.overview import TIMEOUT_SECONDS, overview
from worker.store.pool import Pool, open_pool

_ACCOUNTS = 100
_OLDER_FOR_EACH = 9
_ACCOUNT = "account-7"
_ASKED_A_ROUND = 5
_CONTACTS = f"""
    INSERT INTO contacts (account, channel, address, status, first_seen_at, latest_at, latest_key)
    SELECT 'account-' || n % {_ACCOUNTS}, 'email', 'person' || n || '@mail.example.com', 'blocklisted', now(), now(),
           sha256(n::text::bytea)
      FROM generate_series(1, $1::bigint) AS n
"""  # noqa: S608 - a constant
_WORDS = "INSERT INTO words (word) VALUES ('postmark') RETURNING id"
# The older ones come first, as in life; those of the window are dated ahead, so that none leaves it meanwhile.
_ENTRIES = """
    INSERT INTO entries (contact_id, occurred_at, received_at, rank, reader_version, machine, entry_key, provider,
        delivery_id, message_id, diagnostic)
    SELECT id, recorded_at, recorded_at, $1, 1, false, sha256(id::text::bytea), $2, gen_random_uuid(),
           'message-' || id, 'smtp;550 5.1.1 no such user here'
      FROM (SELECT id, {recorded_at} AS recorded_at FROM contacts) c ORDER BY id
"""
_CHANGES = """
    INSERT INTO status_changes (contact_id, recorded_at, since, old_status, new_status, old_blocks, new_blocks, cause,
        rule, event_key, delivery_id, actor, account, position)
    SELECT id, recorded_at, recorded_at, 'active', 'blocklisted', 'none', 'all', 'mailbox_does_not_exist',
           'bad_mailbox', sha256(id::text::bytea), gen_random_uuid(), 'events', account, id
      FROM (SELECT id, account, {recorded_at} AS recorded_at FROM contacts) c ORDER BY id
"""
_COPY = "SELECT * FROM status_changes WHERE recorded_at >= now() - interval '10 minutes'"


async def measure(bench: Bench) -> Outcome:
    """Milliseconds of an answer, and of the COPY."""
    in_window = bench.size(100_000, 2_000)
    bench.progress(f"overview: making {in_window * (_OLDER_FOR_EACH + 1):,} status changes")
    dsn = await bench.services.database("bench_overview")
    await _fill(dsn, in_window)
    pool = await open_pool(dsn, connections=1, command_timeout_seconds=60)
    outcome = Outcome()
    try:
        for who, account, rows in (
            ("all accounts", None, in_window),
            ("one account of a hundred", _ACCOUNT, in_window // _ACCOUNTS),
        ):
            await _ask(pool, account, rows)  # warms up, too
            figures = await bench.in_turns(
                f"overview, {who}",
                ("overview", partial(_ask, pool, account, rows)),
                ("COPY", partial(_copy, pool, account)),
                unit="ms",
            )
            outcome.measurements.append(
                Measurement(
                    what=f"overview of {who}, {rows:,} status changes in its ten minutes",
                    against="COPY … TO of these status changes",
                    unit="ms",
                    ours=figures[0],
                    baseline=figures[1],
                )
            )
    finally:
        await pool.close()
    return outcome


async def _fill(dsn: str, in_window: int) -> None:
    count = in_window * (_OLDER_FOR_EACH + 1)
    older = in_window * _OLDER_FOR_EACH
    recorded_at = (
        f"CASE WHEN id <= {older} THEN now() - interval '1 day' + id * interval '20 hours' / {older}"
        f" ELSE now() + (id - {older}) * interval '10 minutes' / {in_window} END"
    )
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_CONTACTS, count)
        provider = await connection.fetchval(_WORDS)
        entries, changes = (text.format(recorded_at=recorded_at) for text in (_ENTRIES, _CHANGES))
        await connection.execute(entries, KIND_RANKS[Kind.HARD_BOUNCE], provider)
        await connection.execute(changes)
        await connection.execute("VACUUM (FREEZE, ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _ask(pool: Pool, account: str | None, rows: int) -> float:
    """The mean of a few answers."""
    began = time.perf_counter()
    for _ in range(_ASKED_A_ROUND):
        answer = await overview(pool, account)
        if [(one.name, one.count) for one in answer.providers] != [("postmark", rows)]:
            raise RuntimeError(f"the overview counts {answer.providers}, and there are {rows} changes")
    return (time.perf_counter() - began) / _ASKED_A_ROUND * 1000


async def _copy(pool: Pool, account: str | None) -> float:
    # Also by its account's index, if there is one.
    question = _COPY if account is None else f"{_COPY} AND account = '{account}' AND position IS NOT NULL"

    async def throw_away(_data: bytes) -> None:
        pass

    began = time.perf_counter()
    for _ in range(_ASKED_A_ROUND):
        await pool.copy_from_query(question, output=throw_away, format="binary", timeout=TIMEOUT_SECONDS * 10)
    return (time.perf_counter() - began) / _ASKED_A_ROUND * 1000

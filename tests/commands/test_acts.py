"""Every act of a person is a row of `acts` and a line of the log, each with the name of who did it."""

import asyncio
import getpass
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from schemas.envelope import Envelope, new_delivery_id
from tests.commands.shell import Shell
from worker.contacts.policies import Policies, apply_policy, configure_policy
from worker.jobs.cancellation import cancel
from worker.jobs.policy_job import PolicyJob
from worker.jobs.runner import JobRunner
from worker.policy.policy_file import preset
from worker.process.backlog import Backlog
from worker.processor.discarding import discard
from worker.processor.endpoint_acts import enable, forget
from worker.store.dead_letters import SetAsideDelivery, list_dead_letters, put_aside
from worker.store.endpoint_states import follower_name
from worker.store.feed_followers import ensure_follower
from worker.store.pool import Pool, WriterPool

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ENDPOINT = """
[endpoints.crm]
url = "https://crm.example.org/"
secrets = ["whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="]
"""


async def acts(pool: Pool) -> list[tuple[str, str, str, bool]]:
    """What was done by whom, in order, and whether it has ended."""
    rows = await pool.fetch("SELECT what, actor, subject, finished_at IS NOT NULL AS ended FROM acts ORDER BY id")
    return [(row["what"], row["actor"], row["subject"], row["ended"]) for row in rows]


def jobs_done() -> float:
    return REGISTRY.get_sample_value("bouncekeeper_jobs_ended_total", {"kind": "policy", "outcome": "done"}) or 0.0


async def a_dead_letter(pool: Pool) -> int:
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source="mailgun-eu",
        provider="mailgun",
        account="default",
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=b"{}",
    )
    async with pool.acquire() as connection:
        await put_aside(
            connection, [SetAsideDelivery(envelope=envelope, reason="unreadable_payload", detail="why")], at=NOW
        )
    return (await list_dead_letters(pool))[-1].id


@pytest.mark.slow
async def test_each_command_that_changes_something_is_an_act_with_a_line(
    pool: WriterPool, database_dsn: str, tmp_path: Path
) -> None:
    shell = Shell(folder=tmp_path, dsn=database_dsn, configuration=ENDPOINT)
    await configure_policy(pool, preset("provider"), now=NOW)
    await ensure_follower(pool, follower_name("crm"))
    await ensure_follower(pool, follower_name("old-crm"))
    first, second = await a_dead_letter(pool), await a_dead_letter(pool)
    me = getpass.getuser()
    commands = [
        ("account.added", "accounts add shop --time-zone Europe/Berlin", "accounts add shop"),
        ("account.changed", "accounts set shop --summary-to jane@example.org", "accounts set shop"),
        ("token.created", "tokens create crm --account shop", "tokens create crm (id 1, reader)"),
        ("token.revoked", "tokens revoke crm", "tokens revoke crm (id 1)"),
        ("letters.discarded", f"dead-letters discard {first} --note test", f"dead-letters discard {first}"),
        ("letters.replayed", f"dead-letters replay {second}", f"dead-letters replay {second}"),
        ("endpoint.enabled", "endpoints enable crm --from-now", "endpoints enable crm from now"),
        ("endpoint.forgotten", "endpoints forget old-crm", "endpoints forget old-crm"),
        ("policy.applied", "policy apply --yes", "policy apply 2 recommended"),
        ("job.cancellation_requested", "jobs cancel 1", "jobs cancel 1"),
    ]
    for event, words, subject in commands:
        done = await shell.run(*words.split())
        assert done.status == 0, done
        lines = [json.loads(line) for line in done.errors.splitlines() if line.startswith("{")]
        (line,) = [line for line in lines if line["event"] == event]
        row = await pool.fetchrow("SELECT * FROM acts WHERE id = $1", line["act_id"])
        assert row is not None
        assert (line["actor"], row["actor"], row["what"], row["subject"]) == (me, me, "command", subject)
        assert row["finished_at"] is not None

    assert [subject for what, *_, subject, ended in await acts(pool) if what == "job" and not ended] == [
        "fold contacts again under policy 2"
    ]


async def test_an_act_that_changes_nothing_is_not_stored(pool: WriterPool) -> None:
    assert not await enable(pool, "unheard-of", actor="jane", now=NOW)
    assert not await forget(pool, "unheard-of", actor="jane", now=NOW)
    assert await discard(pool, [4711], actor="jane", note="a test", now=NOW) == []
    assert not await cancel(pool, 4711, actor="jane", now=NOW)

    assert await acts(pool) == []


async def test_a_job_is_an_act_of_who_asked_for_it_and_ends_with_it(
    pool: WriterPool, capsys: pytest.CaptureFixture[str]
) -> None:
    await configure_policy(pool, preset("provider"), now=NOW)
    await apply_policy(pool, preset("recommended"), now=NOW, by="jane")
    kind = PolicyJob(Policies(preset("recommended")), known_everywhere_seconds=0)
    before = jobs_done()

    await JobRunner(pool, {kind.name: kind}, backlog=Backlog()).work_off(asyncio.Event())

    assert await acts(pool) == [
        ("command", "jane", "policy apply 2 recommended", True),
        ("job", "jane", "fold contacts again under policy 2", True),
    ]
    assert jobs_done() == before + 1
    await asyncio.sleep(0)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    job_act = await pool.fetchval("SELECT act_id FROM jobs")
    told = {line["event"]: (line["actor"], line["act_id"]) for line in lines if line["event"].startswith("job.")}
    assert told == dict.fromkeys(["job.ended"], ("jane", job_act))

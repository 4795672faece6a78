"""Every act of a person is a row of `acts` and a line of the log, each with the name of who did it."""

import asyncio
import getpass
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from schemas.act_log_events import ACT_LOG_EVENTS
from schemas.envelope import Envelope, new_delivery_id
from schemas.vocabulary import Cause, Kind
from tests.commands.parser_tree import all_parsers
from tests.commands.shell import Shell
from tests.contacts.safelisting import report
from worker.contacts.accounts import make_accounts
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
# What looks after the program: the test below has their lines.
CHANGING = (
    *("accounts add x", "accounts set x", "tokens create x", "tokens revoke x", "dead-letters discard 1"),
    *("dead-letters replay 1", "endpoints enable x", "endpoints forget x", "policy apply --yes", "jobs cancel 1"),
)
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
    assert [_command(words) for _, words, _ in commands] == [_command(words) for words in CHANGING]
    for event, words, subject in commands:
        done = await shell.run(*words.split())
        assert done.status == 0, done
        lines = [json.loads(line) for line in done.errors.splitlines() if line.startswith("{")]
        (line,) = [line for line in lines if line["event"] in ACT_LOG_EVENTS]
        assert line["event"] == event
        row = await pool.fetchrow("SELECT * FROM acts WHERE id = $1", line["act_id"])
        assert row is not None
        assert (line["actor"], row["actor"], row["what"], row["subject"]) == (me, me, "command", subject)
        assert row["finished_at"] is not None

    assert [subject for what, *_, subject, ended in await acts(pool) if what == "job" and not ended] == [
        "fold contacts again under policy 2"
    ]


JANE, JOE = "jane@example.org", "joe@example.org"
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()
# What decides about contacts, in an order in which each changes something, and the line of it.
DECIDING = [
    ("act.finished", f"add {JANE} --permission stated --tag shop"),
    ("belongings.removed", f"remove {JANE} --tag shop"),
    ("act.finished", f"block {JANE} --reason test"),
    ("act.finished", f"lift {JANE} --reason test"),
    ("act.finished", f"unsubscribe {JANE} --reason test"),
    ("act.finished", f"decline {JANE} --reason test"),
    ("act.finished", f"opt-in {JANE} --source test --by-contact --double"),
    ("act.finished", f"do-not-contact {JANE} --reason test"),
    ("safelist.requested", f"safelist request {JOE} --reason test --who Joe --when {YESTERDAY} --how phone"),
    ("safelist.decided", "safelist approve 1"),
]
# Commands and actions that change nothing which a person decides, or whose lines other tests read.
OF_NO_PERSON = {
    *("up", "receiver", "processor", "api", "mailbox", "stack"),  # they run: process.started
    "migrate",  # database.upgraded: test_cli_migrate.py
    "demo",
    *("check", "why", "explain", "campaign", "person", "report", "watch", "mail-token", "unsubscribe-link"),
    *("policy show", "policy list", "accounts list", "accounts show", "tokens list", "dead-letters list"),
    *("dead-letters show", "jobs list", "jobs show", "jobs watch", "safelist list", "endpoints list"),
    *("sources list", "sources test", "sources try", "summary", "doctor", "postgres", "healthcheck"),
    "recheck",  # decision.made by the rules: the test below
    "safelist decline",  # as `approve`: tests/contacts/test_safelist.py
}


@pytest.mark.slow
async def test_each_command_that_decides_writes_one_line_of_its_act(pool: WriterPool, shell: Shell) -> None:
    await configure_policy(pool, preset("recommended"), now=NOW)
    await make_accounts(pool, ["shop-eu"], now=NOW, actor="the test")
    await report(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, address=JOE, account="shop-eu", ago=timedelta(days=3))
    me = getpass.getuser()
    for event, words in DECIDING:
        done = await shell.run(*words.split(), *([] if "approve" in words else ["--account", "shop-eu"]))
        lines = [json.loads(line) for line in done.errors.splitlines() if line.startswith("{")]
        acts_told = [line for line in lines if line["event"] in ACT_LOG_EVENTS and line["event"] != "decision.made"]
        assert [(line["event"], line["actor"]) for line in acts_told] == [(event, me)], (words, done)
        row = await pool.fetchrow("SELECT * FROM acts ORDER BY id DESC LIMIT 1")
        assert row is not None
        assert (row["id"], row["actor"]) == (acts_told[0]["act_id"], me), words
        assert row["finished_at"] is not None


def test_no_command_that_changes_something_is_forgotten_here() -> None:
    entries = [entry.words for entry in all_parsers()]
    leaves = {" ".join(one) for one in entries if not any(other[:-1] == one for other in entries)}
    tried = {_command(words) for _, words in DECIDING} | {_command(words) for words in CHANGING}
    assert leaves == tried | OF_NO_PERSON
    assert not tried & OF_NO_PERSON


def _command(words: str) -> str:
    first, second, *_ = words.split()
    return f"{first} {second}" if any(entry.words == (first, second) for entry in all_parsers()) else first


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
    assert told == dict.fromkeys(["job.started", "job.ended"], ("jane", job_act))

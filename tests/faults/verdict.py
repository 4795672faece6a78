"""Was every promise kept? Compares the database with a run of the same entries in order, by one process."""

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack

import aio_pika
import asyncpg
from aio_pika.abc import AbstractConnection
from msgspec import Struct

from schemas.decision import Decision
from schemas.entry import Entry
from schemas.lane import Lane
from schemas.queue_topology import CONTACTS_EXCHANGE, DEAD_QUEUE, SHARED_LANES, lane_queue
from schemas.vocabulary import FREE_STATUSES
from tests.faults.clicks import click_events, judge_clicks
from tests.faults.deciders import DecisionOutcome
from tests.faults.decision_verdict import judge_decisions
from tests.faults.decision_workload import DecisionCall
from tests.faults.workload import Webhook
from tests.stored_contacts import all_contacts
from tests.waiting import until
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.fold import fold_all
from worker.policy.policy_file import recommended_policy
from worker.policy.standing import standing
from worker.store.contact_rows import ContactRow
from worker.store.overview import backlogs
from worker.store.pool import Connection, set_codecs
from worker.store.stored_entries import stored_entries_by_contact

POLICY = recommended_policy()
ANNOUNCEMENTS = "drill.announcements"
_CONTACTS_AT_ONCE = 1_000


class Verdict(Struct, kw_only=True):
    """The figures of a drill, and every promise that was broken."""

    events: int = 0
    clicks: int = 0  # of the events
    decisions: int = 0
    acts: int = 0
    contacts: int = 0
    status_changes: int = 0
    announcements: int = 0
    taken_back: int = 0  # announced, and in no history: only where a server was lost with what it alone had
    broken: list[str] = []


async def listen_to_announcements(rabbitmq_url: str) -> None:
    """A durable queue gathers every status change, as an application's would."""
    async with await aio_pika.connect(rabbitmq_url) as broker:
        channel = await broker.channel()
        exchange = await channel.declare_exchange(CONTACTS_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(ANNOUNCEMENTS, durable=True)
        await queue.bind(exchange, "contact.status.#")


async def wait_until_drained(dsn: str, rabbitmq_url: str | None, *, seconds: float, quiet_seconds: float = 0) -> None:
    """Returns when nothing waits, parks, or is yet to be announced, and nothing was stored for quiet_seconds.

    What is lent to processors is in no queue: while they run, they show by storing that they have something in hand.
    """
    left = ""
    stored, since = -1, time.monotonic()
    async with AsyncExitStack() as stack:
        connection = await asyncpg.connect(dsn)
        stack.push_async_callback(connection.close)
        broker = await stack.enter_async_context(await aio_pika.connect(rabbitmq_url)) if rabbitmq_url else None

        async def is_quiet() -> bool:
            nonlocal left, stored, since
            parked = await connection.fetchval("SELECT count(*) FROM parked_deliveries")
            announcements = sum(backlog.waiting for backlog in await backlogs(connection))
            lanes = [Lane.of_name(name) for (name,) in await connection.fetch("SELECT name FROM queue_lanes")]
            waiting = [] if broker is None else await _waiting_in(broker, lanes)
            count = await connection.fetchval("SELECT count(*) FROM log")
            left = f"{waiting} parcels in RabbitMQ, {parked} parked ones, {announcements} announcements"
            if parked or announcements or any(waiting) or count != stored:
                stored, since = count, time.monotonic()
            return not (parked or announcements or any(waiting)) and time.monotonic() - since >= quiet_seconds

        await until(is_quiet, "all to be stored", seconds=seconds, every_seconds=0.2, show=lambda: left)


async def _waiting_in(broker: AbstractConnection, lanes: Sequence[Lane]) -> list[int]:
    """How many parcels each queue holds."""
    channel = await broker.channel()
    waiting = [
        (await channel.declare_queue(name, passive=True)).declaration_result.message_count or 0
        for name in (*map(lane_queue, (*SHARED_LANES, *lanes)), DEAD_QUEUE)
    ]
    await channel.close()
    return waiting


async def judge(
    dsn: str,
    rabbitmq_url: str | None,
    webhooks: Sequence[Webhook],
    accepted: Collection[int],
    *,
    calls: Sequence[DecisionCall] = (),
    decided: DecisionOutcome | None = None,
    may_take_back: bool = False,
) -> Verdict:
    """Checks each promise; the processors have ended, so that what is lent to them counts as waiting.

    With may_take_back, a server was lost that alone had some of the changes that it announced.
    """
    verdict = Verdict()
    connection = await asyncpg.connect(dsn)
    try:
        await set_codecs(connection)
        async with connection.transaction():
            rows = await all_contacts(connection)
        logs = await _stored_logs(connection, rows)
        decisions = [entry for log in logs.values() for entry in log if isinstance(entry, Decision)]
        keys = [key for (key,) in await connection.fetch("SELECT entry_key FROM log")]
        clicks = click_events([entry for log in logs.values() for entry in log])
        verdict.clicks = len(clicks)
        verdict.broken += judge_clicks(webhooks, accepted, clicks, await _changes_by_address(connection))
        _check_events(verdict, keys, webhooks, accepted, [*decisions, *clicks])
        of_decisions = await judge_decisions(connection, calls, decided or DecisionOutcome())
        verdict.acts, verdict.decisions = of_decisions.acts, of_decisions.decisions
        verdict.broken += of_decisions.broken
        _check_contacts(verdict, rows, _entries_by_contact(webhooks, [*decisions, *clicks], set(keys)))
        _check_logs(verdict, rows, logs)
        await _check_history(verdict, connection, rows)
        if dead := await connection.fetchval("SELECT count(*) FROM dead_letters"):
            verdict.broken.append(f"{dead} deliveries were set aside, though each is sound")
    finally:
        await connection.close()
    if rabbitmq_url is not None:
        await _check_announcements(verdict, rabbitmq_url, dsn, may_take_back=may_take_back)
    return verdict


async def _stored_logs(connection: Connection, rows: Sequence[ContactRow]) -> dict[int, list[Entry]]:
    """What is stored of each contact, by its id."""
    logs: dict[int, list[Entry]] = {}
    for place in range(0, len(rows), _CONTACTS_AT_ONCE):
        ids = [row.id for row in rows[place : place + _CONTACTS_AT_ONCE]]
        logs.update(await stored_entries_by_contact(connection, ids))
    return logs


def _check_events(
    verdict: Verdict,
    keys: Sequence[bytes],
    webhooks: Sequence[Webhook],
    accepted: Collection[int],
    judged_elsewhere: Sequence[Entry],
) -> None:
    unique = set(keys)
    stored = unique - {entry.event_key for entry in judged_elsewhere}
    verdict.events = len(stored) + verdict.clicks
    if len(unique) != len(keys):
        verdict.broken.append(f"{len(keys) - len(unique)} entries are stored twice")
    promised = {event.event_key for number in accepted for event in webhooks[number].events}
    if lost := promised - stored:
        verdict.broken.append(f"{len(lost)} events were answered 200 and are not in effect")
    if invented := stored - {event.event_key for webhook in webhooks for event in webhook.events}:
        verdict.broken.append(f"{len(invented)} events are stored that nobody sent")


async def _changes_by_address(connection: Connection) -> dict[str, int]:
    """How many lines the history of each contact has."""
    counted = await connection.fetch(
        "SELECT address, count(*) FROM status_changes JOIN contacts ON contacts.id = contact_id GROUP BY address"
    )
    return {line["address"]: line["count"] for line in counted}


def _entries_by_contact(
    webhooks: Sequence[Webhook], as_stored: Sequence[Entry], stored: set[bytes]
) -> dict[str, list[Entry]]:
    """What happened to each contact, once each: all that is stored, for what had no answer may be, too."""
    by_contact: dict[str, dict[bytes, Entry]] = {}
    for webhook in webhooks:
        for event in webhook.events:
            if event.event_key in stored and event.address:
                by_contact.setdefault(event.address, {})[event.event_key] = event
    for entry in as_stored:
        if entry.address:
            by_contact.setdefault(entry.address, {})[entry.event_key] = entry
    return {address: list(entries.values()) for address, entries in by_contact.items()}


def _check_contacts(verdict: Verdict, rows: Sequence[ContactRow], happened: dict[str, list[Entry]]) -> None:
    verdict.contacts = len(rows)
    if {row.address for row in rows} != set(happened):
        verdict.broken.append("the contacts are not those that the entries name")
    for row in rows:
        expected = fold_all(Facts(), happened.get(row.address, []), POLICY)
        shown = standing(expected, POLICY, row.latest_at or row.first_seen_at)
        if facts_from_row(row) != expected:
            verdict.broken.append(f"{row.address}: the facts differ from a run in order")
        elif (row.status, row.blocks, row.cause) != (shown.status, shown.blocks, shown.cause):
            verdict.broken.append(f"{row.address} is {row.status}, in order it would be {shown.status}")


def _check_logs(verdict: Verdict, rows: Sequence[ContactRow], logs: Mapping[int, Sequence[Entry]]) -> None:
    """The stored log, folded anew, comes to the stored facts."""
    for row in rows:
        if fold_all(Facts(), logs.get(row.id, []), POLICY) != facts_from_row(row):
            verdict.broken.append(f"{row.address}: the facts differ from the stored log, folded anew")


async def _check_history(verdict: Verdict, connection: Connection, rows: Sequence[ContactRow]) -> None:
    """Each line of a contact's history begins where the one before it ended, and the last one is true now."""
    last: dict[int, str] = {}
    lines = await connection.fetch("SELECT contact_id, old_status, new_status FROM status_changes ORDER BY id")
    verdict.status_changes = len(lines)
    for contact_id, old, new in lines:
        before = last.get(contact_id, "new")
        if before != old and not {before, old} <= FREE_STATUSES:
            verdict.broken.append(f"the history of contact {contact_id} goes from {before} to {old} without a line")
        last[contact_id] = new
    for row in rows:
        shown = last.get(row.id, "new")
        if shown != row.status and not {shown, row.status} <= FREE_STATUSES:
            verdict.broken.append(f"the history of contact {row.id} ends with {shown}, its status is {row.status}")


async def _check_announcements(verdict: Verdict, rabbitmq_url: str, dsn: str, *, may_take_back: bool) -> None:
    """Every line of the history was announced, at least once, and nothing else."""
    announced: set[str | None] = set()
    async with await aio_pika.connect(rabbitmq_url) as broker:
        channel = await broker.channel()
        queue = await channel.get_queue(ANNOUNCEMENTS)
        while (message := await queue.get(no_ack=True, fail=False)) is not None:
            announced.add(message.message_id)
    connection = await asyncpg.connect(dsn)
    try:
        lines = {str(line) for (line,) in await connection.fetch("SELECT message_id FROM status_changes")}
    finally:
        await connection.close()
    verdict.announcements = len(announced)
    verdict.taken_back = len(announced - lines)
    if missing := lines - announced:
        verdict.broken.append(f"{len(missing)} of {len(lines)} status changes were not announced")
    if verdict.taken_back and not may_take_back:
        verdict.broken.append(f"{verdict.taken_back} status changes were announced that are in no history")

"""From a real mailbox into a real queue: what is settled is queued, and what is not queued lies where it was."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.envelope import Envelope, decode_envelope, decode_parcel
from schemas.lane import SHARED_LANE, Lane
from schemas.source import Source
from tests.captured_lines import capture_logs
from tests.mailbox.imap_server import ImapServer
from tests.waiting import stays
from worker.errors import ImpossibleSetting, MailboxUnavailable, QueueUnavailable
from worker.mailbox.dkim_check import KeyLookup, LookupFailed
from worker.mailbox.mailbox_fetcher import Limits, MailboxFetcher, waiting_mails
from worker.providers.mail.imap_options import ImapMailbox
from worker.providers.mail.mail_webhook import DELIVERED_AT_HEADER
from worker.queue.postgres import PostgresReader, PostgresWriter

pytestmark = pytest.mark.slow

LIMITS = Limits(timeout_seconds=10, max_message_bytes=10_000)
SOURCE = Source(name="mail", provider="mail", account="shop")


def mail(number: int = 1, size: int = 0) -> bytes:
    return f"From: mx@example.net\r\nSubject: {number}\r\n\r\nh\u00e9llo {number}\r\n".encode() + b"x" * size


def no_lookup(name: str) -> bytes | None:
    raise AssertionError(f"{name} was looked up")


class RefusingWriter:
    """A queue that is away; where this stands, no adapter need be waited for."""

    async def put(self, parcel: bytes, lane: Lane = SHARED_LANE) -> None:
        del parcel, lane
        raise QueueUnavailable("the queue is away")

    def available(self) -> bool:
        return False

    async def close(self) -> None:
        return


@asynccontextmanager
async def fetching(
    mailbox: ImapMailbox,
    writer: PostgresWriter | RefusingWriter,
    *,
    limits: Limits = LIMITS,
    look_up: KeyLookup = no_lookup,
) -> AsyncIterator[MailboxFetcher]:
    fetcher = MailboxFetcher(SOURCE, mailbox, writer=writer, look_up=look_up, limits=limits)
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def queued(dsn: str) -> list[Envelope]:
    """All that the queue holds now."""
    reader = await PostgresReader.open(dsn)
    try:
        leases = await reader.take(max_parcels=1_000, max_wait_seconds=0.2)
        envelopes = [decode_envelope(blob) for lease in leases for blob in decode_parcel(lease.parcel)]
        await reader.acknowledge(leases)
        return envelopes
    finally:
        await reader.close()


async def test_a_mail_is_queued_whole_and_then_flagged(
    imap_server: ImapServer, postgres_writer: PostgresWriter, database_dsn: str
) -> None:
    imap_server.put(mail(1), mail(2))
    before = datetime.now(UTC)
    async with fetching(imap_server.mailbox(), postgres_writer) as fetcher:
        tally = await fetcher.take_all()
        again = await fetcher.take_all()
    assert (tally.queued, again.queued) == (2, 0)
    assert imap_server.found("FLAGGED SEEN") == imap_server.found() == 2
    envelopes = await queued(database_dsn)
    assert [envelope.body for envelope in envelopes] == [mail(1), mail(2)]
    for envelope in envelopes:
        assert (envelope.source, envelope.provider, envelope.account) == ("mail", "mail", "shop")
        assert before <= envelope.received_at <= datetime.now(UTC)
        delivered_at = datetime.fromisoformat(envelope.headers[DELIVERED_AT_HEADER])
        assert abs(delivered_at - before) < timedelta(minutes=1)


async def test_a_mail_may_be_deleted(
    imap_server: ImapServer, postgres_writer: PostgresWriter, database_dsn: str
) -> None:
    imap_server.put(mail(1), mail(2))
    async with fetching(imap_server.mailbox(after_fetch="delete"), postgres_writer) as fetcher:
        await fetcher.take_all()
    assert imap_server.found() == 0
    assert len(await queued(database_dsn)) == 2


async def test_deleting_leaves_alone_what_others_have_marked(
    imap_server: ImapServer, postgres_writer: PostgresWriter
) -> None:
    imap_server.put(mail(1), mail(2))
    with imap_server.look() as connection:
        connection.store("1", "+FLAGS", r"(\Deleted)")
    async with fetching(imap_server.mailbox(after_fetch="delete"), postgres_writer) as fetcher:
        assert (await fetcher.take_all()).queued == 1
    assert imap_server.found("DELETED") == imap_server.found() == 1


async def test_a_mail_may_be_moved_to_a_folder_whatever_its_name(
    imap_server: ImapServer, postgres_writer: PostgresWriter, database_dsn: str
) -> None:
    imap_server.make_folder('"Gelesen & gepr&APw-ft"'.replace(" & ", " &- "))
    imap_server.put(mail(1), mail(2), mail(3))
    mailbox = imap_server.mailbox(after_fetch="move", move_to="Gelesen & geprüft")
    async with fetching(mailbox, postgres_writer) as fetcher:
        assert (await fetcher.take_all()).queued == 3
    assert imap_server.found() == 0
    assert imap_server.found(folder='"Gelesen &- gepr&APw-ft"') == 3
    assert len(await queued(database_dsn)) == 3


async def test_many_mails_travel_in_a_few_parcels_and_progress_is_reported(
    imap_server: ImapServer, postgres_writer: PostgresWriter, database_dsn: str
) -> None:
    imap_server.put(*(mail(number) for number in range(120)))
    told: list[tuple[int, int]] = []
    async with fetching(imap_server.mailbox(), postgres_writer) as fetcher:
        tally = await fetcher.take_all(lambda done, total: told.append((done, total)))
    assert tally.queued == 120
    assert told == [(50, 120), (100, 120), (120, 120)]
    assert [envelope.body for envelope in await queued(database_dsn)] == [mail(number) for number in range(120)]


async def test_a_mail_that_the_queue_did_not_take_lies_where_it_was(imap_server: ImapServer) -> None:
    imap_server.put(mail())
    async with fetching(imap_server.mailbox(after_fetch="delete"), RefusingWriter()) as fetcher:
        with pytest.raises(QueueUnavailable):
            await fetcher.take_all()
    assert imap_server.found("UNFLAGGED UNDELETED UNSEEN") == 1


async def test_a_mail_that_is_too_large_is_reported_once_and_left(
    imap_server: ImapServer, postgres_writer: PostgresWriter, database_dsn: str
) -> None:
    imap_server.put(mail(1, size=20_000), mail(2))
    with capture_logs() as lines:
        async with fetching(imap_server.mailbox(after_fetch="delete"), postgres_writer) as fetcher:
            tallies = [await fetcher.take_all() for _ in range(2)]
    assert [(tally.queued, tally.passed_over) for tally in tallies] == [(1, 1), (0, 1)]
    told = [line for line in lines if line["event"] == "mail.passed_over"]
    assert len(told) == 1
    assert "max_message_bytes = 10000" in told[0]["reason"]
    assert [envelope.body for envelope in await queued(database_dsn)] == [mail(2)]
    assert imap_server.found("UNDELETED") == 1


async def test_no_log_line_names_an_address_or_the_password(
    imap_server: ImapServer, postgres_writer: PostgresWriter
) -> None:
    imap_server.put(mail())
    with capture_logs() as lines:
        async with fetching(imap_server.mailbox(), postgres_writer) as fetcher:
            await fetcher.take_all()
    assert [line["event"] for line in lines] == ["mailbox.opened", "mail.fetched", "mailbox.emptied"]
    assert not [line for line in lines if "@" in str(line) or imap_server.mailbox().password.reveal() in str(line)]


async def test_a_mail_whose_key_cannot_be_looked_up_is_fetched_later(
    imap_server: ImapServer, postgres_writer: PostgresWriter, database_dsn: str
) -> None:
    signature = base64.b64encode(b"signature").decode()
    field = f"DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s; h=from; bh={signature}; b={signature}\r\n"
    imap_server.put(field.encode() + mail(1), mail(2))
    answers_now = False

    def look_up(name: str) -> bytes | None:
        assert name == "s._domainkey.example.net."
        if not answers_now:
            raise LookupFailed("no server answers")
        return None

    async with fetching(imap_server.mailbox(verify_dkim=True), postgres_writer, look_up=look_up) as fetcher:
        first = await fetcher.take_all()
        assert imap_server.found("UNFLAGGED") == 1
        answers_now = True
        at_once = await fetcher.take_all()  # it is not asked for at each look
    async with fetching(imap_server.mailbox(verify_dkim=True), postgres_writer, look_up=look_up) as fetcher:
        later = await fetcher.take_all()
    assert [(tally.queued, tally.postponed) for tally in (first, at_once, later)] == [(1, 1), (0, 1), (1, 0)]
    assert [envelope.body[:4] for envelope in await queued(database_dsn)] == [b"From", b"DKIM"]


async def test_a_look_without_fetching_changes_nothing(imap_server: ImapServer) -> None:
    imap_server.put(mail(1), mail(2))
    waiting = await waiting_mails(imap_server.mailbox(after_fetch="delete"), timeout_seconds=10)
    assert [found.size_bytes for found in waiting] == [len(mail(1)), len(mail(2))]
    assert all(found.delivered_at is not None for found in waiting)
    assert imap_server.found("UNSEEN UNFLAGGED UNDELETED") == 2


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"folder": "Nowhere"}, "there is no such folder"),
        ({"after_fetch": "move", "move_to": "Nowhere"}, "there is no folder 'Nowhere' to move mail to"),
        ({"user": "somebody"}, "check imap_user and imap_password"),
    ],
)
async def test_what_only_a_person_can_mend_names_its_remedy(
    imap_server: ImapServer, changed: dict[str, Any], told: str
) -> None:
    async with fetching(imap_server.mailbox(**changed), RefusingWriter()) as fetcher:
        with pytest.raises(ImpossibleSetting, match=told) as raised:
            await fetcher.take_all()
    assert imap_server.mailbox().password.reveal() not in str(raised.value)


async def test_a_server_that_is_gone_is_told_as_something_that_waiting_mends(imap_server: ImapServer) -> None:
    async with fetching(imap_server.mailbox(), RefusingWriter()) as fetcher:
        await fetcher.take_all()
        imap_server.stop()
        with pytest.raises(MailboxUnavailable, match="this is tried again"):
            await fetcher.take_all()
    async with fetching(imap_server.mailbox(), RefusingWriter()) as fetcher:
        with pytest.raises(MailboxUnavailable, match=f"127.0.0.1:{imap_server.port} cannot be reached"):
            await fetcher.take_all()


async def test_new_mail_ends_the_wait_at_once(imap_server: ImapServer, postgres_writer: PostgresWriter) -> None:
    async def otherwise(seconds: float) -> None:
        raise AssertionError(f"the server has IDLE, and yet {seconds} seconds are slept through")

    async with fetching(imap_server.mailbox(), postgres_writer) as fetcher:
        await fetcher.take_all()
        waiting = asyncio.create_task(fetcher.wait(60, otherwise))
        await stays(lambda: not waiting.done(), "it waits for mail", seconds=0.3)
        await asyncio.to_thread(imap_server.put, mail())
        await asyncio.wait_for(waiting, 10)
        assert (await fetcher.take_all()).queued == 1


async def test_a_stop_ends_the_wait(imap_server: ImapServer) -> None:
    async def otherwise(seconds: float) -> None:
        raise AssertionError(f"the server has IDLE, and yet {seconds} seconds are slept through")

    async with fetching(imap_server.mailbox(), RefusingWriter()) as fetcher:
        await fetcher.take_all()
        waiting = asyncio.create_task(fetcher.wait(60, otherwise))
        await stays(lambda: not waiting.done(), "it waits for mail", seconds=0.2)
        fetcher.stop()
        await asyncio.wait_for(waiting, 5)

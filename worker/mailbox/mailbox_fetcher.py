"""Moves mail from a mailbox into the queue. A mail is flagged, moved or deleted only after the queue has it on disk.

After a crash between the two steps the mail is fetched once more. Its events have the same keys, so it counts once.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from schemas.envelope import Envelope, encode_envelope, encode_parcel, new_delivery_id
from schemas.lane import Lane
from schemas.source import Source
from worker.errors import MailboxUnavailable
from worker.mailbox.dkim_check import DkimResult, KeyLookup, check_dkim
from worker.mailbox.imap_session import ImapSession, MailRefused, WaitingMail
from worker.process import metrics
from worker.process.logs import get_logger
from worker.providers.mail.imap_options import ImapMailbox
from worker.providers.mail.mail_webhook import DELIVERED_AT_HEADER, DKIM_PASS_HEADER, MAIL_CONTENT_TYPE
from worker.queue.port import QueueWriter
from worker.tracing.queueing import begin_queueing
from worker.tracing.tracer import active_tracer

PARCEL_MAX_MAILS = 50
PARCEL_MAX_BYTES = 1024 * 1024
# A DNS that has not answered for so long never will: the mail is queued as one whose signature is not valid.
DKIM_PATIENCE = timedelta(days=3)
# A sender chooses the DNS of his keys: his mail must not delay all other mail each time.
_FIRST_POSTPONEMENT_SECONDS = 60.0
_LONGEST_POSTPONEMENT_SECONDS = 3_600.0

Progress = Callable[[int, int], None]  # how many are done, of how many
_Answer = TypeVar("_Answer")


class Limits(Struct, frozen=True, kw_only=True):
    """The operator's limits for a mailbox."""

    timeout_seconds: float
    max_message_bytes: int


class Tally(Struct, kw_only=True):
    """How many mails of one pass over a mailbox were queued or left."""

    queued: int = 0
    postponed: int = 0  # the key of a signature cannot be looked up now
    passed_over: int = 0  # too large, or the server does not deliver them


class Waiting(Struct, frozen=True, kw_only=True):
    """How many mails wait in a mailbox, and since when."""

    mails: int
    oldest_at: datetime | None  # when the server accepted the first of them


class _Fetched(Struct, frozen=True, kw_only=True):
    mail: WaitingMail
    message: bytes
    dkim: DkimResult


class _Postponement(Struct, frozen=True, kw_only=True):
    until: float  # time.monotonic()
    seconds: float


class MailboxFetcher:
    """Queues the mails of one source's mailbox. Only one task at a time may use it."""

    def __init__(
        self, source: Source, mailbox: ImapMailbox, *, writer: QueueWriter, look_up: KeyLookup, limits: Limits
    ) -> None:
        self._source = source
        self._mailbox = mailbox
        self._writer = writer
        self._look_up = look_up
        self._limits = limits
        self._log = get_logger().bind(source=source.name)
        self._session: ImapSession | None = None
        self._stopped = threading.Event()
        # By (UIDVALIDITY, UID), which no other mail of this folder ever has.
        self._queued_unsettled: set[tuple[int, int]] = set()
        self._logged: set[tuple[int, int]] = set()
        self._postponed: dict[tuple[int, int], _Postponement] = {}
        self._unsettled: MailboxUnavailable | None = None  # why a queued mail could not be flagged, moved or deleted

    async def open(self) -> ImapSession:
        """The session; opens it if there is none. Raises MailboxUnavailable and ImpossibleSetting."""
        if self._session is None:
            self._session = await asyncio.to_thread(
                ImapSession.open, self._mailbox, timeout_seconds=self._limits.timeout_seconds
            )
            metrics.MAILBOX_AVAILABLE.labels(self._source.name).set(1)
            self._log.info(
                "mailbox.opened",
                address=f"{self._mailbox.host}:{self._mailbox.port}",
                folder=self._mailbox.folder,
                mails=self._session.mails,
                idle=self._session.has_idle,
            )
        else:
            await asyncio.to_thread(self._session.refresh)
        return self._session

    async def take_all(self, progress: Progress | None = None) -> Tally:
        """Queues and settles all mails that wait now.

        Raises MailboxUnavailable, QueueUnavailable and ImpossibleSetting; mails settled before stay settled.
        """
        started = time.monotonic()
        session = await self.open()
        tally = Tally()
        self._unsettled = None
        waiting = await asyncio.to_thread(lambda: list(session.waiting()))
        done = 0
        for load in _loads(waiting):
            if self._stopped.is_set():
                break
            await self._take(session, load, tally)
            done += len(load)
            if progress is not None:
                progress(done, len(waiting))
        if tally.queued:  # otherwise mails that stay in the mailbox would be logged again and again
            self._log.info(
                "mailbox.emptied",
                queued=tally.queued,
                postponed=tally.postponed,
                passed_over=tally.passed_over,
                seconds=round(time.monotonic() - started, 3),
            )
        if self._unsettled is not None:
            raise self._unsettled
        return tally

    async def wait(self, seconds: float, otherwise: Callable[[float], Awaitable[None]]) -> None:
        """Returns when the server reports mail, or after so many seconds. Uses `otherwise` if there is no IDLE."""
        if self._session is not None and self._session.has_idle:
            await asyncio.to_thread(self._session.wait_for_mail, seconds, self._stopped.is_set)
        else:
            await otherwise(seconds)

    def stop(self) -> None:
        """Begins nothing new; mails under way are still queued and settled."""
        self._stopped.set()

    async def close(self) -> None:
        """Ends the session."""
        session, self._session = self._session, None
        metrics.MAILBOX_AVAILABLE.labels(self._source.name).set(0)
        if session is not None:
            await asyncio.to_thread(session.close)

    async def _take(self, session: ImapSession, load: list[WaitingMail], tally: Tally) -> None:
        validity = session.uid_validity
        settled = [mail.uid for mail in load if (validity, mail.uid) in self._queued_unsettled]
        fetched: list[tuple[WaitingMail, bytes]] = []
        for mail in load:
            if mail.uid in settled:
                continue
            if mail.size_bytes > self._limits.max_message_bytes:
                limit = self._limits.max_message_bytes
                reason = (
                    f"it is larger than mailbox.max_message_bytes = {limit}: raise that, or move it out of the folder"
                )
                self._pass_over(mail, validity, tally, reason)
            elif (waits := self._postponed.get((validity, mail.uid))) is not None and time.monotonic() < waits.until:
                tally.postponed += 1
            elif (message := await self._fetch(session, mail, tally)) is not None:
                fetched.append((mail, message))
        checked = await asyncio.gather(*(self._check(mail, message) for mail, message in fetched))
        ready = [fetched_mail for fetched_mail in checked if not self._must_wait(fetched_mail, validity, tally)]
        if ready:
            envelopes = [self._envelope(fetched_mail) for fetched_mail in ready]
            lane = Lane(source=self._source.name, bulk=self._source.bulk)
            with _queueing(envelopes, lane) as traced:
                await self._writer.put(encode_parcel([encode_envelope(envelope) for envelope in traced]), lane)
            for fetched_mail, envelope in zip(ready, envelopes, strict=True):
                self._queued_unsettled.add((validity, fetched_mail.mail.uid))
                self._log_fetched(fetched_mail, envelope)
            tally.queued += len(ready)
        if uids := sorted([*settled, *(fetched_mail.mail.uid for fetched_mail in ready)]):
            await self._settle(session, uids)

    async def _fetch(self, session: ImapSession, mail: WaitingMail, tally: Tally) -> bytes | None:
        """The mail's bytes; None if the mail has gone, or the server does not deliver it."""
        try:
            return await asyncio.to_thread(session.fetch, mail.uid)
        except MailRefused as error:
            reason = f"the server does not deliver it ({error}): check it in the folder, and move it out"
            self._pass_over(mail, session.uid_validity, tally, reason)
            return None

    async def _settle(self, session: ImapSession, uids: list[int]) -> None:
        try:
            await asyncio.to_thread(session.settle, uids)
        except MailboxUnavailable as error:
            # A full target folder must not hold up the other mails: they are queued first, then this is raised.
            self._unsettled = error
        else:
            self._queued_unsettled -= {(session.uid_validity, uid) for uid in uids}

    async def _check(self, mail: WaitingMail, message: bytes) -> _Fetched:
        dkim = DkimResult()
        if self._mailbox.verify_dkim:
            dkim = await asyncio.to_thread(check_dkim, message, self._look_up)
        return _Fetched(mail=mail, message=message, dkim=dkim)

    def _must_wait(self, fetched: _Fetched, validity: int, tally: Tally) -> bool:
        before = self._postponed.pop((validity, fetched.mail.uid), None)
        if not fetched.dkim.undecided:
            return False
        delivered_at = fetched.mail.delivered_at
        if delivered_at is not None and datetime.now(UTC) - delivered_at > DKIM_PATIENCE:
            return False
        seconds = min(before.seconds * 2, _LONGEST_POSTPONEMENT_SECONDS) if before else _FIRST_POSTPONEMENT_SECONDS
        self._postponed[(validity, fetched.mail.uid)] = _Postponement(until=time.monotonic() + seconds, seconds=seconds)
        tally.postponed += 1
        metrics.FETCHED_MAILS.labels(self._source.name, "postponed").inc()
        self._log.info(
            "mail.postponed", provider=self._source.provider, uid=fetched.mail.uid, reason=fetched.dkim.undecided
        )
        return True

    def _pass_over(self, mail: WaitingMail, validity: int, tally: Tally, reason: str) -> None:
        tally.passed_over += 1
        if (validity, mail.uid) in self._logged:
            return
        self._logged.add((validity, mail.uid))
        metrics.FETCHED_MAILS.labels(self._source.name, "passed_over").inc()
        self._log.warning(
            "mail.passed_over",
            provider=self._source.provider,
            uid=mail.uid,
            reason=reason,
            body_bytes=mail.size_bytes,
        )

    def _envelope(self, fetched: _Fetched) -> Envelope:
        headers = {}
        if fetched.dkim.passed:
            headers[DKIM_PASS_HEADER] = " ".join(fetched.dkim.passed)
        if fetched.mail.delivered_at is not None:
            headers[DELIVERED_AT_HEADER] = fetched.mail.delivered_at.isoformat()
        return Envelope(
            delivery_id=new_delivery_id(),
            source=self._source.name,
            provider=self._source.provider,
            account=self._source.account,
            received_at=datetime.now(UTC),
            content_type=MAIL_CONTENT_TYPE,
            headers=headers,
            body=fetched.message,
            account_from=self._source.account_from,
        )

    def _log_fetched(self, fetched: _Fetched, envelope: Envelope) -> None:
        metrics.FETCHED_MAILS.labels(self._source.name, "queued").inc()
        self._log.info(
            "mail.fetched",
            provider=self._source.provider,
            delivery_id=envelope.delivery_id,
            uid=fetched.mail.uid,
            body_bytes=len(fetched.message),
            dkim_pass=" ".join(fetched.dkim.passed),
        )


@contextmanager
def _queueing(envelopes: list[Envelope], lane: Lane) -> Iterator[list[Envelope]]:
    """The envelopes, those that are traced with their spans, which end with the block."""
    tracer = active_tracer()
    if tracer is None:
        yield envelopes
        return
    with ExitStack() as stack:
        spans = [begin_queueing(tracer, envelope, lane, None) for envelope in envelopes]
        for span in spans:
            if span is not None:
                stack.enter_context(span)
        yield [
            envelope if span is None else envelope.traced(span.context)
            for envelope, span in zip(envelopes, spans, strict=True)
        ]


async def waiting_mails(mailbox: ImapMailbox, *, timeout_seconds: float) -> list[WaitingMail]:
    """The mails that would be fetched now. Changes nothing. Raises MailboxUnavailable and ImpossibleSetting."""
    return await _look(mailbox, timeout_seconds, lambda session: list(session.waiting()))


async def waiting_in_short(mailbox: ImapMailbox, *, timeout_seconds: float) -> Waiting:
    """How many mails would be fetched now, however many. Changes nothing; raises the same as waiting_mails."""

    def count(session: ImapSession) -> Waiting:
        first = next(session.waiting(), None)
        return Waiting(mails=len(session.waiting_uids()), oldest_at=first.delivered_at if first else None)

    return await _look(mailbox, timeout_seconds, count)


async def _look(mailbox: ImapMailbox, timeout_seconds: float, ask: Callable[[ImapSession], _Answer]) -> _Answer:
    def look() -> _Answer:
        session = ImapSession.open(mailbox, timeout_seconds=timeout_seconds, read_only=True)
        try:
            return ask(session)
        finally:
            session.close()

    return await asyncio.to_thread(look)


def _loads(waiting: list[WaitingMail]) -> Iterator[list[WaitingMail]]:
    """The mails in their order, as many together as go into one parcel."""
    load: list[WaitingMail] = []
    size = 0
    for mail in waiting:
        if load and (len(load) >= PARCEL_MAX_MAILS or size + mail.size_bytes > PARCEL_MAX_BYTES):
            yield load
            load, size = [], 0
        load.append(mail)
        size += mail.size_bytes
    if load:
        yield load


def outcomes(tallies: list[Tally]) -> Counter[str]:
    """The sums over several mailboxes."""
    return Counter(
        queued=sum(tally.queued for tally in tallies),
        postponed=sum(tally.postponed for tally in tallies),
        passed_over=sum(tally.passed_over for tally in tallies),
    )

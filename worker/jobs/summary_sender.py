"""Makes the daily summaries when they are due, and sends each to its recipients once, whatever dies meanwhile.

A mail is taken for a while, offered to the server, and noted as handed over before its content goes out. So what a
killed process had taken is tried again by another one, and what it may have sent is not.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from msgspec import Struct

from worker.contacts.daily_summary import make_due_summaries, text_of_summary
from worker.errors import StoreUnavailable
from worker.jobs.lookout import look_for_work
from worker.jobs.summary_mail import Attempt, Outcome, attempt, compose
from worker.process import metrics
from worker.process.logs import contact_field, get_logger, text_field
from worker.settings.tree import SummarySettings
from worker.store.daily_summaries import (
    ACCEPTED,
    REFUSED,
    UNSURE,
    WAITING,
    StoredSummary,
    SummaryMail,
    begin_hand_over,
    claim_mail,
    settle_abandoned_mails,
    settle_mail,
    summary_by_id,
)
from worker.store.pool import Pool

_log = get_logger()

_LOOK_SECONDS = 10.0  # between two looks for summaries that are due
_LEASE = timedelta(minutes=5)  # longer than an attempt may take: connecting, the envelope, and noting
_ABANDONED_AFTER = timedelta(minutes=10)  # longer than a server may take to accept, which is four minutes
_STOPPING_SECONDS = 5.0  # for the answer to what went out
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
_DOUBLINGS = 6  # until the longest wait
_STATES = {
    Outcome.ACCEPTED: ACCEPTED,
    Outcome.LATER: WAITING,
    Outcome.REFUSED: REFUSED,
    Outcome.UNSURE: UNSURE,
}


_COUNTED_AS = {
    Outcome.ACCEPTED: "sent",
    Outcome.LATER: "postponed",
    Outcome.REFUSED: "refused",
    Outcome.UNSURE: "unsure",
}


class _Ended(Struct, frozen=True, kw_only=True):
    """An attempt whose end is not noted yet."""

    mail: SummaryMail
    summary: StoredSummary
    attempt: Attempt


class SummarySender:
    """Every processor's process has one; each mail is sent by one of them."""

    def __init__(
        self,
        pool: Pool,
        settings: SummarySettings,
        *,
        lease: timedelta = _LEASE,
        abandoned_after: timedelta = _ABANDONED_AFTER,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._lease = lease
        self._abandoned_after = abandoned_after
        self._clock = clock
        self._unnoted: list[_Ended] = []  # Postgres was away when they ended

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, and finishes its mail then. Waits for Postgres while it is away."""
        if self._settings.enabled:
            await look_for_work(
                self.work_off,
                stop,
                task="summaries",
                every_seconds=_LOOK_SECONDS,
                tell_bug=lambda: _log.exception("summary.failed"),
            )

    async def work_off(self, stop: asyncio.Event, *, account: str | None = None) -> None:
        """Makes and sends what is due, of one account or of all. Raises StoreUnavailable."""
        while self._unnoted:
            await self._note(self._unnoted[0])
            self._unnoted.pop(0)
        mailed = bool(self._settings.smtp_host)
        await make_due_summaries(
            self._pool, hour=self._settings.hour, mailed=mailed, now=self._clock(), account=account
        )
        await self._give_up_abandoned()
        while mailed and not stop.is_set() and await self._send_next(account, stop):
            pass

    async def _give_up_abandoned(self) -> None:
        for mail in await settle_abandoned_mails(self._pool, now=self._clock(), silent_for=self._abandoned_after):
            summary = await summary_by_id(self._pool, mail.summary_id)
            metrics.SUMMARY_MAILS.labels(_COUNTED_AS[Outcome.UNSURE]).inc()
            _log.warning("summary.unsure", **_fields(summary, mail), reason=mail.answer)

    async def _send_next(self, account: str | None, stop: asyncio.Event) -> bool:
        """One attempt; False if no mail is to be tried now."""
        now = self._clock()
        mail = await claim_mail(self._pool, now=now, until=now + self._lease, account=account)
        if mail is None:
            return False
        summary = await summary_by_id(self._pool, mail.summary_id)
        try:
            text = await text_of_summary(self._pool, summary)
            message = compose(text, summary, sender=self._settings.sender, recipient=mail.recipient, now=now)
            ended = await self._attempt(mail, message, stop)
        except (StoreUnavailable, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001 - the others are sent nevertheless, this one after its lease
            _log.exception("summary.failed", **_fields(summary, mail))
            return True
        if ended.outcome is Outcome.OVERTAKEN:
            return True
        note = _Ended(mail=mail, summary=summary, attempt=ended)
        try:
            await self._note(note)
        except StoreUnavailable:
            self._unnoted.append(note)
            raise
        return ended.outcome is not Outcome.LATER  # a server that is away is not asked for each of many mails

    async def _attempt(self, mail: SummaryMail, message: EmailMessage, stop: asyncio.Event) -> Attempt:
        """A stop ends it at once before the content goes out, and some seconds later after that."""
        handing_over = asyncio.Event()

        async def note_hand_over() -> bool:
            handing_over.set()
            return await begin_hand_over(self._pool, mail, now=self._clock())

        trying = asyncio.create_task(
            attempt(self._settings, message, mail.recipient, before_content=note_hand_over), name="summary"
        )
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait((trying, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not trying.done() and handing_over.is_set():
                await asyncio.wait((trying,), timeout=_STOPPING_SECONDS)
            if not trying.done():
                outcome = Outcome.UNSURE if handing_over.is_set() else Outcome.LATER
                return Attempt(outcome=outcome, answer="the processor was stopped meanwhile")
            return trying.result()
        except StoreUnavailable as error:
            # The note may be there, and nothing was sent: it is taken back.
            return Attempt(outcome=Outcome.LATER, answer=str(error))
        finally:
            stopping.cancel()
            trying.cancel()
            await asyncio.wait((trying, stopping))

    async def _note(self, ended: _Ended) -> None:
        mail, summary, outcome = ended.mail, ended.summary, ended.attempt.outcome
        now = self._clock()
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(mail.attempts - 1, _DOUBLINGS))
        await settle_mail(
            self._pool, mail, state=_STATES[outcome], next_try_at=now + wait, now=now, answer=ended.attempt.answer
        )
        fields = _fields(summary, mail)
        reason = text_field(ended.attempt.answer)
        metrics.SUMMARY_MAILS.labels(_COUNTED_AS[outcome]).inc()
        if outcome is Outcome.ACCEPTED:
            _log.info("summary.sent", **fields)
        elif outcome is Outcome.LATER:
            _log.warning("summary.postponed", **fields, reason=reason, wait_seconds=wait.total_seconds())
        elif outcome is Outcome.REFUSED:
            _log.error("summary.refused", **fields, reason=reason)
        else:
            _log.warning("summary.unsure", **fields, reason=reason)


def _fields(summary: StoredSummary, mail: SummaryMail) -> dict[str, Any]:
    return {
        "account": summary.account,
        "local_date": summary.local_date.isoformat(),
        "summary_id": summary.id,
        "mail_id": mail.id,
        "recipient": contact_field(mail.recipient),
        "attempts": mail.attempts,
    }

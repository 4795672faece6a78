"""Daily summaries, and the mails that carry them to their recipients."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from worker.store.accounts import Account
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row
from worker.store.safelist_requests import StoredRequest

WAITING, HANDING_OVER, ACCEPTED, REFUSED, UNSURE = "waiting", "handing_over", "accepted", "refused", "unsure"


class StoredSummary(Row, frozen=True):
    """A day's summary of an account (schemas/database/0020)."""

    id: int
    account: str
    local_date: date
    covers_until: datetime
    made_at: datetime


class SummaryMail(Row, frozen=True):
    """The mail for one recipient."""

    id: int
    summary_id: int
    recipient: str
    state: str
    attempts: int
    next_try_at: datetime
    changed_at: datetime
    answer: str


class SummaryContent(Struct, frozen=True, kw_only=True):
    """The content of a summary: the first requests of each kind and state, and how many there are of each."""

    requests: Sequence[StoredRequest]
    counts: Mapping[tuple[str, str], int]


_NOT_COVERED = "account = :account AND summary_id IS NULL AND decided_at < :covers_until"
_ACCOUNTS = f"""
    SELECT {Account.select_list("a")} FROM accounts a
     WHERE ($1::text IS NULL OR a.name = $1)
       AND EXISTS (SELECT FROM safelist_requests r
                    WHERE r.account = a.name AND r.summary_id IS NULL AND r.decided_at IS NOT NULL)
     ORDER BY a.name
"""  # noqa: S608 - the column list is made of the names above
_INSERT = NamedStatement(f"""
    INSERT INTO daily_summaries (account, local_date, covers_until, made_at)
    SELECT :account, :local_date, :covers_until, :now WHERE EXISTS (SELECT FROM safelist_requests WHERE {_NOT_COVERED})
    ON CONFLICT DO NOTHING RETURNING {StoredSummary.select_list()}
""")  # noqa: S608 - as above
_COVER = NamedStatement(f"UPDATE safelist_requests SET summary_id = :summary_id WHERE {_NOT_COVERED}")  # noqa: S608 - as above
_INSERT_MAILS = """
    INSERT INTO summary_mails (summary_id, recipient, state, next_try_at, changed_at)
    SELECT $1, recipient, 'waiting', $3, $3 FROM unnest($2::text[]) AS r (recipient) ON CONFLICT DO NOTHING
"""
_CLAIM = NamedStatement(f"""
    UPDATE summary_mails SET attempts = attempts + 1, next_try_at = :until, changed_at = :now
     WHERE id = (SELECT m.id FROM summary_mails m JOIN daily_summaries s ON s.id = m.summary_id
                  WHERE m.state = 'waiting' AND m.next_try_at <= :now
                    AND (:account::text IS NULL OR s.account = :account)
                  ORDER BY m.next_try_at, m.id LIMIT 1 FOR UPDATE OF m SKIP LOCKED)
    RETURNING {SummaryMail.select_list()}
""")  # noqa: S608 - as above
_HAND_OVER = NamedStatement("""
    UPDATE summary_mails SET state = 'handing_over', changed_at = :now
     WHERE id = :id AND attempts = :attempts AND state = 'waiting' RETURNING true
""")
_SETTLE = NamedStatement("""
    UPDATE summary_mails SET state = :state, next_try_at = :next_try_at, changed_at = :now, answer = :answer
     WHERE id = :id AND attempts = :attempts AND state IN ('waiting', 'handing_over')
""")
_ABANDONED = NamedStatement(f"""
    UPDATE summary_mails SET state = 'unsure', changed_at = :now, answer = 'the process ended meanwhile'
     WHERE state = 'handing_over' AND changed_at < :silent_since RETURNING {SummaryMail.select_list()}
""")  # noqa: S608 - as above
_SUMMARY = f"SELECT {StoredSummary.select_list()} FROM daily_summaries"  # noqa: S608 - as above
_MAILS = f"SELECT {SummaryMail.select_list()} FROM summary_mails WHERE summary_id = $1 ORDER BY id"  # noqa: S608 - as above


async def accounts_to_sum_up(executor: Executor, *, account: str | None) -> list[Account]:
    """The accounts with decided requests that no summary covers; None means all accounts. Raises StoreUnavailable."""
    with store_errors("looking for requests to sum up"):
        return Account.rows(await executor.fetch(_ACCOUNTS, account))


async def insert_summary(
    connection: Connection,
    account: str,
    *,
    local_date: date,
    covers_until: datetime,
    recipients: Sequence[str],
    now: datetime,
) -> StoredSummary | None:
    """The day's summary, which covers all requests decided before `covers_until` that no other summary covers.

    None if there are none, or if somebody else has made it.
    """
    arguments = _INSERT(account=account, local_date=local_date, covers_until=covers_until, now=now)
    rows = StoredSummary.rows(await connection.fetch(*arguments))
    if not rows:
        return None
    (summary,) = rows
    covering = _COVER(account=account, covers_until=covers_until, summary_id=summary.id)
    if await connection.execute(*covering) == "UPDATE 0":
        # Meanwhile the summary of another day, in the account's former time zone, has covered all of them.
        await connection.execute("DELETE FROM daily_summaries WHERE id = $1", summary.id)
        return None
    await connection.execute(_INSERT_MAILS, summary.id, list(recipients), now)
    return summary


async def claim_mail(
    executor: Executor, *, now: datetime, until: datetime, account: str | None = None
) -> SummaryMail | None:
    """A mail to try now, which is ours until then; None if there is none. Raises StoreUnavailable."""
    with store_errors("taking a summary to send"):
        rows = SummaryMail.rows(await executor.fetch(*_CLAIM(now=now, until=until, account=account)))
    return rows[0] if rows else None


async def begin_hand_over(executor: Executor, mail: SummaryMail, *, now: datetime) -> bool:
    """True if the attempt is still ours; from now on nobody else sends the mail. Raises StoreUnavailable."""
    with store_errors("noting that a summary goes out"):
        return bool(await executor.fetchval(*_HAND_OVER(id=mail.id, attempts=mail.attempts, now=now)))


async def settle_mail(
    executor: Executor, mail: SummaryMail, *, state: str, next_try_at: datetime, now: datetime, answer: str
) -> None:
    """Notes how our attempt ended; nothing if another process has overtaken us. Raises StoreUnavailable."""
    with store_errors("noting what became of a summary"):
        await executor.execute(
            *_SETTLE(id=mail.id, attempts=mail.attempts, state=state, next_try_at=next_try_at, now=now, answer=answer)
        )


async def settle_abandoned_mails(executor: Executor, *, now: datetime, silent_for: timedelta) -> list[SummaryMail]:
    """Marks as `unsure` the mails that a process was handing over when it ended: they may have been sent.

    Returns them. Raises StoreUnavailable.
    """
    with store_errors("looking for summaries of processes that are gone"):
        return SummaryMail.rows(await executor.fetch(*_ABANDONED(now=now, silent_since=now - silent_for)))


async def count_waiting_mails(executor: Executor) -> int:
    """How many mails wait to be sent. Raises StoreUnavailable."""
    with store_errors("counting the mails of summaries"):
        count: int = await executor.fetchval("SELECT count(*) FROM summary_mails WHERE state = 'waiting'")
    return count


async def summary_by_id(executor: Executor, summary_id: int) -> StoredSummary:
    """The summary, which exists. Raises StoreUnavailable."""
    with store_errors("reading a summary"):
        (summary,) = StoredSummary.rows(await executor.fetch(f"{_SUMMARY} WHERE id = $1", summary_id))
    return summary


async def summary_of_day(executor: Executor, account: str, local_date: date) -> StoredSummary | None:
    """The account's summary of this day, or None. Raises StoreUnavailable."""
    with store_errors("reading a summary"):
        rows = StoredSummary.rows(
            await executor.fetch(f"{_SUMMARY} WHERE account = $1 AND local_date = $2", account, local_date)
        )
    return rows[0] if rows else None


async def summary_content(executor: Executor, summary_id: int, *, most: int) -> SummaryContent:
    """The content of the summary, in the order of the decisions. Raises StoreUnavailable."""
    return await _content(executor, "summary_id = $1", summary_id, most)


async def next_summary_content(executor: Executor, account: str, *, most: int) -> SummaryContent:
    """The content of the account's next summary so far. Raises StoreUnavailable."""
    return await _content(executor, "account = $1 AND summary_id IS NULL AND decided_at IS NOT NULL", account, most)


async def _content(executor: Executor, where: str, of: str | int, most: int) -> SummaryContent:
    counts = f"SELECT kind, state, count(*) FROM safelist_requests WHERE {where} GROUP BY kind, state"  # noqa: S608 - made of the texts above
    first = f"""
        SELECT {StoredRequest.select_list()}
          FROM (SELECT *, row_number() OVER (PARTITION BY kind, state ORDER BY decided_at, id) AS place
                  FROM safelist_requests WHERE {where}) r
         WHERE place <= $2 ORDER BY decided_at, id
    """  # noqa: S608 - as above
    with store_errors("reading the content of a summary"):
        rows = await executor.fetch(counts, of)
        requests = StoredRequest.rows(await executor.fetch(first, of, most))
    return SummaryContent(requests=requests, counts={(row["kind"], row["state"]): row["count"] for row in rows})


async def mails_of_summary(executor: Executor, summary_id: int) -> list[SummaryMail]:
    """The state of each recipient's mail. Raises StoreUnavailable."""
    with store_errors("reading the mails of a summary"):
        return SummaryMail.rows(await executor.fetch(_MAILS, summary_id))

"""Deliveries that could not be processed. They are kept whole, and can be listed, shown, replayed and discarded."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from schemas.envelope import Envelope
from worker.store.binary_codecs import without_nul
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row


class SetAsideDelivery(Struct, frozen=True, kw_only=True):
    """A delivery that could not be processed, with the reason."""

    envelope: Envelope  # from the receiver; an empty provider marks bytes that could not be read as an envelope
    reason: str  # a short snake_case word
    detail: str  # a sentence for the operator
    part_of: UUID | None = None  # the webhook, if this is only a part of it, with an id of its own

    @property
    def webhook_id(self) -> UUID:
        """The id under which the receiver accepted it."""
        return self.part_of or self.envelope.delivery_id


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A delivery in dead_letters, without its body. It is open until it is replayed or discarded."""

    id: int
    delivery_id: UUID
    source: str
    provider: str
    account: str
    received_at: datetime
    set_aside_at: datetime  # the last time
    attempts: int  # how often it was set aside
    reason: str
    detail: str
    content_type: str
    body_bytes: int
    replayed_at: datetime | None
    discarded_at: datetime | None
    closed_by: str | None
    note: str | None

    @property
    def open(self) -> bool:
        """True until it is replayed or discarded."""
        return self.replayed_at is None and self.discarded_at is None


class DeadLetterContent(Struct, frozen=True, kw_only=True):
    """A dead letter with everything that was received."""

    letter: DeadLetter
    envelope: Envelope


_COLUMNS = (
    "id, delivery_id, source, provider, account, received_at, set_aside_at, attempts, reason, detail,"
    " content_type, octet_length(body) AS body_bytes, replayed_at, discarded_at, closed_by, note"
)


class _NewLetter(Row, frozen=True):
    """The columns of a delivery that is set aside."""

    delivery_id: UUID
    source: str
    provider: str
    account: str
    received_at: datetime
    reason: str
    detail: str
    content_type: str
    headers: dict[str, str]
    body: bytes
    account_from: str


class _Attempt(Row, frozen=True):
    """A letter, and how often it was set aside before it was read."""

    id: int
    attempts: int


# A delivery that fails again is open again, so that nobody overlooks it, whatever was done about it before.
_PUT_ASIDE = f"""
    INSERT INTO dead_letters AS d (set_aside_at, {_NewLetter.select_list()})
    SELECT $1, {_NewLetter.select_list("n")} FROM {_NewLetter.unnest("n", first_parameter=2)}
     ORDER BY n.delivery_id
    ON CONFLICT (delivery_id) DO UPDATE SET
        attempts = d.attempts + 1, set_aside_at = excluded.set_aside_at, reason = excluded.reason,
        detail = excluded.detail, replayed_at = NULL, discarded_at = NULL, closed_by = NULL
"""  # noqa: S608 - the column list is made of the names above

_LIST = NamedStatement(f"""
    SELECT {_COLUMNS} FROM dead_letters
     WHERE id > :after_id AND (:source::text IS NULL OR source = :source)
       AND (:reason::text IS NULL OR reason = :reason)
       AND (NOT :only_open OR (replayed_at IS NULL AND discarded_at IS NULL))
     ORDER BY id LIMIT :limit
""")  # noqa: S608 - the column list is a constant above

_SHOW = f"SELECT {_COLUMNS}, headers, body, account_from FROM dead_letters WHERE id = ANY ($1::bigint[]) ORDER BY id"  # noqa: S608 - the column list is a constant above

_NEWEST_OPEN = """
    SELECT count(*) AS letters, max(set_aside_at) AS latest_at FROM (
        SELECT set_aside_at FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL
         ORDER BY id DESC LIMIT $1
    ) newest
"""
_COUNT_OPEN = "SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL"

# `attempts` shows whether the letter was set aside again since it was read: then it stays open. The parameters with
# names are followed by the arrays.
_MARK_REPLAYED = NamedStatement(f"""
    UPDATE dead_letters d SET replayed_at = :at, closed_by = :person, note = coalesce(:note, d.note)
      FROM {_Attempt.unnest("n", first_parameter=4)}
     WHERE d.id = n.id AND d.attempts = n.attempts
    RETURNING d.id
""")  # noqa: S608 - as above

_DISCARD = NamedStatement("""
    UPDATE dead_letters SET discarded_at = :at, closed_by = :person, note = :note
     WHERE id = ANY (:ids::bigint[]) AND replayed_at IS NULL AND discarded_at IS NULL
    RETURNING id
""")


async def put_aside(connection: Connection, deliveries: Iterable[SetAsideDelivery], *, at: datetime) -> None:
    """Stores the deliveries in dead_letters; a letter that is there already is open again, with one attempt more."""
    by_id = {delivery.envelope.delivery_id: delivery for delivery in deliveries}
    if not by_id:
        return
    letters = [
        _NewLetter(
            delivery_id=delivery_id,
            source=without_nul(delivery.envelope.source),
            provider=without_nul(delivery.envelope.provider),
            account=without_nul(delivery.envelope.account),
            received_at=delivery.envelope.received_at,
            reason=without_nul(delivery.reason),
            detail=without_nul(delivery.detail),
            content_type=without_nul(delivery.envelope.content_type),
            headers=delivery.envelope.headers,
            body=delivery.envelope.body,
            account_from=without_nul(delivery.envelope.account_from),
        )
        for delivery_id, delivery in by_id.items()
    ]
    await connection.execute(_PUT_ASIDE, at, *_NewLetter.arrays(letters))


async def list_dead_letters(
    executor: Executor,
    *,
    source: str | None = None,
    reason: str | None = None,
    only_open: bool = True,
    after_id: int = 0,
    limit: int = 100,
) -> list[DeadLetter]:
    """Dead letters without their bodies, oldest first; `after_id` continues where the last list ended."""
    arguments = _LIST(after_id=after_id, source=source, reason=reason, only_open=only_open, limit=limit)
    with store_errors("listing dead letters"):
        records = await executor.fetch(*arguments)
    return [_letter(record) for record in records]


async def read_dead_letters(executor: Executor, ids: Sequence[int]) -> list[DeadLetterContent]:
    """The existing ones of these dead letters, whole, oldest first."""
    with store_errors("reading dead letters"):
        records = await executor.fetch(_SHOW, list(ids))
    return [
        DeadLetterContent(
            letter=_letter(record),
            envelope=Envelope(
                delivery_id=record["delivery_id"],
                source=record["source"],
                provider=record["provider"],
                account=record["account"],
                received_at=record["received_at"],
                content_type=record["content_type"],
                headers=record["headers"],
                body=record["body"],
                account_from=record["account_from"],
            ),
        )
        for record in records
    ]


async def newest_dead_letters(connection: Connection, *, most: int) -> tuple[int, datetime | None]:
    """How many wait for a person, counted up to `most`, and when the latest of them was set aside."""
    row = await connection.fetchrow(_NEWEST_OPEN, most)
    if row is None:
        raise AssertionError("an aggregate gives one row")
    return row["letters"], row["latest_at"]


async def count_open_dead_letters(executor: Executor) -> int:
    """How many dead letters wait for a person."""
    with store_errors("counting dead letters"):
        return int(await executor.fetchval(_COUNT_OPEN))


async def mark_replayed(
    executor: Executor, letters: Sequence[DeadLetter], *, at: datetime, person: str, note: str | None = None
) -> list[int]:
    """Marks letters as replayed; returns their ids. A letter that was set aside again since it was read stays open."""
    attempts = [_Attempt(id=letter.id, attempts=letter.attempts) for letter in letters]
    with store_errors("marking dead letters as replayed"):
        closing = _MARK_REPLAYED(at=at, person=person, note=note)
        records = await executor.fetch(*closing, *_Attempt.arrays(attempts))
    return [record["id"] for record in records]


async def discard_dead_letters(
    executor: Executor, ids: Sequence[int], *, at: datetime, person: str, note: str
) -> list[int]:
    """Discards the open letters among these; returns their ids. They stay readable."""
    with store_errors("discarding dead letters"):
        records = await executor.fetch(*_DISCARD(ids=list(ids), at=at, person=person, note=note))
    return [record["id"] for record in records]


def _letter(record: asyncpg.Record) -> DeadLetter:
    return DeadLetter(**{name: record[name] for name in DeadLetter.__struct_fields__})

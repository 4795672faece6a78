"""Puts dead letters back into the queue: after a fix, they are processed as if they had just arrived."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from schemas.envelope import decode_envelope, decode_parcel, encode_envelope, encode_parcel
from schemas.lane import Lane
from worker.contacts.acts import record_act
from worker.process.logs import get_logger, text_field
from worker.queue.port import QueueWriter
from worker.store.acts import finish_act
from worker.store.dead_letters import DeadLetterContent, list_dead_letters, mark_replayed, read_dead_letters
from worker.store.pool import Pool
from worker.store.sessions import transaction

_log = get_logger()

_MOST_NAMED_IDS = 20
_CHUNK = 50  # bodies can be megabytes: few at a time are in memory


class ReplayResult(Struct, frozen=True, kw_only=True):
    """How many dead letters were replayed, and how many could not be."""

    queued: tuple[int, ...]  # in the queue again, or would be (dry run)
    still_unreadable: tuple[int, ...]  # bytes that this version cannot read as an envelope either; they stay open


async def replay_dead_letters(
    pool: Pool,
    writer: QueueWriter,
    *,
    ids: Sequence[int] | None = None,
    source: str | None = None,
    reason: str | None = None,
    person: str,
    now: datetime,
    note: str | None = None,
    dry_run: bool = False,
) -> ReplayResult:
    """The chosen dead letters are in the queue and marked as replayed when this returns.

    `ids` names them, and may name closed ones; without it, all open ones of this source and reason are replayed. One
    that fails again is open again, with one attempt more. Replaying a letter twice changes nothing: its events are
    recognised. Raises QueueUnavailable or StoreUnavailable; letters that are marked by then are in the queue, the
    others still open.
    """
    chosen = list(ids) if ids is not None else await _open_ids(pool, source=source, reason=reason)
    act_id = None if dry_run or not chosen else await _record(pool, chosen, actor=person, now=now, note=note)
    queued: list[int] = []
    still_unreadable: list[int] = []
    for start in range(0, len(chosen), _CHUNK):
        contents = await read_dead_letters(pool, chosen[start : start + _CHUNK])
        parcels = {content.letter.id: _parcel(content) for content in contents}
        readable = [content.letter for content in contents if parcels[content.letter.id] is not None]
        still_unreadable += [number for number, parcel in parcels.items() if parcel is None]
        queued += [letter.id for letter in readable]
        if dry_run:
            continue
        for letter in readable:
            parcel = parcels[letter.id]
            if parcel is not None:
                await writer.put(parcel, Lane(source=letter.source, bulk=True))
        await mark_replayed(pool, readable, at=now, person=person, note=note)
    if act_id is not None:
        await finish_act(pool, act_id, at=datetime.now(UTC))
        _log.info(
            "letters.replayed",
            actor=person,
            act_id=act_id,
            count=len(queued),
            unreadable=len(still_unreadable),
            note=None if note is None else text_field(note),
        )
    return ReplayResult(queued=tuple(queued), still_unreadable=tuple(still_unreadable))


def dead_letters_subject(verb: str, ids: Sequence[int]) -> str:
    """What an act does to these dead letters, in few words."""
    id_list = " ".join(map(str, ids[:_MOST_NAMED_IDS]))
    return f"dead-letters {verb} {id_list}" + (
        f" and {len(ids) - _MOST_NAMED_IDS} others" if len(ids) > _MOST_NAMED_IDS else ""
    )


async def _record(pool: Pool, ids: Sequence[int], *, actor: str, now: datetime, note: str | None) -> int:
    """Records the act before the first letter is queued: an act that is cut off stays on record, without an end."""
    async with transaction(pool, "recording an act") as connection:
        return await record_act(
            connection, dead_letters_subject("replay", ids), actor=actor, now=now, note=note, goes_on=True
        )


async def _open_ids(pool: Pool, *, source: str | None, reason: str | None) -> list[int]:
    ids: list[int] = []
    while page := await list_dead_letters(
        pool, source=source, reason=reason, after_id=ids[-1] if ids else 0, limit=1000
    ):
        ids += [letter.id for letter in page]
    return ids


def _parcel(content: DeadLetterContent) -> bytes | None:
    if content.letter.provider:
        return encode_parcel([encode_envelope(content.envelope)])
    # Bytes that were not a parcel or not an envelope: perhaps this version can read them.
    body = content.envelope.body
    try:
        decode_envelope(body)
    except msgspec.MsgspecError:
        pass
    else:
        return encode_parcel([body])
    try:
        return body if decode_parcel(body) else None
    except msgspec.MsgspecError:
        return None

"""Explains a contact's standing: its log, folded again, with the effect of each entry, in pages, latest first.

The log is read in slices, and only the page is kept: a million events take no more memory than ten, and other requests
are served between two slices. Postgres counts the rest of long stretches of calm events.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from msgspec import structs

from schemas.vocabulary import Channel, System
from worker.contacts.open_refolds import OpenRefold, open_refolds
from worker.contacts.policies import Policies
from worker.contacts.standing_view import StandingView, standing_view
from worker.contacts.story_items import StoryItem, step_view, stretch_view
from worker.errors import RequestRefused
from worker.policy.annotations import annotations
from worker.policy.checkpoint import FACTS_SHAPE
from worker.policy.event_order import order_key
from worker.policy.explain import Passed
from worker.policy.facts import Facts, OrderKey
from worker.policy.facts_encoding import decode_facts, facts_from_row
from worker.policy.policy_encoding import policy_number
from worker.policy.provisional import next_change, shown_standing
from worker.policy.rule import Policy
from worker.policy.story import StoryPage, Stretch, first_key
from worker.store.calm_stretches import CalmCounts, count_calm_events, lasting_place_back, next_lasting_place
from worker.store.checkpoints import checkpoint_before
from worker.store.contact_lookup import find_contact
from worker.store.contact_rows import ContactRow
from worker.store.log_span import END, Place, Span, from_time
from worker.store.pool import Executor
from worker.store.stored_entries import entries_at, first_entries, stored_annotations, whole_entries

DEFAULT_STEPS = 50
MAX_STEPS = 200
# Read and folded at once: about ten milliseconds, for which other requests of the process wait.
SLICE_ENTRIES = 500

_CURSOR = re.compile(r"(-?[0-9]{1,18})-([0-9]{1,3})-((?:[0-9a-f]{2}){0,64})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ExplanationAnswer(StandingView, frozen=True, kw_only=True):
    """The answer of `GET /v1/contacts/{address}/explanation`."""

    at: datetime
    next_change_at: datetime | None  # when time alone changes the standing
    events_before: datetime | None  # earlier events were dropped by a former version; only their effect is known
    steps: list[StoryItem]  # latest first
    next: str | None  # the `before` of the page with earlier steps; None: these are the first ones


async def contact_explanation(
    executor: Executor,
    address: str,
    *,
    policies: Policies,
    now: datetime,
    account: str = "default",
    channel: Channel = Channel.EMAIL,
    limit: int = DEFAULT_STEPS,
    before: str | None = None,
    names: System | None = None,
    slice_entries: int = SLICE_ENTRIES,
) -> ExplanationAnswer | None:
    """The standing of a contact at `now`, and a page of its story; None if nothing was ever reported about it.

    The address is normalised. `before` is the `next` of the page with later steps. `names` adds the status' name in
    another system. Raises StoreUnavailable, and RequestRefused if `before` is not a cursor.
    """
    until = END if before is None else _place(before)
    row = await find_contact(executor, address, account=account, channel=channel)
    if row is None:
        return None
    policy = await policies.of(executor, row.policy_id)
    refold = (await open_refolds(executor, [row.id])).get(row.id)
    page = await _page(executor, row, refold, until, policy=policy.policy, limit=limit, slice_entries=slice_entries)
    items = page.items()
    facts = facts_from_row(row)
    provisional = None if refold is None else refold.provisional
    standing = shown_standing(facts, provisional, policy.policy, now)
    view = standing_view(row, standing, facts, policy, is_provisional=provisional is not None, names=names)
    return ExplanationAnswer(
        **structs.asdict(view),
        at=now,
        next_change_at=next_change(facts, provisional, policy.policy, now),
        events_before=row.base_until,
        steps=await _views(executor, row.id, items, policy.policy),
        next=_cursor(first_key(items[-1])) if page.more else None,
    )


async def _page(
    executor: Executor,
    row: ContactRow,
    refold: OpenRefold | None,
    until: Place,
    *,
    policy: Policy,
    limit: int,
    slice_entries: int,
) -> StoryPage:
    known = annotations(await stored_annotations(executor, row.id))
    facts, after = await _start(executor, row, refold, until, policy=policy, limit=limit)
    page = StoryPage(facts, known=known, policy=policy, limit=limit)
    skipping = _Skipping(executor, row.id, page, until)
    while entries := await first_entries(executor, row.id, Span(after=after, before=until), limit=slice_entries):
        page.feed(entries)
        if len(entries) < slice_entries // 2:
            break
        after = await skipping.skip(_place_of(order_key(entries[-1])))
    return page


async def _start(
    executor: Executor, row: ContactRow, refold: OpenRefold | None, until: Place, *, policy: Policy, limit: int
) -> tuple[Facts, Place]:
    """The facts at the last known place before the beginning of the page."""
    # One step more than the page shows, so that it knows whether there are earlier ones.
    begins = await lasting_place_back(executor, row.id, until, steps=limit)
    if begins is not None and refold is not None and refold.provisional is not None:
        # Checkpoints after the place reached do not contain the late entries.
        begins = None if refold.reached is None else min(begins, _place_of(refold.reached.key))
    if begins is not None:
        number = policy_number(policy)
        for one in await checkpoint_before(executor, row.id, begins, policy=number, shape=FACTS_SHAPE):
            return decode_facts(one.facts), (one.occurred_at, one.rank, one.entry_key)
    # Events before base_until are part of the base, even if their partition still exists.
    return decode_facts(row.base), from_time(row.base_until)


class _Skipping:
    """Skips the rest of calm stretches, which the page only counts."""

    def __init__(self, executor: Executor, contact_id: int, page: StoryPage, until: Place) -> None:
        self._executor, self._contact_id, self._page, self._until = executor, contact_id, page, until
        self._end: Place | None = None  # of the stretch that was counted last
        self._counts: CalmCounts | None = None

    async def skip(self, after: Place) -> Place:
        """The place before the next entry that is not calm; or the given place if nothing can be skipped."""
        page = self._page
        if not page.is_in_stretch:
            return after
        end = min(await next_lasting_place(self._executor, self._contact_id, after) or self._until, self._until)
        if self._counts is not None and end == self._end and not page.may_skip(self._counts.counts):
            return (
                after  # a count reads everything up to the end: a second one is only worth it if entries can be skipped
            )
        rest = Span(after=after, before=end)
        self._end, self._counts = end, await count_calm_events(self._executor, self._contact_id, rest)
        if self._counts.counts and page.may_skip(self._counts.counts):
            last = await entries_at(self._executor, self._contact_id, rest, self._counts.last_times)
            page.skip(self._counts.counts, last)
            return _place_of(order_key(last[-1]))
        return after


async def _views(
    executor: Executor, contact_id: int, items: Sequence[Passed | Stretch], policy: Policy
) -> list[StoryItem]:
    single_entries = [item.entry for item in items if isinstance(item, Passed)]
    whole = await whole_entries(executor, contact_id, single_entries) if single_entries else {}
    return [
        stretch_view(item, policy)
        if isinstance(item, Stretch)
        # The retention may have dropped an entry since it was folded.
        else step_view(item, whole.get(item.entry.event_key, item.entry), policy)
        for item in items
    ]


def _place_of(key: OrderKey) -> Place:
    return key.occurred_at, key.rank, key.event_key


def _cursor(key: OrderKey) -> str:
    return f"{(key.occurred_at - _EPOCH) // _MICROSECOND}-{key.rank}-{key.event_key.hex()}"


def _place(cursor: str) -> Place:
    match = _CURSOR.fullmatch(cursor)
    if match is not None:
        with suppress(OverflowError):
            return _EPOCH + int(match[1]) * _MICROSECOND, int(match[2]), bytes.fromhex(match[3])
    raise RequestRefused(
        "bad-parameter",
        f"before is {cursor[:40]!r}, which is not a cursor.",
        remedy="Send the `next` of an earlier answer, or leave it out for the latest steps.",
    )

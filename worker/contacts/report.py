"""One contact: its standing, the reason, the facts, and its history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, structs

from schemas.decision import ConsentProof, Decision, Permission, Strength
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.outgoing import HistoryLine
from schemas.vocabulary import Blame, Blocks, Cause, Channel, Kind, Status, System, Way
from worker.contacts.campaigns import ContactCampaignView, contact_campaigns
from worker.contacts.decision_view import DecisionView, decision_view
from worker.contacts.open_refolds import provisional_facts
from worker.contacts.people import AddressView, Belongings, PersonView, belongings
from worker.contacts.policies import NumberedPolicy, Policies
from worker.contacts.safelist_view import SafelistView, safelist_view
from worker.contacts.standing_view import StandingView, standing_view
from worker.policy.block import is_in_force
from worker.policy.complaint import Complaint
from worker.policy.consent import Consent, Optin, Wish
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.provisional import shown_standing
from worker.policy.reason import reason_sentence
from worker.policy.safelist import AttemptLimits
from worker.policy.sentences import suppression_sentence
from worker.policy.suppression import Suppression
from worker.store.contact_lookup import find_contact, status_history
from worker.store.contact_rows import ContactRow
from worker.store.pool import Executor
from worker.store.safelist_requests import requests_of_contact
from worker.store.stored_entries import entries_by_place, latest_entries

SHOWN_EVENTS = 50
SHOWN_CHANGES = 200

Proofs = Mapping[bytes, ConsentProof | None]  # of opt-ins, by the keys of their entries


class BlockView(Struct, frozen=True, kw_only=True):
    """The block of one rule, in force or ended."""

    rule: str
    status: Status
    reason: Cause
    blocks: Blocks
    since: datetime
    until: datetime | None
    in_force: bool
    lifted_by: tuple[str, ...]


class StrikesView(Struct, frozen=True, kw_only=True):
    """The failures that one rule has counted lately."""

    rule: str
    at: tuple[datetime, ...]


class WishView(Struct, frozen=True, kw_only=True):
    """An opt-out, or another wish that holds; an empty scope means everything."""

    scope: str
    at: datetime
    way: Way  # how we learned of it


class OptinView(Struct, frozen=True, kw_only=True):
    """Consent that has not been withdrawn; an empty scope means everything."""

    scope: str
    at: datetime
    strength: Strength
    proof: ConsentProof | None


class ConsentView(Struct, frozen=True, kw_only=True):
    """The person's consent, without the opt-outs."""

    do_not_contact: WishView | None
    declined_commercial: WishView | None
    unsubscribed_by_us: tuple[WishView, ...]
    prefers_fewer: tuple[WishView, ...]  # forbids nothing
    opted_in: tuple[OptinView, ...]
    permission: Permission | None  # as stated when the contact was added


class ComplaintView(Struct, frozen=True, kw_only=True):
    """The first complaint."""

    at: datetime
    reason: Cause
    stream: str  # the marketing stream that it is about; empty: other mail, or unknown


class ListingView(Struct, frozen=True, kw_only=True):
    """A block by a decision, in force or ended; the decisions name the actor."""

    at: datetime
    until: datetime | None
    reason: Cause
    blocks: Blocks
    in_force: bool
    lifted_by: tuple[str, ...]


class SuppressionView(Struct, frozen=True, kw_only=True):
    """An ESP did not try to send, because of its own list, and nothing was delivered since. It forbids nothing."""

    at: datetime
    reason: Cause
    provider: str
    source: str
    sentence: str  # with what to do at the ESP


class FactsView(Struct, frozen=True, kw_only=True):
    """The facts, each with its time."""

    last_delivered_at: datetime | None
    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    complaint: ComplaintView | None
    optouts: tuple[WishView, ...]  # by the person
    consent: ConsentView
    blocks: tuple[BlockView, ...]
    listings: tuple[ListingView, ...]
    suppression: SuppressionView | None
    strikes: tuple[StrikesView, ...]


class EventView(Struct, frozen=True, kw_only=True):
    """An event that an ESP reported."""

    event_key: str  # hexadecimal
    delivery_id: UUID
    occurred_at: datetime
    received_at: datetime
    kind: Kind
    reason: Cause
    blame: Blame
    provider: str
    source: str
    vendor_event: str
    message_id: str | None
    smtp_code: int | None
    enhanced_status: str | None
    diagnostic: str | None  # the server's own words
    scope: str | None
    way: Way | None
    machine: bool


class ContactReport(StandingView, frozen=True, kw_only=True):
    """The answer of `GET /v1/contacts/{address}`."""

    first_seen_at: datetime
    first_mailed_at: datetime | None  # None: no ESP ever reported a message to it
    why: str  # the reason for the standing, in one sentence: how often, since when, the server's last words
    lifted_by: tuple[str, ...]
    tags: tuple[str, ...]
    people: tuple[PersonView, ...]  # to whom the address belongs
    siblings: tuple[AddressView, ...]  # other addresses of these people
    campaigns: tuple[ContactCampaignView, ...]  # latest first
    facts: FactsView
    safelist: SafelistView  # whether a safelist request is possible
    history: list[HistoryLine]  # latest first
    events: list[EventView]  # latest first
    decisions: list[DecisionView]  # latest first


async def contact_report(
    executor: Executor,
    address: str,
    *,
    policies: Policies,
    now: datetime,
    account: str = "default",
    channel: Channel = Channel.EMAIL,
    names: System | None = None,
    limits: AttemptLimits | None = None,
) -> ContactReport | None:
    """Everything that is known about a contact at `now`; None if nothing was ever reported about it.

    The address is normalised. `names` adds the status' name in another system. `limits` are those of safelist requests;
    without them the defaults apply. Raises StoreUnavailable.
    """
    row = await find_contact(executor, address, account=account, channel=channel)
    if row is None:
        return None
    history = await status_history(executor, row.id, limit=SHOWN_CHANGES)
    entries = await latest_entries(executor, row.id, limit=SHOWN_EVENTS)
    provisional = (await provisional_facts(executor, [row.id])).get(row.id)
    policy = await policies.of(executor, row.policy_id)
    shown = shown_standing(facts_from_row(row), provisional, policy.policy, now)
    safelist = safelist_view(shown, await requests_of_contact(executor, row.key), limits or AttemptLimits())
    return _report(
        row,
        history,
        entries,
        await belongings(executor, row.id, policies=policies, now=now),
        policy,
        provisional=provisional,
        names=names,
        safelist=safelist,
        campaigns=await contact_campaigns(executor, row.id, names=names),
        proofs=await _proofs(executor, row.id, facts_from_row(row).consent.optins),
        now=now,
    )


def event_view(event: FeedbackEvent) -> EventView:
    """The event as the API shows it."""
    return EventView(
        event_key=event.event_key.hex(),
        delivery_id=event.delivery_id,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        kind=event.kind,
        reason=event.cause,
        blame=event.blame,
        provider=event.provider,
        source=event.source,
        vendor_event=event.vendor_event,
        message_id=event.message_id,
        smtp_code=event.smtp_code,
        enhanced_status=event.enhanced_status,
        diagnostic=event.diagnostic,
        scope=event.scope,
        way=event.way,
        machine=event.machine,
    )


def _report(
    row: ContactRow,
    history: list[HistoryLine],
    entries: Sequence[Entry],
    details: Belongings,
    policy: NumberedPolicy,
    *,
    provisional: Facts | None,
    names: System | None,
    safelist: SafelistView,
    campaigns: tuple[ContactCampaignView, ...],
    proofs: Proofs,
    now: datetime,
) -> ContactReport:
    facts = facts_from_row(row)
    standing = shown_standing(facts, provisional, policy.policy, now)
    view = standing_view(row, standing, facts, policy, is_provisional=provisional is not None, names=names)
    return ContactReport(
        **structs.asdict(view),
        first_seen_at=row.first_seen_at,
        first_mailed_at=row.first_mailed_at,
        why=reason_sentence(standing, facts, entries, most_entries=SHOWN_EVENTS),
        lifted_by=tuple(sorted(standing.lift_by)),
        **structs.asdict(details),
        campaigns=campaigns,
        facts=_facts_view(facts, now, proofs),
        safelist=safelist,
        history=history,
        events=[event_view(entry) for entry in entries if isinstance(entry, FeedbackEvent)],
        decisions=[decision_view(entry) for entry in entries if isinstance(entry, Decision)],
    )


def _complaint_view(complaint: Complaint) -> ComplaintView:
    return ComplaintView(at=complaint.at, reason=complaint.cause, stream=complaint.stream)


def _consent_view(known: Consent, proofs: Proofs) -> ConsentView:
    return ConsentView(
        do_not_contact=next(iter(_wish_views(known.no_contact)), None),
        declined_commercial=next(iter(_wish_views(known.declined)), None),
        unsubscribed_by_us=_wish_views(known.taken_off),
        prefers_fewer=_wish_views(known.fewer),
        opted_in=tuple(
            OptinView(scope=one.scope, at=one.at, strength=one.strength, proof=proofs.get(one.event_key))
            for one in known.optins
        ),
        permission=known.permission,
    )


def _wish_views(wishes: Sequence[Wish]) -> tuple[WishView, ...]:
    return tuple(WishView(scope=wish.scope, at=wish.at, way=wish.way) for wish in wishes)


def _suppression_view(known: Suppression) -> SuppressionView:
    return SuppressionView(
        at=known.at,
        reason=known.cause,
        provider=known.provider,
        source=known.source,
        sentence=suppression_sentence(known),
    )


async def _proofs(executor: Executor, contact_id: int, optins: Sequence[Optin]) -> Proofs:
    """The proof of each opt-in, by the key of its entry."""
    if not optins:
        return {}
    places = [(optin.at, optin.event_key) for optin in optins]
    entries = await entries_by_place(executor, contact_id, places)
    return {key: entry.proof for key, entry in entries.items() if isinstance(entry, Decision)}


def _facts_view(facts: Facts, now: datetime, proofs: Proofs) -> FactsView:
    complaint, suppression = facts.complaint, facts.deliverability.suppression
    return FactsView(
        last_delivered_at=facts.engagement.last_delivered_at,
        last_opened_at=facts.engagement.last_opened_at,
        last_clicked_at=facts.engagement.last_clicked_at,
        complaint=None if complaint is None else _complaint_view(complaint),
        optouts=_wish_views(facts.consent.optouts),
        consent=_consent_view(facts.consent, proofs),
        blocks=tuple(
            BlockView(
                rule=block.rule,
                status=block.status,
                reason=block.cause,
                blocks=block.blocks,
                since=block.since,
                until=block.until,
                in_force=is_in_force(block, now),
                lifted_by=tuple(sorted(block.lift_by)),
            )
            for block in facts.deliverability.blocks
        ),
        listings=tuple(
            ListingView(
                at=listing.since,
                until=listing.until,
                reason=listing.cause,
                blocks=listing.blocks,
                in_force=listing.is_in_force(now),
                lifted_by=tuple(sorted(listing.lift_by)),
            )
            for listing in facts.deliverability.listings
        ),
        suppression=None if suppression is None else _suppression_view(suppression),
        strikes=tuple(
            StrikesView(rule=state.rule, at=tuple(strike.at for strike in state.strikes))
            for state in facts.deliverability.rules
            if state.strikes
        ),
    )

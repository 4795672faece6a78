"""A contact and its standing, as the API shows them in the report and in the explanation."""

from datetime import datetime

from msgspec import Struct

from schemas.vocabulary import Blocks, Cause, MailClass, Status, System
from worker.contacts.policies import NumberedPolicy
from worker.policy.dimension import Standing
from worker.policy.facts import Facts
from worker.policy.other_names import name_in
from worker.policy.reason import short_reason
from worker.policy.sentences import lifts, standing_sentence
from worker.store.contact_rows import ContactRow


class PolicyView(Struct, frozen=True, kw_only=True):
    """The policy under which the contact was folded; the active one if all policies give the same result."""

    id: int  # 0: the configured policy, before any is stored
    name: str


class StandingView(Struct, frozen=True, kw_only=True):
    """The first fields of the answers of both routes."""

    address: str
    account: str
    channel: str
    status: Status
    blocks: Blocks
    forbids: tuple[MailClass, ...]  # the same as a list
    reason: Cause | None
    since: datetime | None
    until: datetime | None
    rule: str | None
    short: str  # the answer for a person, in at most five words
    name: str | None  # the name of the status in another system, if the question names a system
    sentence: str  # the standing, for a person
    lifts: str  # what ends it, for a person
    policy: PolicyView


def standing_view(
    row: ContactRow,
    standing: Standing,
    facts: Facts,
    policy: NumberedPolicy,
    *,
    is_provisional: bool,
    names: System | None = None,
) -> StandingView:
    """The view of the contact with this standing, which is newer than the stored one: that may have ended."""
    return StandingView(
        address=row.address,
        account=row.account,
        channel=row.channel,
        status=standing.status,
        blocks=standing.blocks,
        forbids=standing.blocks.classes,
        reason=None if standing.cause is Cause.NONE else standing.cause,
        since=standing.since,
        until=standing.until,
        rule=standing.rule,
        short=short_reason(standing),
        name=None if names is None else name_in(names, standing, facts),
        sentence=standing_sentence(standing, is_provisional=is_provisional),
        lifts=lifts(standing),
        policy=PolicyView(id=policy.id, name=policy.policy.name),
    )

"""May these addresses be mailed? The one question before every campaign. Whatever is in doubt is not allowed."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from schemas.address import normalise_recipient
from schemas.vocabulary import Blocks, Cause, Channel, MailClass, Status, forbidden_classes
from worker.contacts.open_refolds import provisional_facts
from worker.contacts.policies import Policies
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.provisional import shown_standing
from worker.policy.rule import Policy
from worker.store.contact_lookup import KnownStanding, find_contacts, look_up
from worker.store.contact_rows import ContactRow
from worker.store.pool import Executor


class CheckResult(Struct, frozen=True, kw_only=True, gc=False):
    """The answer for one address."""

    address: str  # as given
    allowed: bool
    forbids: Sequence[MailClass]  # all the classes of mail that must not be sent
    known: bool  # False: no ESP has ever reported anything about it
    status: str | None  # None: it is no address
    reason: str | None = None  # a Cause
    since: datetime | None = None
    until: datetime | None = None  # when the status ends by itself
    rule: str | None = None
    lifted_by: Sequence[str] = ()


class CheckAnswer(Struct, frozen=True, kw_only=True):
    """The answer of `POST /v1/check`: one result for each address, in the same order."""

    checked_at: datetime
    mail_class: MailClass
    allowed: int
    forbidden: int
    results: list[CheckResult]


async def check_addresses(
    executor: Executor,
    addresses: Sequence[str],
    *,
    mail_class: MailClass,
    policies: Policies,
    now: datetime,
    account: str = "default",
    channel: Channel = Channel.EMAIL,
) -> CheckAnswer:
    """Which of the addresses may be mailed at `now`, each answered as it was spelt.

    Other spellings of one address share its answer. What is no address is not allowed. Each contact's status is that
    under the policy which it was folded under; while something that came late is still being folded in, the stricter of
    those known. Raises StoreUnavailable: then nothing is known, and nothing may be sent.
    """
    spellings = [normalise_recipient(address, channel) for address in addresses]
    asked = list({spelling for spelling in spellings if spelling is not None})
    rows = await look_up(executor, account, channel, asked) if asked else []
    standings = {row.address: row for row in rows}
    due = [row.address for row in rows if row.next_change_at is not None and row.next_change_at <= now]
    if due:
        overtaken = await find_contacts(executor, account, channel, due)
        folded_under = await policies.of_all(executor, {row.policy_id for row in overtaken})
        provisional = await provisional_facts(executor, [row.id for row in overtaken])
        for row in overtaken:
            policy = folded_under[row.policy_id].policy
            standings[row.address] = _overtaken(row, provisional.get(row.id), policy, now)
    results = []
    allowed = 0
    for address, spelling in zip(addresses, spellings, strict=True):
        known = standings.get(spelling) if spelling is not None else None
        if known is not None:
            forbids = forbidden_classes(known.blocks)
            may = mail_class not in forbids
            allowed += may
            results.append(
                CheckResult(
                    address=address,
                    allowed=may,
                    forbids=forbids,
                    known=True,
                    status=known.status,
                    reason=None if known.cause == "none" else known.cause,
                    since=known.status_since,
                    until=known.status_until,
                    rule=known.rule,
                    lifted_by=known.lift_by or (),
                )
            )
        elif spelling is None:
            results.append(
                CheckResult(
                    address=address,
                    allowed=False,
                    forbids=forbidden_classes(Blocks.ALL),
                    known=False,
                    status=None,
                    reason=Cause.INVALID_ADDRESS.value,
                )
            )
        else:
            allowed += 1
            results.append(CheckResult(address=address, allowed=True, forbids=(), known=False, status=Status.NEW.value))
    return CheckAnswer(
        checked_at=now,
        mail_class=mail_class,
        allowed=allowed,
        forbidden=len(results) - allowed,
        results=results,
    )


def _overtaken(row: ContactRow, provisional: Facts | None, policy: Policy, now: datetime) -> KnownStanding:
    """Where a contact stands whose stored standing has been overtaken by time."""
    shown = shown_standing(facts_from_row(row), provisional, policy, now)
    return KnownStanding(
        address=row.address,
        status=shown.status.value,
        blocks=shown.blocks.value,
        status_since=shown.since,
        status_until=shown.until,
        cause=shown.cause.value,
        rule=shown.rule,
        lift_by=sorted(shown.lift_by),
        next_change_at=None,
    )

"""May these addresses be mailed? The one question before every campaign. In doubt, the answer is no."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from schemas.address import normalise_recipient
from schemas.vocabulary import Blocks, Cause, Channel, MailClass, Status, System, forbidden_classes
from worker.contacts.open_refolds import provisional_facts
from worker.contacts.policies import Policies
from worker.policy.dimension import Standing
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.other_names import name_in
from worker.policy.provisional import shown_standing
from worker.policy.rule import Policy
from worker.policy.scope import policy_within, within
from worker.store.contact_lookup import KnownStanding, find_contacts, find_opted_out, look_up
from worker.store.contact_rows import ContactRow
from worker.store.pool import Executor


class CheckResult(Struct, frozen=True, kw_only=True, gc=False):
    """The answer for one address."""

    address: str  # as given
    allowed: bool
    forbids: Sequence[MailClass]  # all the classes of mail that must not be sent
    known: bool  # False: no ESP has ever reported anything about it
    never_mailed: bool  # no ESP ever reported a message to it
    status: str | None  # None: it is not an address
    reason: str | None = None  # a Cause
    since: datetime | None = None
    until: datetime | None = None  # when the status ends by itself
    rule: str | None = None
    lifted_by: Sequence[str] = ()
    name: str | None = None  # the name of the status in another system, if the question names a system


NO_ADDRESS = Cause.INVALID_ADDRESS.value
_NEW = Standing(status=Status.NEW, blocks=Blocks.NONE, since=None, until=None)


class CheckAnswer(Struct, frozen=True, kw_only=True):
    """The answer of `POST /v1/check`: one result for each address, in the same order."""

    checked_at: datetime
    mail_class: MailClass
    scope: str | None  # the list or group that was asked about
    allowed: int
    forbidden: int
    allowed_by_status: dict[str, int]  # names every status; NO_ADDRESS counts texts that are not addresses
    forbidden_by_status: dict[str, int]
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
    scope: str | None = None,
    names: System | None = None,
) -> CheckAnswer:
    """Which of the addresses may be mailed at `now`; the answer repeats each address as it was spelt.

    All spellings of one address have the same answer. A text that is not an address is not allowed. The status of a
    contact follows from the policy under which it was folded; while late entries are still being folded in, the
    stricter of the two known statuses counts. `scope` is a list or group: opt-outs of other lists do not count then;
    without a scope, all of them do. `names` adds each status' name in another system; this reads the facts of all
    contacts, which takes longer. Raises StoreUnavailable: then nothing is known, and nothing may be sent.
    """
    spellings = [normalise_recipient(address, channel) for address in addresses]
    distinct = list({spelling for spelling in spellings if spelling is not None})
    rows = await look_up(executor, distinct, account=account, channel=channel) if distinct else []
    standings = {row.address: row for row in rows}
    other_names: dict[str, str] = {}
    overtaken = await _not_as_stored(
        executor, rows, account=account, channel=channel, scope=scope, all_of_them=names is not None, now=now
    )
    if overtaken:
        folded_under = await policies.of_all(executor, {row.policy_id for row in overtaken})
        provisional = await provisional_facts(executor, [row.id for row in overtaken])
        for row in overtaken:
            policy = folded_under[row.policy_id].policy
            facts, shown = _derived(row, provisional.get(row.id), policy, now, scope)
            standings[row.address] = _known_standing(row, shown)
            if names is not None:
                other_names[row.address] = name_in(names, shown, facts)
    name_of_new = None if names is None else name_in(names, _NEW, Facts())
    results = []
    allowed_by_status, forbidden_by_status = _no_counts(), _no_counts()
    meanings: dict[str, tuple[tuple[MailClass, ...], bool, Counter[str]]] = {}
    for blocks in {row.blocks for row in standings.values()}:
        classes = forbidden_classes(blocks)
        may = mail_class not in classes
        meanings[blocks] = classes, may, allowed_by_status if may else forbidden_by_status
    for address, spelling in zip(addresses, spellings, strict=True):
        known = standings.get(spelling) if spelling is not None else None
        if known is not None:
            forbids, may, by_status = meanings[known.blocks]
            by_status[known.status] += 1
            results.append(
                CheckResult(
                    address=address,
                    allowed=may,
                    forbids=forbids,
                    known=True,
                    never_mailed=known.never_mailed,
                    status=known.status,
                    reason=None if known.cause == "none" else known.cause,
                    since=known.status_since,
                    until=known.status_until,
                    rule=known.rule,
                    lifted_by=known.lift_by or (),
                    name=other_names.get(known.address),
                )
            )
        elif spelling is None:
            forbidden_by_status[NO_ADDRESS] += 1
            results.append(
                CheckResult(
                    address=address,
                    allowed=False,
                    forbids=forbidden_classes(Blocks.ALL),
                    known=False,
                    never_mailed=True,
                    status=None,
                    reason=Cause.INVALID_ADDRESS.value,
                )
            )
        else:
            allowed_by_status[Status.NEW.value] += 1
            results.append(
                CheckResult(
                    address=address,
                    allowed=True,
                    forbids=(),
                    known=False,
                    never_mailed=True,
                    status=Status.NEW.value,
                    name=name_of_new,
                )
            )
    return CheckAnswer(
        checked_at=now,
        mail_class=mail_class,
        scope=scope,
        allowed=sum(allowed_by_status.values()),
        forbidden=sum(forbidden_by_status.values()),
        allowed_by_status=allowed_by_status,
        forbidden_by_status=forbidden_by_status,
        results=results,
    )


def _no_counts() -> Counter[str]:
    """Zero for every status; statuses that a later version has written are added when they occur."""
    return Counter(dict.fromkeys((*(status.value for status in Status), NO_ADDRESS), 0))


async def _not_as_stored(
    executor: Executor,
    rows: Sequence[KnownStanding],
    *,
    account: str,
    channel: Channel,
    scope: str | None,
    all_of_them: bool,
    now: datetime,
) -> list[ContactRow]:
    """The contacts whose stored standing is not the answer: it is out of date, or it counts opt-outs of other lists.

    They are few, unless `all_of_them` are wanted. For all other contacts the look-up is enough.
    """
    if all_of_them:
        every = [row.address for row in rows]
        return await find_contacts(executor, every, account=account, channel=channel) if every else []
    due = [row.address for row in rows if row.next_change_at is not None and row.next_change_at <= now]
    overtaken = await find_contacts(executor, due, account=account, channel=channel) if due else []
    if scope is None or not rows:
        return overtaken
    opted_out = await find_opted_out(executor, [row.address for row in rows], account=account, channel=channel)
    return list({row.id: row for row in (*overtaken, *opted_out)}.values())


def _derived(
    row: ContactRow, provisional: Facts | None, policy: Policy, now: datetime, scope: str | None
) -> tuple[Facts, Standing]:
    """A contact's facts within the scope, and its standing by these facts."""
    facts = facts_from_row(row)
    if scope is not None:
        facts, policy = within(facts, scope), policy_within(policy)
        provisional = None if provisional is None else within(provisional, scope)
    return facts, shown_standing(facts, provisional, policy, now)


def _known_standing(row: ContactRow, shown: Standing) -> KnownStanding:
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
        never_mailed=row.first_mailed_at is None,
    )

"""May these addresses be mailed? The one question before every campaign. Whatever is in doubt is not allowed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.address import normalise_address
from schemas.vocabulary import Blocks, Cause, Channel, MailClass, Status
from worker.api.contact_facts import facts_of, standing_at
from worker.policy.rule import Policy
from worker.store.contact_lookup import find_contacts, look_up
from worker.store.pool import Executor


class CheckRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/check`. An unknown field is refused: a misspelt mail_class must not go unseen."""

    addresses: list[str]
    mail_class: MailClass = MailClass.MARKETING  # the class that is forbidden more often
    account: str = "default"
    channel: Literal["email"] = "email"


class CheckResult(Struct, frozen=True, kw_only=True, gc=False):
    """The answer for one address."""

    address: str  # as given
    allowed: bool
    known: bool  # False: no ESP has ever reported anything about it
    status: str | None  # None: it is no address
    reason: str | None = None  # a Cause
    since: datetime | None = None
    until: datetime | None = None  # when the status ends by itself
    rule: str | None = None
    lifted_by: tuple[str, ...] | list[str] = ()


class CheckAnswer(Struct, frozen=True, kw_only=True):
    """The answer of `POST /v1/check`: one result for each address, in the same order."""

    checked_at: datetime
    mail_class: MailClass
    allowed: int
    forbidden: int
    results: list[CheckResult]


class _Question(Struct, frozen=True, kw_only=True):
    account: str
    channel: str
    mail_class: MailClass
    policy: Policy
    now: datetime


_NEVER_REPORTED = (True, False, Status.NEW.value, None, None, None, None, ())
_NO_ADDRESS = (False, False, None, Cause.INVALID_ADDRESS.value, None, None, None, ())
_Verdict = tuple[
    bool,
    bool,
    str | None,
    str | None,
    datetime | None,
    datetime | None,
    str | None,
    tuple[str, ...] | list[str],
]


async def check_addresses(
    executor: Executor,
    addresses: Sequence[str],
    *,
    mail_class: MailClass,
    policy: Policy,
    now: datetime,
    account: str = "default",
    channel: str = Channel.EMAIL,
) -> CheckAnswer:
    """Which of the addresses may be mailed at `now`, each answered as it was spelt.

    Other spellings of one address share its answer. What is no address is not allowed. Raises
    StoreUnavailable: then nothing is known, and nothing may be sent.
    """
    spellings = [normalise_address(address) for address in addresses]
    asked = {spelling for spelling in spellings if spelling is not None}
    question = _Question(account=account, channel=channel, mail_class=mail_class, policy=policy, now=now)
    verdicts = await _verdicts(executor, list(asked), question)
    results = []
    allowed = 0
    for address, spelling in zip(addresses, spellings, strict=True):
        verdict = _NO_ADDRESS if spelling is None else verdicts.get(spelling, _NEVER_REPORTED)
        may, known, status, reason, since, until, rule, lifted_by = verdict
        allowed += may
        results.append(
            CheckResult(
                address=address,
                allowed=may,
                known=known,
                status=status,
                reason=reason,
                since=since,
                until=until,
                rule=rule,
                lifted_by=lifted_by,
            )
        )
    return CheckAnswer(
        checked_at=now,
        mail_class=mail_class,
        allowed=allowed,
        forbidden=len(results) - allowed,
        results=results,
    )


async def _verdicts(executor: Executor, addresses: list[str], question: _Question) -> dict[str, _Verdict]:
    # Words that this version does not know forbid: only these are known to allow.
    allowing = {blocks.value for blocks in Blocks if not blocks.forbids(question.mail_class)}
    verdicts: dict[str, _Verdict] = {}
    due = []
    now = question.now
    records = await look_up(executor, question.account, question.channel, addresses) if addresses else []
    for address, status, blocks, since, until, cause, rule, lift_by, next_change_at in records:
        if next_change_at is not None and next_change_at <= now:
            due.append(address)
        reason = None if cause == "none" else cause
        verdicts[address] = (blocks in allowing, True, status, reason, since, until, rule, lift_by or ())
    if due:
        verdicts |= await _verdicts_from_facts(executor, due, question)
    return verdicts


async def _verdicts_from_facts(executor: Executor, addresses: list[str], question: _Question) -> dict[str, _Verdict]:
    """For contacts whose stored standing has been overtaken by time."""
    verdicts: dict[str, _Verdict] = {}
    for row in await find_contacts(executor, question.account, question.channel, addresses):
        shown = standing_at(facts_of(row), question.policy, question.now)
        verdicts[row.address] = (
            not shown.blocks.forbids(question.mail_class),
            True,
            shown.status.value,
            None if shown.cause is Cause.NONE else shown.cause.value,
            shown.since,
            shown.until,
            shown.rule,
            tuple(sorted(shown.lift_by)),
        )
    return verdicts

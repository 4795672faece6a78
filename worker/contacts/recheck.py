"""Checks an address again: its domain as it is now, and the facts. This frees the contact if a rule says so."""

from datetime import UTC, datetime

from msgspec import Struct

from schemas.address import normalise_recipient
from schemas.decision import DecisionKind, Origin, Role
from schemas.vocabulary import Cause, Channel
from worker.contacts.act_start import act_of, store_act
from worker.contacts.batch_terms import Applied, BatchRules
from worker.contacts.decision_report import report_decisions
from worker.contacts.locked_contact import locked_contact
from worker.contacts.mail_domain import DomainLookup
from worker.contacts.principal import Principal
from worker.contacts.report import ContactReport, contact_report
from worker.contacts.safelist_facts import liftable
from worker.contacts.single_decision import carry_out, in_one_transaction, new_decision
from worker.policy.recheck import DomainAnswer, DomainState, RecheckVerdict, recheck
from worker.policy.safelist import AttemptLimits
from worker.policy.sentences import lifts
from worker.policy.standing import standing
from worker.store.acts import finish_act
from worker.store.contact_rows import ContactKey
from worker.store.pool import WriterConnection, WriterPool

RULES_NAME = "recheck rules"  # the actor of a lift


class RecheckRules(Struct, frozen=True, kw_only=True):
    """The rules of an installation."""

    lookup: DomainLookup | None  # None: the DNS is not asked
    frees: frozenset[Cause]
    limits: AttemptLimits


class RecheckQuestion(Struct, frozen=True, kw_only=True):
    """Which address to check again, and who asks."""

    address: str  # as given
    account: str
    channel: Channel
    principal: Principal
    what: str  # the sort of act: call, command
    dry_run: bool = False


class RecheckAnswer(Struct, frozen=True, kw_only=True):
    """The result of the check."""

    address: str  # as given
    is_address: bool  # False: it is not an address, and nothing else was checked
    domain: DomainAnswer
    freed: bool
    act_id: int | None  # of the lift; None in a dry run
    dry_run: bool
    sentence: str
    remedy: str | None
    contact: ContactReport | None  # after the check; None: nothing is known about it


async def recheck_contact(
    pool: WriterPool, question: RecheckQuestion, *, batch: BatchRules, rules: RecheckRules
) -> RecheckAnswer:
    """The answer. If it says that the contact is freed, that is in effect. Raises StoreUnavailable."""
    address = normalise_recipient(question.address, question.channel)
    if address is None:
        what = "an e-mail address" if question.channel is Channel.EMAIL else "a phone number with its country"
        return _answer(question, f"This is not {what}.", remedy="Correct it.")
    name = address.rpartition("@")[2]
    domain = DomainAnswer(state=DomainState.NOT_ASKED)
    if rules.lookup is not None and question.channel is Channel.EMAIL:
        domain = await rules.lookup.ask(name)  # before the contact is locked
    key = ContactKey(address=address, account=question.account, channel=question.channel.value)
    verdict, act_id = await _free(pool, question, key, domain, batch=batch, frees=rules.frees)
    report = await contact_report(
        pool,
        address,
        policies=batch.policies,
        now=datetime.now(UTC),
        account=question.account,
        channel=question.channel,
        limits=rules.limits,
    )
    return RecheckAnswer(
        address=question.address,
        is_address=True,
        domain=domain,
        freed=verdict.frees,
        act_id=act_id,
        dry_run=question.dry_run,
        sentence=verdict.sentence,
        remedy=verdict.remedy,
        contact=report,
    )


def _answer(question: RecheckQuestion, sentence: str, *, remedy: str) -> RecheckAnswer:
    return RecheckAnswer(
        address=question.address,
        is_address=False,
        domain=DomainAnswer(state=DomainState.NOT_ASKED),
        freed=False,
        act_id=None,
        dry_run=question.dry_run,
        sentence=sentence,
        remedy=remedy,
        contact=None,
    )


async def _free(
    pool: WriterPool,
    question: RecheckQuestion,
    key: ContactKey,
    domain: DomainAnswer,
    *,
    batch: BatchRules,
    frees: frozenset[Cause],
) -> tuple[RecheckVerdict, int | None]:
    """The verdict, and the act of the lift if there is one."""
    verdict, act_id, applied = await in_one_transaction(
        pool,
        "checking an address again",
        lambda connection: _decide(connection, question, key, domain, batch=batch, frees=frees),
        dry_run=question.dry_run,
    )
    if question.dry_run:
        return verdict, None
    report_decisions(applied)
    return verdict, act_id


async def _decide(
    connection: WriterConnection,
    question: RecheckQuestion,
    key: ContactKey,
    domain: DomainAnswer,
    *,
    batch: BatchRules,
    frees: frozenset[Cause],
) -> tuple[RecheckVerdict, int | None, Applied]:
    now = datetime.now(UTC)
    contact = await locked_contact(connection, key, policies=batch.policies, now=now)
    several = contact.forbidding(now)
    verdict = recheck(
        several,
        domain,
        name=key.address.rpartition("@")[2],
        frees=frees if liftable(several) == several else frozenset(),
        ways=lifts(standing(contact.facts, contact.policy, now)),
    )
    if not verdict.frees:
        return verdict, None, Applied()
    act = act_of(
        question.principal,
        account=key.account,
        what=question.what,
        idempotency_key=None,
        request_hash=None,
        note=verdict.sentence,
        at=now,
        subject="recheck",
    )
    act_id = await store_act(connection, act)
    lift = new_decision(
        key,
        DecisionKind.LIFTED,
        act_id=act_id,
        actor=RULES_NAME,
        role=Role.OPERATOR,
        origin=Origin.RULE,
        note=f"checked again by {question.principal.name}: the domain takes mail now ({', '.join(domain.hosts)})",
        now=now,
    )
    applied = await carry_out(connection, lift, rules=batch, now=now)
    await finish_act(connection, act_id, at=now)
    return verdict, act_id, applied

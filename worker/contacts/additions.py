"""Adds contacts, one by one or by the thousand, with their tags and the people to whom they belong.

An addition is the decision `added`. It neither blocks nor frees a contact that is known already. Tags and people are
written in the transaction of the decision.
"""

from collections.abc import Sequence

from msgspec import Struct

from schemas.addition import Addition
from schemas.address import normalise_recipient
from schemas.decision import Permission
from schemas.decision_request import DecisionTerms, RequestedKind
from schemas.vocabulary import Channel
from worker.contacts.batch_terms import BatchRules
from worker.contacts.decision_answer import SkippedAddress, SkipReason
from worker.contacts.decisions import Progress, Question, decide_contacts
from worker.contacts.principal import Principal
from worker.contacts.profile import fault_of, profile_of
from worker.errors import RequestRefused
from worker.store.pool import WriterPool


class AdditionTerms(Struct, frozen=True, kw_only=True):
    """Applies to all contacts of a request: the terms, and who adds them."""

    permission: Permission  # of contacts that name no other
    tags: tuple[str, ...] = ()
    note: str | None = None
    account: str
    channel: Channel
    principal: Principal
    what: str  # the sort of act: call, command
    idempotency_key: str | None = None
    dry_run: bool = False


class AdditionAnswer(Struct, frozen=True, kw_only=True):
    """The result of one request. `added`, `known`, `skipped` and `duplicates` add up to `contacts`."""

    act_id: int | None  # None: a dry run
    account: str
    channel: Channel
    dry_run: bool
    repeated: bool  # the Idempotency-Key was used before, with the same request
    contacts: int  # in the request
    added: int
    known: int  # already: their status does not change; their tags and people are stored as well
    skipped: int
    duplicates: int  # further rows with the same address: their tags and people are stored as well
    skipped_contacts: list[SkippedAddress]


async def add_contacts(
    pool: WriterPool,
    additions: Sequence[Addition],
    terms: AdditionTerms,
    *,
    rules: BatchRules,
    progress: Progress | None = None,
) -> AdditionAnswer:
    """Every contact that is not skipped is stored, with its tags and people, when this returns.

    After a crash or an error, repeat the request with the same idempotency key. Raises RequestRefused for
    tags that cannot be stored, and for an idempotency key that was used for another request; StoreUnavailable.
    """
    if (fault := fault_of(Addition(address="", tags=terms.tags))) is not None:
        raise RequestRefused(
            "bad-decision", f"The tags of all contacts cannot be stored. {fault}", remedy="Correct them."
        )
    faulty: list[SkippedAddress] = []
    addresses: list[str] = []
    of_address: dict[str, list[Addition]] = {}
    for addition in additions:
        address = normalise_recipient(addition.address, terms.channel)
        fault = None if address is None else fault_of(addition)
        if fault is not None:
            faulty.append(faulty_row(addition.address, fault))
            continue
        addresses.append(addition.address)
        if address is not None:
            of_address.setdefault(address, []).append(addition)
    question = Question(
        terms=DecisionTerms(kind=RequestedKind.ADDED, note=terms.note, permission=terms.permission),
        addresses=addresses,
        account=terms.account,
        channel=terms.channel,
        principal=terms.principal,
        what=terms.what,
        idempotency_key=terms.idempotency_key,
        dry_run=terms.dry_run,
        profiles={
            address: profile_of(rows, permission=terms.permission, tags=terms.tags)
            for address, rows in of_address.items()
        },
    )
    answer = await decide_contacts(pool, question, rules=rules, progress=progress)
    return AdditionAnswer(
        act_id=answer.act_id,
        account=answer.account,
        channel=answer.channel,
        dry_run=answer.dry_run,
        repeated=answer.repeated,
        contacts=len(additions),
        added=answer.made,
        known=answer.unchanged,
        skipped=answer.skipped + len(faulty),
        duplicates=answer.duplicates,
        skipped_contacts=[*faulty, *answer.skipped_addresses],
    )


def faulty_row(address: str, fault: str) -> SkippedAddress:
    """The result for a row whose address is fine, but which has another fault."""
    return SkippedAddress(address=address, reason=SkipReason.FAULTY_ROW, sentence=fault, remedy="Correct the row.")

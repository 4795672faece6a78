"""Contacts come in: one by one and in thousands, with tags and the people whose addresses they are.

An addition is the decision `added`; what is known of a contact already is neither lowered nor raised by it. Tags and
people are written by the transaction that decides.
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
    """What all contacts of a request have in common, and who adds them."""

    permission: Permission  # of those that name none
    tags: tuple[str, ...] = ()
    note: str | None = None
    account: str
    channel: Channel
    principal: Principal
    what: str  # the sort of act: call, command
    idempotency_key: str | None = None
    dry_run: bool = False


class AdditionAnswer(Struct, frozen=True, kw_only=True):
    """What came of one request. `added`, `known`, `skipped` and `duplicates` add up to `contacts`."""

    act_id: int | None  # None: a dry run
    account: str
    channel: Channel
    dry_run: bool
    repeated: bool  # the Idempotency-Key was used before, with the same request
    contacts: int  # that were given
    added: int
    known: int  # before: their status is as it was; tags and people are noted of them too
    skipped: int
    duplicates: int  # further rows with an address that was given: their tags and people are noted too
    skipped_contacts: list[SkippedAddress]


async def add_contacts(
    pool: WriterPool,
    additions: Sequence[Addition],
    terms: AdditionTerms,
    *,
    rules: BatchRules,
    progress: Progress | None = None,
) -> AdditionAnswer:
    """Every contact that is not skipped is known, with its tags and people, when this returns.

    Killed or failed in the middle, it is to be asked again with the same idempotency key. Raises RequestRefused for
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
    """What is told of a row with an address that has something else wrong."""
    return SkippedAddress(address=address, reason=SkipReason.FAULTY_ROW, sentence=fault, remedy="Correct the row.")

"""The rules for every batch of entries, and the result of one."""

from collections import Counter
from datetime import datetime

import msgspec
from msgspec import Struct

from schemas.decision import Decision
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.raw_keeping import KeepRaw
from schemas.vocabulary import Kind
from worker.contacts.decision_result import DecisionResult
from worker.contacts.late_entries import LogReading
from worker.contacts.open_refolds import OpenRefold
from worker.contacts.policies import NumberedPolicy, Policies
from worker.store.contact_rows import ContactKey, ContactStanding, LockedContact
from worker.store.status_history import StatusChange

# How a message ends, and what mailbox providers judge a sender by.
SENDING_KINDS = frozenset({Kind.DELIVERED, Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.BLOCKED, Kind.COMPLAINT})


class Applied(Struct, kw_only=True):
    """What a batch did; for the log line, the metrics and the tests."""

    new_events: int = 0
    duplicates: int = 0
    expired: int = 0
    contacts: int = 0
    refolded: int = 0
    changes: list[StatusChange] = []
    leftover: list[FeedbackEvent] = []
    leftover_decisions: list[Decision] = []
    requested_refolds: list[OpenRefold] = []  # of contacts that were not being folded again before
    results: list[DecisionResult] = []  # of decisions that are made now, or were stored before
    kinds: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)  # (provider, kind) of new events
    sendings: list[FeedbackEvent] = []  # the new events of SENDING_KINDS


class BatchRules(Struct, frozen=True, kw_only=True):
    """The rules for every batch."""

    policies: Policies
    oldest_kept: (
        datetime  # earlier calm events are past the retention: kept if they have an effect, otherwise only counted
    )
    former_keys_until: datetime | None = None  # earlier events may be stored by a key of the former form
    keep_raw: KeepRaw = KeepRaw.FAILURES
    reading: LogReading = LogReading()


class BatchContact(Struct, kw_only=True):
    """A contact that exists already, locked, and its entries in this batch."""

    key: ContactKey
    row: LockedContact
    entries: list[Entry]
    policy: NumberedPolicy  # the active one; the row's if a re-fold in the background will change that
    standing: ContactStanding | None = None  # under the active policy, if the row has that of a former one

"""One thing that a person, an import or a rule decided about one contact.

Decisions and the events of ESPs together are a contact's log: `schemas.entry.Entry` is either. Every decision belongs
to an act, the one command, call or job that made it: ten thousand addresses in one call are one act.
"""

from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

from msgspec import Struct, json

from schemas.vocabulary import Blocks, Cause, Channel, Way


class DecisionKind(StrEnum):
    """What was decided. The values are stored, logged and sent; an old one never changes its meaning.

    No kind of event has the same word (schemas.vocabulary.Kind): an entry's kind is known by its word alone.
    """

    ADDED = "added"  # the contact is known to us, with the permission that is stated
    OPTED_IN = "opted_in"  # consent, with its proof and strength
    LIFTED = "lifted"  # ends blocks, strikes and the complaint that began before it
    UNSUBSCRIBED_BY_US = "unsubscribed_by_us"  # we take the contact off, for a reason of ours
    UNSUBSCRIBED = "unsubscribed"  # the person's wish, as somebody of ours was told: no marketing, or none of a list
    LISTED = "listed"  # blocklisted: by hand, by an import, by a rule
    DECLINED_COMMERCIAL = "declined_commercial"  # the person's wish: no commercial messages
    DO_NOT_CONTACT = "do_not_contact"  # the person's wish: no message at all, ever
    # These change no fact by themselves. They annotate the contact's entries before those are folded.
    VOIDED = "voided"  # the named entries never happened
    HELD_BACK = "held_back"  # the named entries wait for a decision
    RELEASED = "released"  # the named entries are held back no longer


ANNOTATIONS = frozenset({DecisionKind.VOIDED, DecisionKind.HELD_BACK, DecisionKind.RELEASED})


class Origin(StrEnum):
    """Where an entry of the log comes from. It does not depend on the kind: an import brings complaints too."""

    PROVIDER = "provider"  # an ESP reported it
    PERSON = "person"  # the contact, or somebody of ours
    IMPORT = "import"
    RULE = "rule"  # of this program


class Role(StrEnum):
    """What somebody may do. Each role may do what the one before it may."""

    READER = "reader"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """What is known of a contact's permission when it is added."""

    UNKNOWN = "unknown"  # nobody says that the person agreed: no marketing
    STATED = "stated"  # somebody of ours states that the person agreed
    NONE_NEEDED = "none_needed"  # a customer, a colleague: the law or the contract permits it


class Strength(StrEnum):
    """How sure it is that the person agreed."""

    SINGLE = "single"  # a form was filled in; anybody could have done that
    DOUBLE = "double"  # confirmed from the mailbox itself
    IMPORTED = "imported"  # somebody else's record says so
    STAFF = "staff"  # somebody of ours says so


class ConsentProof(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What shows that a person agreed."""

    source: str = ""  # the form, the campaign, the paper
    collected_at: datetime | None = None  # aware UTC
    form: str = ""
    ip_address: str = ""


class Decision(Struct, frozen=True, kw_only=True, gc=False, repr_omit_defaults=True):
    """Two decisions with the same `event_key` are the same, however often they arrive.

    Folded with the events of its contact in the order (occurred_at, rank, event_key).
    """

    event_key: bytes  # 16 bytes: a hash of act, contact and kind
    act_id: int
    account: str
    address: str  # normalised (schemas.address)
    channel: Channel = Channel.EMAIL
    kind: DecisionKind
    occurred_at: datetime  # aware UTC
    received_at: datetime  # aware UTC: when it was written
    origin: Origin = Origin.PERSON
    role: Role = Role.OPERATOR  # of who decided, at that time
    by_contact: bool = False  # the person whom the address belongs to decided it
    actor: str  # the name shown in the history: of a token, a person at the command line, a job
    note: str | None = None  # the reason, in the actor's words
    scope: str | None = None  # opted_in, unsubscribed (by us): the list or group; None for everything
    way: Way | None = None  # unsubscribed, declined_commercial, do_not_contact: how the person said so
    cause: Cause = Cause.NONE  # listed: why
    blocks: Blocks = Blocks.ALL  # listed: which mail it forbids
    until: datetime | None = None  # listed: ends by itself then
    permission: Permission | None = None  # added
    strength: Strength | None = None  # opted_in
    proof: ConsentProof | None = None  # opted_in
    entry_keys: tuple[bytes, ...] = ()  # voided, held_back, released: the entries of this contact that are meant

    @property
    def rank(self) -> int:
        """Its place among the entries of the same instant."""
        return DECISION_RANKS[self.kind]


def decision_key(act_id: int, *, account: str, channel: str, address: str, kind: DecisionKind) -> bytes:
    """The key of the act's decision about this contact: the same whenever the act is repeated."""
    said = json.encode([act_id, account, channel, address, kind])
    return _KEY_FORM + blake2b(said, digest_size=15).digest()


_KEY_FORM = b"\x80"  # as of the keys of events


# Behind the ranks of events (schemas.kind_rank): what is restrictive comes last. Stored data depend on them.
DECISION_RANKS: dict[DecisionKind, int] = {
    DecisionKind.ADDED: 200,
    DecisionKind.OPTED_IN: 210,
    DecisionKind.LIFTED: 220,
    DecisionKind.UNSUBSCRIBED_BY_US: 230,
    DecisionKind.UNSUBSCRIBED: 240,
    DecisionKind.LISTED: 260,
    DecisionKind.DECLINED_COMMERCIAL: 270,
    DecisionKind.DO_NOT_CONTACT: 280,
    DecisionKind.VOIDED: 300,
    DecisionKind.HELD_BACK: 310,
    DecisionKind.RELEASED: 320,
}

"""A typical day of feedback for a newsletter, with some addresses that have been failing for weeks."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from schemas.vocabulary import Cause, Kind
from worker.samples.sample import SampleEvent

_FIRST_NAMES = (
    "jane",
    "john",
    "maria",
    "li",
    "amara",
    "noah",
    "sofia",
    "omar",
    "eva",
    "raj",
    "mei",
    "ivan",
    "lucia",
    "tom",
)
_LAST_NAMES = (
    "miller",
    "garcia",
    "chen",
    "okafor",
    "novak",
    "rossi",
    "khan",
    "berg",
    "silva",
    "dubois",
    "sato",
    "kaya",
)
_DOMAINS = ("example.org", "example.net", "example.com")
# A rule counts at most one strike a day, so these addresses fail on this many days.
_FAILING_DAYS = 13


class Fate(Struct, frozen=True, kw_only=True):
    """What happens to a share of the recipients, and the server's reply."""

    share: float
    kind: Kind
    cause: Cause = Cause.NONE
    smtp_code: int | None = None
    enhanced_status: str | None = None
    diagnostic: str | None = None
    for_days: int = 1


FATES: tuple[Fate, ...] = (
    Fate(share=0.45, kind=Kind.DELIVERED),
    Fate(share=0.28, kind=Kind.OPENED),
    Fate(share=0.08, kind=Kind.CLICKED),
    Fate(share=0.03, kind=Kind.DEFERRED, cause=Cause.GREYLISTED, smtp_code=451, enhanced_status="4.7.1",
         diagnostic="451 4.7.1 Greylisting in action, please come back in 5 minutes"),
    Fate(share=0.04, kind=Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, smtp_code=550, enhanced_status="5.1.1",
         diagnostic="550 5.1.1 The email account that you tried to reach does not exist"),
    Fate(share=0.01, kind=Kind.HARD_BOUNCE, cause=Cause.DOMAIN_DOES_NOT_EXIST, smtp_code=550, enhanced_status="5.1.2",
         diagnostic="550 5.1.2 Host unknown (Name server: host not found)"),
    Fate(share=0.03, kind=Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, smtp_code=452, enhanced_status="4.2.2",
         diagnostic="452 4.2.2 The recipient's inbox is out of storage space"),
    Fate(share=0.02, kind=Kind.SOFT_BOUNCE, cause=Cause.CONNECTION_FAILED, smtp_code=421, enhanced_status="4.4.1",
         diagnostic="421 4.4.1 Connection timed out", for_days=_FAILING_DAYS),
    Fate(share=0.015, kind=Kind.BLOCKED, cause=Cause.SENDER_REPUTATION, smtp_code=554, enhanced_status="5.7.1",
         diagnostic="554 5.7.1 Service unavailable; client host blocked using a public blocklist"),
    Fate(share=0.025, kind=Kind.UNSUBSCRIBE),
    Fate(share=0.01, kind=Kind.COMPLAINT, cause=Cause.ABUSE_REPORT),
    Fate(share=0.01, kind=Kind.SOFT_BOUNCE, cause=Cause.SERVER_UNAVAILABLE, smtp_code=421, enhanced_status="4.3.2",
         diagnostic="421 4.3.2 System not accepting network messages"),
)  # fmt: skip
# These come after the recipient's server has accepted the message.
_AFTER_DELIVERY = frozenset({Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBE, Kind.COMPLAINT, Kind.DEFERRED})


def day_of_feedback(contacts: int, *, now: datetime, seed: int, tag: str) -> dict[str, list[SampleEvent]]:
    """The events of each address, in order, all before `now`. `tag` makes this day's message ids unique."""
    chance = random.Random(seed)  # noqa: S311 - a story, not a secret
    day = {}
    for number in range(contacts):
        address = _address(number)
        fate = chance.choices(FATES, weights=[fate.share for fate in FATES])[0]
        day[address] = list(_events(address, fate, now, chance, f"{tag}-{number}"))
    return day


def _address(number: int) -> str:
    first, last = _FIRST_NAMES[number % len(_FIRST_NAMES)], _LAST_NAMES[number // len(_FIRST_NAMES) % len(_LAST_NAMES)]
    rest = number // (len(_FIRST_NAMES) * len(_LAST_NAMES))
    return f"{first}.{last}{rest or ''}@{_DOMAINS[number % len(_DOMAINS)]}"


def _events(address: str, fate: Fate, now: datetime, chance: random.Random, tag: str) -> Iterator[SampleEvent]:
    for days_ago in reversed(range(fate.for_days)):
        sent = now - timedelta(days=days_ago, hours=1, seconds=chance.randrange(20 * 3600) if days_ago == 0 else 0)
        message = f"{tag}-{days_ago}"
        if fate.kind is Kind.CLICKED:
            yield _event(address, Kind.OPENED, sent + timedelta(minutes=20), message)
        if fate.kind in _AFTER_DELIVERY:
            yield _event(address, Kind.DELIVERED, sent + timedelta(minutes=15), message)
        later = 30 if fate.kind in _AFTER_DELIVERY and fate.kind is not Kind.DEFERRED else 1
        yield SampleEvent(
            address=address,
            kind=fate.kind,
            occurred_at=sent + timedelta(minutes=later),
            message_id=message,
            cause=fate.cause,
            smtp_code=fate.smtp_code,
            enhanced_status=fate.enhanced_status,
            diagnostic=fate.diagnostic,
        )


def _event(address: str, kind: Kind, occurred_at: datetime, message: str) -> SampleEvent:
    return SampleEvent(address=address, kind=kind, occurred_at=occurred_at, message_id=message)


def split_among(day: dict[str, list[SampleEvent]], count: int) -> Sequence[list[SampleEvent]]:
    """The day's events, divided among so many ESPs. All events of an address go to one ESP."""
    parts: list[list[SampleEvent]] = [[] for _ in range(count)]
    for number, events in enumerate(day.values()):
        parts[number % count] += events
    return parts

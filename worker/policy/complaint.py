"""The complaint: the person pressed "spam"."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.list_name import list_key
from schemas.vocabulary import Cause, Status
from worker.policy.dimension import Standing
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.ending import Ending, end
from worker.policy.permissions import LOCKS, Fact
from worker.policy.rule import Policy

_NAME = "the complaint"


class Complaint(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The first complaint since it was last lifted. No event takes it back.

    If that was about a marketing stream, the first one about other mail takes its place.
    """

    at: datetime
    cause: Cause
    event_key: bytes
    stream: str = ""  # the marketing stream that it is about; empty: other mail, or nobody says


def after_complaint(known: Complaint | None, event: FeedbackEvent, policy: Policy) -> tuple[Complaint, Effect]:
    """The complaint that counts, and what the event did."""
    stream = marketing_stream(event, policy)
    if known is not None and (stream or not known.stream):
        return known, Effect(outcome=Outcome.NOTHING, reason=Reason.KNOWN_BEFORE)
    complaint = Complaint(at=event.occurred_at, cause=event.cause, event_key=event.event_key, stream=stream)
    return complaint, Effect(outcome=Outcome.COMPLAINED, stream=stream)


def marketing_stream(event: FeedbackEvent, policy: Policy) -> str:
    """The marketing stream of the policy that the event names as its scope, as a tag, or as its source; else empty."""
    known = policy.marketing_stream_keys
    if not known:
        return ""
    return next((name for name in (event.scope, *event.tags, event.source) if name and list_key(name) in known), "")


def after_ending(known: Complaint | None, entry: Entry) -> tuple[Complaint | None, Ending]:
    """The complaint after a lift or an opt-in: gone if that may end it."""
    if known is None:
        return None, Ending()
    ending = end(_NAME, LOCKS[Fact.COMPLAINT], entry)
    return None if ending.ended else known, ending


def standings(known: Complaint | None, policy: Policy) -> Iterator[Standing]:
    """One while there is a complaint."""
    if known is not None:
        yield Standing(
            status=Status.COMPLAINED,
            blocks=policy.marketing_complaint_applies_to if known.stream else policy.complaint_applies_to,
            since=known.at,
            until=None,
            cause=known.cause,
            event_key=known.event_key,
            lift_by=LOCKS[Fact.COMPLAINT],
            name=_NAME,
        )


def sentence(stream: str) -> str:
    """What a complaint did."""
    about = f" about the marketing stream {stream}" if stream else ""
    return f"The person complained{about}; no event takes that back."

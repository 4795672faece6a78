"""What the make-believe vendors and the vocabularies cover, counted."""

from datetime import UTC, datetime

from msgspec import Struct

from schemas.envelope import Envelope, new_delivery_id
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.provider import Provider
from worker.providers.registry import PROVIDERS
from worker.samples.registry import SAMPLE_SENDERS
from worker.samples.sample import SampleEvent, SampleSender

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

# A failure for every cause that a server can give, and one event of each other kind.
_FAILURES = tuple(
    (Kind.BLOCKED if CAUSE_BLAME[cause] is Blame.SENDER else Kind.SOFT_BOUNCE, cause)
    for cause in Cause
    if CAUSE_BLAME[cause] is not Blame.NOBODY and cause not in {Cause.ABUSE_REPORT, Cause.FRAUD_REPORT}
)
_OTHERS = (
    *((kind, Cause.NONE) for kind in (Kind.ACCEPTED, Kind.DELIVERED, Kind.OPENED, Kind.CLICKED)),
    (Kind.DEFERRED, Cause.SERVER_UNAVAILABLE),
    (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    (Kind.UNSUBSCRIBE, Cause.NONE),
    (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    (Kind.OTHER, Cause.TEST),
)


class Coverage(Struct, frozen=True, kw_only=True):
    """The counts that a test run prints."""

    providers: int
    words: int  # events and classes that the vendors document
    kinds: frozenset[Kind]  # that any vendor's word becomes
    causes: frozenset[Cause]  # that any vendor's word, or a sample's refusal, becomes
    samples: int  # signed webhooks that were made and read

    def line(self) -> str:
        """For the end of a test run."""
        return (
            f"{self.providers} providers, {self.words} of their events and classes, {len(self.kinds)} of {len(Kind)} "
            f"kinds, {len(self.causes)} of {len(Cause)} causes, {self.samples} signed samples"
        )


def coverage() -> Coverage:
    """Makes, signs and reads a sample of everything by every vendor."""
    kinds: set[Kind] = set()
    causes: set[Cause] = set()
    samples = 0
    for provider in PROVIDERS.values():
        for kind, cause in provider.vocabulary.values():
            kinds.add(kind)
            causes.add(cause)
        sender = SAMPLE_SENDERS[provider.name]()
        for kind, cause in (*_FAILURES, *_OTHERS):
            requests, read = _tell(provider, sender, kind, cause)
            samples += requests
            causes |= read
    words = sum(len(provider.vocabulary) for provider in PROVIDERS.values())
    return Coverage(
        providers=len(PROVIDERS), words=words, kinds=frozenset(kinds), causes=frozenset(causes), samples=samples
    )


def _tell(provider: Provider, sender: SampleSender, kind: Kind, cause: Cause) -> tuple[int, set[Cause]]:
    source = sender.source("first")
    event = SampleEvent(address="jane@example.org", kind=kind, cause=cause, occurred_at=NOW, message_id="m1")
    requests = sender.requests([event], now=NOW)
    causes: set[Cause] = set()
    for request in requests:
        headers = {name: value for name, value in request.headers.items() if name in provider.kept_headers}
        envelope = Envelope(
            delivery_id=new_delivery_id(),
            source="first",
            provider=provider.name,
            account="default",
            received_at=NOW,
            content_type=request.headers.get("content-type", ""),
            headers=headers,
            body=request.body,
        )
        causes |= {event.cause for event in provider.bind(source).parse(envelope)}
    return len(requests), causes

"""What the drill sends: signed webhooks of all four ESPs, and what each must come to."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from tests.providers.reading import parse_envelope
from worker.providers.registry import PROVIDERS
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeLink
from worker.providers.webhook_request import WebhookRequest
from worker.samples.registry import SAMPLE_SENDERS
from worker.samples.sample import SampleEvent, SampleSender

_SENDGRID_BATCH = 4
_EVENTS_PER_CONTACT = 6

_HAPPENS: Sequence[tuple[float, Kind, Cause]] = (
    (0.46, Kind.DELIVERED, Cause.NONE),
    (0.14, Kind.OPENED, Cause.NONE),
    (0.04, Kind.CLICKED, Cause.NONE),
    (0.08, Kind.DEFERRED, Cause.GREYLISTED),
    (0.08, Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (0.06, Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    (0.06, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    (0.02, Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),
    (0.03, Kind.COMPLAINT, Cause.ABUSE_REPORT),
    (0.03, Kind.UNSUBSCRIBE, Cause.NONE),
)


# One for each way that a payload can go: through certificates, in batches, with one-time tokens, one by one.
ESPS = ("amazon_ses", "sendgrid", "mailgun", "postmark")


class Webhook(Struct, frozen=True, kw_only=True):
    """One request, and the events that it stands for."""

    source: str
    request: WebhookRequest
    events: tuple[FeedbackEvent, ...]
    click: UnsubscribeLink | None = None  # of a one-click unsubscribe, whose event is made when it arrives

    @property
    def path(self) -> str:
        """Where it is posted."""
        return f"/webhooks/{self.source}" if self.click is None else self.request.path


def make_senders() -> dict[str, tuple[SampleSender, Source]]:
    """The make-believe ESPs that send, with the source that trusts each, by the source's name."""
    senders = {name.replace("_", "-"): SAMPLE_SENDERS[name]() for name in ESPS}
    return {name: (sender, sender.source(name)) for name, sender in senders.items()}


def make_webhooks(
    senders: dict[str, tuple[SampleSender, Source]], count: int, *, now: datetime, seed: int
) -> list[Webhook]:
    """`count` webhooks, shuffled, each with events of the last ten days; contacts hear from one ESP each."""
    chance = random.Random(seed)
    webhooks: list[Webhook] = []
    names = sorted(senders)
    number = 0
    while len(webhooks) < count:
        name = names[len(webhooks) % len(names)]
        sender, source = senders[name]
        size = _SENDGRID_BATCH if sender.provider == "sendgrid" else 1
        contacts = max(1, count * size // len(names) // _EVENTS_PER_CONTACT)
        events = [
            _event(chance, f"user{chance.randrange(contacts)}@{name}.example", number + offset, now)
            for offset in range(size)
        ]
        number += size
        webhooks += [
            Webhook(source=name, request=request, events=_events_in(request, source, now))
            for request in sender.requests(events, now=now)
        ]
    chance.shuffle(webhooks)
    return webhooks[:count]


def _event(chance: random.Random, address: str, number: int, now: datetime) -> SampleEvent:
    kinds = [(kind, cause) for _, kind, cause in _HAPPENS]
    kind, cause = chance.choices(kinds, weights=[share for share, _, _ in _HAPPENS])[0]
    # Whole seconds: some vendors tell no more.
    occurred_at = now.replace(microsecond=0) - timedelta(seconds=chance.randrange(60, 10 * 86_400))
    return SampleEvent(
        address=address, kind=kind, cause=cause, occurred_at=occurred_at, message_id=f"message-{number}@drill.example"
    )


def _events_in(request: WebhookRequest, source: Source, now: datetime) -> tuple[FeedbackEvent, ...]:
    provider = PROVIDERS[source.provider]
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source=source.name,
        provider=source.provider,
        account=source.account,
        received_at=now,
        content_type=request.headers.get("content-type", ""),
        headers={name: value for name, value in request.headers.items() if name in provider.kept_headers},
        body=request.body,
    )
    return tuple(parse_envelope(provider, envelope))

"""A sample webhook that a configured source accepts, signed with the source's own secret."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.providers.authentication.scheme import is_open
from worker.providers.provider import Provider
from worker.providers.verdict import Accepted
from worker.providers.webhook_request import WebhookRequest
from worker.samples.registry import SAMPLE_SENDERS
from worker.samples.sample import SampleEvent, SampleSender
from worker.samples.signing import can_sign, sign
from worker.samples.vendor import MakeBelieveVendor

# RFC 2606: a domain that nobody can ever have. One contact for all tests of a source, never a real one.
SAMPLE_DOMAIN = "bouncekeeper.invalid"


class SampleWebhook(Struct, frozen=True, kw_only=True):
    """A request about a bounce of nobody's mailbox."""

    request: WebhookRequest
    signed: bool  # False: only the vendor has the key that the source asks for


def sample_webhook(source: Source, provider: Provider, *, now: datetime) -> SampleWebhook:
    """A hard bounce as the source's vendor reports it; signed wherever the operator holds the secret."""
    sender = SAMPLE_SENDERS[source.provider]()
    candidates = []
    if isinstance(sender, MakeBelieveVendor):
        sender = sender.speaking_as(source)  # its body too: a mail carries a token of the source's
        candidates.append(_bounce(sender, source, now))
    unproven = _bounce(sender, source, now)
    if is_open(source):
        return SampleWebhook(request=unproven, signed=True)
    scheme = provider.bind(source).scheme
    secret = source.secrets[0].reveal() if source.secrets else ""
    if scheme is not None and can_sign(scheme, secret):
        candidates.append(sign(unproven, scheme, secret, now=now, source=source))
    for request in candidates:
        if _is_accepted(request, source, provider, now):
            return SampleWebhook(request=request, signed=True)
    return SampleWebhook(request=unproven, signed=False)


def _bounce(sender: SampleSender, source: Source, now: datetime) -> WebhookRequest:
    address = f"sample-of-{source.name.lower()}@{SAMPLE_DOMAIN}"
    if isinstance(sender, MakeBelieveVendor) and sender.sample_address:
        address = sender.sample_address
    event = SampleEvent(
        address=address,
        kind=Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DOES_NOT_EXIST,
        occurred_at=now.replace(microsecond=0),
        message_id=f"bouncekeeper-sample-{now:%Y%m%d%H%M%S%f}",
    )
    return sender.requests([event], now=now)[0]


def _is_accepted(request: WebhookRequest, source: Source, provider: Provider, now: datetime) -> bool:
    anywhere = msgspec.structs.replace(source, allowed_addresses=())
    certificates: Mapping[str, bytes] = {}
    return isinstance(provider.bind(anywhere).authenticate(request, now=now, certificates=certificates), Accepted)

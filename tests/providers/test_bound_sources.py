"""A source is bound once, and envelopes outlive the sources that they came in by."""

from uuid import UUID

import msgspec
import pytest

from schemas.envelope import Envelope
from schemas.source import Secret, Source
from tests.providers.sample_events import NOW, sample
from worker.errors import ImpossibleSetting, UnreadablePayload
from worker.providers.bound_sources import BoundSources
from worker.providers.registry import PROVIDERS
from worker.providers.vendors.amazon.amazon_ses import PROVIDER as AMAZON_SES
from worker.providers.verdict import Accepted, Refused
from worker.samples.amazon_ses import AmazonSesSamples
from worker.samples.loops import LoopsSamples
from worker.samples.registry import SAMPLE_SENDERS


def envelope(provider: str, source: str = "shop", body: bytes = b"{}") -> Envelope:
    return Envelope(
        delivery_id=UUID(int=7),
        source=source,
        provider=provider,
        account="default",
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=body,
    )


def test_a_configured_source_is_bound_once() -> None:
    sources = BoundSources([LoopsSamples().source("shop")])
    assert sources.of(envelope("loops")) is sources.of(envelope("loops"))


def test_a_source_that_is_configured_no_more_is_bound_without_options() -> None:
    bound = BoundSources([LoopsSamples().source("another")]).of(envelope("loops"))
    assert bound is not None
    assert bound.source == Source(name="shop", provider="loops")


def test_an_envelope_is_read_by_the_provider_that_it_came_in_by() -> None:
    sources = BoundSources([Source(name="shop", provider="resend", account_from="tag.customer-")])
    bound = sources.of(envelope("loops"))
    assert bound is not None
    assert bound.account_paths == PROVIDERS["loops"].account_paths
    assert bound.source.account_from == "tag.customer-"


def test_of_a_provider_that_is_not_known_there_is_no_source() -> None:
    assert BoundSources().of(envelope("no-such-esp")) is None


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_any_source_can_be_bound_however_little_it_says(provider: str) -> None:
    for authentication in ("", "none", "invented"):
        PROVIDERS[provider].bind(Source(name="shop", provider=provider, authentication=authentication))


@pytest.mark.parametrize("provider", ["mail", "described"])
def test_what_cannot_be_read_without_its_source_waits_for_a_replay(provider: str) -> None:
    bound = BoundSources().of(envelope(provider))
    assert bound is not None
    with pytest.raises(UnreadablePayload, match="replay"):
        bound.parse(envelope(provider))


def test_a_source_with_a_scheme_that_its_provider_does_not_have_lets_nobody_in() -> None:
    sender = LoopsSamples()
    source = msgspec.structs.replace(sender.source("shop"), authentication="invented")
    with pytest.raises(ImpossibleSetting, match="nobody is let in"):
        PROVIDERS["loops"].bind(source).authenticate(sender.requests([sample()], now=NOW)[0], now=NOW, certificates={})


def test_options_count_as_they_were_when_the_source_was_bound() -> None:
    sender = AmazonSesSamples()
    source, request = sender.source("shop"), sender.requests([sample()], now=NOW)[0]
    bound = AMAZON_SES.bind(source)
    source.options["topics"] = ["arn:aws:sns:eu-west-1:000000000000:another"]
    assert isinstance(bound.authenticate(request, now=NOW, certificates={}), Accepted)
    assert isinstance(AMAZON_SES.bind(source).authenticate(request, now=NOW, certificates={}), Refused)


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_whoever_has_no_key_is_refused_by_a_bound_source_too(provider: str) -> None:
    sender, stranger = SAMPLE_SENDERS[provider](), SAMPLE_SENDERS[provider]()
    source = sender.source("shop")
    if not source.secrets:
        source = msgspec.structs.replace(source, secrets=(Secret("user:password"),))
    request = stranger.requests([sample()], now=NOW)[0]
    assert not isinstance(PROVIDERS[provider].bind(source).authenticate(request, now=NOW, certificates={}), Accepted)

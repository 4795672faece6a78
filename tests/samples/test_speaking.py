"""A sample for `sources test` is signed as the source's vendor would, wherever the operator holds the secret."""

from datetime import UTC, datetime

import msgspec
import pytest

from schemas.source import Secret, Source
from worker.providers.authentication.configured_header import HEADER, ConfiguredHeader
from worker.providers.registry import PROVIDERS
from worker.providers.verdict import Accepted
from worker.samples.registry import SAMPLE_SENDERS
from worker.samples.signing import can_sign
from worker.samples.speaking import sample_webhook

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

# The vendor signs with a private key, and the source holds the public one.
ONLY_THE_VENDOR_SIGNS = {
    "amazon_ses",
    "amazon_ses_inbound",
    "mailchannels",
    "postal",
    "scaleway_tem",
    "sendgrid",
    "telnyx",
}


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_the_sources_own_secret_signs_a_sample_that_the_source_accepts(provider: str) -> None:
    source = SAMPLE_SENDERS[provider]().source("first")
    sample = sample_webhook(source, PROVIDERS[provider], now=NOW)
    assert sample.signed == (provider not in ONLY_THE_VENDOR_SIGNS)
    if sample.signed:
        verdict = PROVIDERS[provider].bind(source).authenticate(sample.request, now=NOW, certificates={})
        assert isinstance(verdict, Accepted)


def other_ways(provider: str) -> list[Source]:
    """The provider's source, once for each of its other schemes that a secret of the operator's opens."""
    known = PROVIDERS[provider]
    source = SAMPLE_SENDERS[provider]().source("first")
    return [
        msgspec.structs.replace(source, authentication=name)
        for name, scheme in known.schemes.items()
        if name != source.authentication and can_sign(scheme, "user:password")
    ]


OTHER_WAYS = [source for provider in sorted(PROVIDERS) for source in other_ways(provider)]


@pytest.mark.parametrize("source", OTHER_WAYS, ids=lambda source: f"{source.provider}-{source.authentication}")
def test_every_other_scheme_of_a_provider_is_signed_too(source: Source) -> None:
    provider = PROVIDERS[source.provider]
    with_password = msgspec.structs.replace(source, secrets=(Secret("user:password"),))
    alone = msgspec.structs.replace(with_password, options={})  # options may belong to the vendor's usual way
    # Where neither will do, the scheme wants another form of secret, which the sender's own has.
    chosen = next((one for one in (with_password, alone) if not provider.check_source(one)), source)
    assert sample_webhook(chosen, provider, now=NOW).signed


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_a_header_that_the_operator_has_named_carries_the_secret(provider: str) -> None:
    known = PROVIDERS[provider]
    schemes = known.schemes
    for name in [name for name, scheme in schemes.items() if isinstance(scheme, ConfiguredHeader)]:
        source = Source(
            name="named",
            provider=provider,
            authentication=name,
            secrets=(Secret("a-long-secret"),),
            options={HEADER.name: "X-Of-Our-Own"},
        )
        assert known.check_source(source) == []
        sample = sample_webhook(source, known, now=NOW)
        assert sample.signed
        assert sample.request.headers["x-of-our-own"] == "a-long-secret"


def test_an_open_source_needs_no_signature() -> None:
    source = Source(name="open", provider="sendgrid", authentication="none")
    assert sample_webhook(source, PROVIDERS["sendgrid"], now=NOW).signed


def test_whom_a_sample_is_about_is_nobody_and_the_same_for_all_tests_of_a_source() -> None:
    source = SAMPLE_SENDERS["postmark"]().source("Shop")
    first, second = (sample_webhook(source, PROVIDERS["postmark"], now=NOW).request.body for _ in range(2))
    assert b"sample-of-shop@bouncekeeper.invalid" in first
    assert first == second

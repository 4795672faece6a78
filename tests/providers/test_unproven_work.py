"""What a stranger can make us do before anything is proved: for every provider, whatever the body is."""

import base64
import hashlib
import hmac
import time
import tracemalloc

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.source import Secret, Source
from tests.faults.attack_bodies import unproven
from tests.providers.sample_events import NOW, sample
from worker.providers.authentication.standard_webhooks import StandardWebhooks
from worker.providers.provider import Provider
from worker.providers.registry import PROVIDERS
from worker.providers.vendors.mailersend import PING_SECRET
from worker.providers.verdict import Answered, Judgement, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.registry import SAMPLE_SENDERS
from worker.samples.sample import SampleSender

# What the settings let through where a provider has no smaller limit; a tenth of it, to have the tests over soon.
LARGEST_BODY_BYTES = 15 * 1024 * 1024 // 10
# Copies of the body, for what is signed before and behind it. A Python object for each value would be thirty.
MOST_COPIES = 4
MOST_BESIDE_BYTES = 4 * 1024 * 1024


def genuine(sender: SampleSender) -> WebhookRequest:
    [request] = sender.requests([sample()], now=NOW)
    return request


def judge(provider: Provider, source: Source, request: WebhookRequest) -> Judgement:
    """As the receiver does it: the head by itself before the body."""
    head = msgspec.structs.replace(request, body=b"")
    refused = provider.bind(source).refuse_head(head, now=NOW)
    return refused or provider.bind(source).authenticate(request, now=NOW, certificates={})


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SAMPLE_SENDERS))
def test_memory_for_an_unproven_body_is_a_few_times_its_size_whatever_stands_in_it(name: str) -> None:
    sender, provider = SAMPLE_SENDERS[name](), PROVIDERS[name]
    source, request = sender.source("main"), genuine(sender)
    size = min(provider.bind(source).unproven_bytes or LARGEST_BODY_BYTES, LARGEST_BODY_BYTES)
    stranger = msgspec.structs.replace(source, secrets=SAMPLE_SENDERS[name]().secrets_for_source() or source.secrets)
    for what, content_type, body in unproven(request, size):
        changed = msgspec.structs.replace(request, body=body, headers={**request.headers, "content-type": content_type})
        assert len(body) <= size * 1.01, what
        tracemalloc.start()
        try:
            verdict = judge(provider, stranger, changed)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert isinstance(verdict, Judgement), what
        assert peak <= MOST_COPIES * size + MOST_BESIDE_BYTES, (what, peak, size)


def test_a_stranger_to_a_source_with_credentials_is_known_by_the_head_alone() -> None:
    by_head = {
        name
        for name in SAMPLE_SENDERS
        if judge_head(SAMPLE_SENDERS[name](), msgspec.structs.replace(genuine(SAMPLE_SENDERS[name]()), body=b""))
    }
    assert {
        "postmark",
        "sparkpost",
        "brevo",
        "mailjet",
        "mail",
        "azure_communication_services",
        "elastic_email",
    } <= by_head
    assert not by_head & {"mailgun", "socketlabs", "mandrill", "sendgrid", "amazon_ses", "bouncekeeper"}


def judge_head(sender: SampleSender, of_another: WebhookRequest) -> Refused | None:
    return PROVIDERS[sender.provider].bind(sender.source("main")).refuse_head(of_another, now=NOW)


def test_the_owner_passes_the_look_at_the_head() -> None:
    for make in SAMPLE_SENDERS.values():
        sender = make()
        assert judge_head(sender, msgspec.structs.replace(genuine(sender), body=b"")) is None


def test_the_public_ping_secret_of_mailersend_proves_small_bodies_only() -> None:
    sender = SAMPLE_SENDERS["mailersend"]()
    source, provider = sender.source("main"), PROVIDERS["mailersend"]
    for padding, answered in ((b"", True), (b"[" + b"[]," * 10_000 + b"0]", False)):
        body = b'{"type":"webhook.test","zz":%s}' % (padding or b"0")
        signature = hmac.digest(PING_SECRET.reveal().encode(), body, "sha256").hex()
        request = msgspec.structs.replace(genuine(sender), body=body, headers={"signature": signature})
        assert isinstance(judge(provider, source, request), Answered) is answered


@pytest.mark.alone
def test_however_many_digests_a_header_lists_the_body_is_hashed_once_by_each_algorithm() -> None:
    sender = SAMPLE_SENDERS["mailchannels"]()
    request, body = genuine(sender), b"x" * 4_000_000
    digest = base64.b64encode(hashlib.sha512(body).digest()).decode()

    def seconds(count: int) -> float:
        listed = ", ".join([f"sha-512=:{digest}:"] * count)
        many = msgspec.structs.replace(request, body=body, headers={**request.headers, "content-digest": listed})
        started = time.process_time()
        verdict = judge(PROVIDERS["mailchannels"], sender.source("main"), many)
        assert isinstance(verdict, Refused)
        assert verdict.reason == "bad_signature"
        return time.process_time() - started

    assert min(seconds(80) for _ in range(3)) < 10 * min(seconds(1) for _ in range(3))


@pytest.mark.alone
def test_of_endless_signatures_few_are_tried_on_a_large_body() -> None:
    key = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    source = Source(name="main", provider="any", secrets=(Secret(f"whpk_{key}"),))
    scheme = StandardWebhooks()

    def seconds(count: int) -> float:
        given = " ".join([f"v1a,{base64.b64encode(bytes(64)).decode()}"] * count)
        headers = {"webhook-id": "a", "webhook-timestamp": f"{NOW.timestamp():.0f}", "webhook-signature": given}
        request = msgspec.structs.replace(genuine(SAMPLE_SENDERS["postmark"]()), body=b"x" * 2_000_000, headers=headers)
        started = time.process_time()
        assert scheme.bind(source)(request, NOW) is not None
        return time.process_time() - started

    assert min(seconds(100) for _ in range(3)) < 10 * min(seconds(1) for _ in range(3))

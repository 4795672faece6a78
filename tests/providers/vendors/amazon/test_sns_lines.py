"""SNS signs names and values on lines of their own: whatever lines a message holds, it is cut in one way."""

import base64
import json
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.properties import examples
from tests.providers.sample_events import NOW
from worker.providers.vendors.amazon import sns
from worker.providers.vendors.amazon.amazon_ses import PROVIDER
from worker.providers.verdict import Judgement, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.amazon_ses import CERTIFICATE_URL, TOPIC, AmazonSesSamples
from worker.samples.posting import post

SENDER = AmazonSesSamples()
KEY = load_pem_private_key(SENDER.private_key_pem, password=None)
NAMES = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
LINES = st.lists(st.sampled_from([*NAMES, "m-1", "", "x", TOPIC, "Notification"]), max_size=9).map("\n".join)


def signed(fields: dict[str, str]) -> bytes:
    return sns.string_to_sign(sns.read_sns_message(json.dumps(fields).encode()))


def verdict(fields: dict[str, str], signed_bytes: bytes) -> Judgement:
    assert isinstance(KEY, RSAPrivateKey)
    signature = base64.b64encode(KEY.sign(signed_bytes, PKCS1v15(), hashes.SHA256())).decode()
    body = {**fields, "SignatureVersion": "2", "Signature": signature, "SigningCertURL": CERTIFICATE_URL}
    request: WebhookRequest = post("amazon_ses", json.dumps(body).encode(), {})
    return PROVIDER.bind(SENDER.source("ses")).authenticate(request, now=NOW, certificates={})


def notification(message: str, subject: str | None) -> dict[str, str]:
    fields = {"Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Message": message}
    return {**fields, "Timestamp": "2026-03-04T12:00:00.000Z", **({} if subject is None else {"Subject": subject})}


def cuts(lines: list[str], names: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """All ways to read these lines as values under these names, in this order."""
    if lines[:1] != [names[0]]:
        return
    if len(names) == 1:
        yield {names[0]: "\n".join(lines[1:])}
        return
    for place in range(2, len(lines)):
        if lines[place] == names[1]:
            for rest in cuts(lines[place:], names[1:]):
                yield {names[0]: "\n".join(lines[1:place]), **rest}


@given(message=LINES, subject=st.sampled_from([None, "Amazon SES Email Event Notification", ""]))
@example(message="x\nMessageId\nm-0\nSubject\nx", subject=None)
@example(message="x\nMessageId\nm-0", subject="hello")
@settings(max_examples=examples(150))
def test_the_lines_of_a_message_are_no_other_values(message: str, subject: str | None) -> None:
    genuine = notification(message, subject)
    signed_bytes = signed(genuine)
    assert not isinstance(verdict(genuine, signed_bytes), Refused)
    lines = signed_bytes.decode().split("\n")[:-1]
    found = 0
    for names in (
        ("Message", "MessageId", "Timestamp", "TopicArn", "Type"),
        ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ):
        for cut in cuts(lines, names):
            found += cut == genuine
            if cut != genuine and signed(cut) == signed_bytes:
                assert isinstance(verdict(cut, signed_bytes), Refused), cut
    assert found == 1


@pytest.mark.parametrize("name", ["MessageId", "Subject", "Timestamp"])
def test_only_a_message_may_have_lines(name: str) -> None:
    fields = {**notification("{}", "hello"), name: "one\ntwo"}
    refused = verdict(fields, signed(fields))
    assert isinstance(refused, Refused)
    assert refused.reason == "bad_signature"
    assert name in refused.detail

"""The token of a link is read with our secrets alone, years later too, and shows nothing to others."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.list_name import salvage_list_name
from schemas.source import Secret
from schemas.vocabulary import Channel
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import (
    MOST_TOKEN_CHARACTERS,
    TokenFault,
    UnsubscribeKeys,
    UnsubscribeLink,
)

SECRET = Secret("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
OTHER = Secret("the secret of this year, which is long enough")
LINK = UnsubscribeLink(address="jane@example.org", list="newsletter")

_texts = st.text(st.characters(codec="utf-8"), max_size=40)


def made(link: UnsubscribeLink = LINK, *secrets: Secret) -> str:
    token = UnsubscribeKeys(secrets or (SECRET,)).make(link)
    assert token is not None
    return token


def by_hand(content: bytes, *, nonce: bytes = bytes(12)) -> str:
    """The token as docs/unsubscribe.md tells a sender to make it."""
    secret = SECRET.reveal().encode()
    head = b"\x01" + hmac.digest(secret, b"unsubscribe-key-id", hashlib.sha256)[:4]
    key = hmac.digest(secret, b"unsubscribe-key", hashlib.sha256)
    return urlsafe_b64encode(head + nonce + AESGCM(key).encrypt(nonce, content, head)).rstrip(b"=").decode()


@given(_texts, _texts, _texts, _texts)
def test_a_token_says_what_was_put_into_it(name: str, account: str, message_id: str, campaign: str) -> None:
    link = UnsubscribeLink(
        address="jane@example.org", list=name, account=account, message_id=message_id, campaign=campaign
    )
    keys = UnsubscribeKeys((SECRET,))
    token = keys.make(link)
    assert token is None or keys.read(token) == replace(link, list=salvage_list_name(name) or "")


@pytest.mark.parametrize(
    ("name", "shown"),
    [(" News ", "News"), (" ", ""), ("\x00\n", ""), ("Ne\x07ws", "News"), ("x" * 300, "x" * 199 + "…")],
)
def test_a_list_that_cannot_be_named_keeps_nobody_on_it(name: str, shown: str) -> None:
    """A script of the sender's may make any token; nothing of a name that is left means all lists."""
    read = UnsubscribeKeys((SECRET,)).read(by_hand(json.dumps({"address": "a@example.org", "list": name}).encode()))
    assert isinstance(read, UnsubscribeLink)
    assert read.list == shown


def test_a_phone_number_has_a_link_too() -> None:
    link = UnsubscribeLink(address="+491701234567", channel=Channel.SMS)
    assert UnsubscribeKeys((SECRET,)).read(made(link)) == link


def test_the_same_link_is_always_the_same_text() -> None:
    assert made() == made()
    assert made() != made(UnsubscribeLink(address="jane@example.org", list="offers"))


def test_a_token_of_years_ago_is_read_after_the_secret_was_changed_and_new_ones_are_made_with_the_new_one() -> None:
    old = made()
    keys = UnsubscribeKeys((OTHER, SECRET))
    assert keys.read(old) == LINK
    assert keys.make(LINK) == made(LINK, OTHER) != old
    assert UnsubscribeKeys((OTHER,)).read(old) is TokenFault.UNKNOWN_KEY


def test_nobody_reads_the_address_or_the_list_in_a_token() -> None:
    token = made()
    blob = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for word in (b"jane", b"example", b"newsletter"):
        assert word not in blob
        assert word.decode() not in token


def test_a_token_altered_anywhere_is_refused() -> None:
    keys, token = UnsubscribeKeys((SECRET,)), made()
    for place, character in enumerate(token[:-1]):  # the last one may hold bits that mean nothing
        altered = token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        assert keys.read(altered) in {TokenFault.MALFORMED, TokenFault.UNKNOWN_KEY, TokenFault.FORGED}
    assert keys.read(token[:-8]) is TokenFault.FORGED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "wp-login.php",
        "ä" * 80,
        "A" * 79,
        "A" * (MOST_TOKEN_CHARACTERS + 1),
        "%00",
        "AQ" + "!" * 90,
        "\x00" * 99,
    ],
)
def test_what_is_no_token_is_refused_as_such(text: str) -> None:
    assert UnsubscribeKeys((SECRET,)).read(text) is TokenFault.MALFORMED


@given(st.text(max_size=1_000))
def test_nothing_that_stands_in_a_url_breaks_the_reader(text: str) -> None:
    assert isinstance(UnsubscribeKeys((SECRET,)).read(text), TokenFault)


def test_without_secrets_every_token_is_refused() -> None:
    assert UnsubscribeKeys(()).read(made()) is TokenFault.UNKNOWN_KEY


def test_what_is_too_long_for_a_header_line_is_not_made() -> None:
    link = UnsubscribeLink(address="jane@example.org", campaign="x" * 700)
    assert UnsubscribeKeys((SECRET,)).make(link) is None
    assert len(made(UnsubscribeLink(address=f"{'j' * 64}@{'e' * 60}.org", list="x" * 200))) <= MOST_TOKEN_CHARACTERS


def test_a_sender_makes_tokens_himself_with_any_nonce() -> None:
    content = json.dumps({"address": "jane@example.org", "list": "newsletter"}).encode()
    assert UnsubscribeKeys((SECRET,)).read(by_hand(content, nonce=b"twelve bytes")) == LINK


def test_a_token_that_says_more_than_this_version_knows_is_read_all_the_same() -> None:
    content = json.dumps({"address": "jane@example.org", "list": "newsletter", "colour": "blue"}).encode()
    assert UnsubscribeKeys((SECRET,)).read(by_hand(content)) == LINK


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"address": "nobody"}',
        b'{"address": 7}',
        b'{"address": "a@b.c", "channel": "fax"}',
        b"\xff" * 20,
    ],
)
def test_our_own_token_without_an_address_is_refused(content: bytes) -> None:
    assert UnsubscribeKeys((SECRET,)).read(by_hand(content.ljust(20))) is TokenFault.UNREADABLE


def test_a_thousand_malformed_tokens_cost_next_to_nothing() -> None:
    keys = UnsubscribeKeys((SECRET,))
    began = time.process_time()
    for _ in range(1_000):
        keys.read("A" * MOST_TOKEN_CHARACTERS)
    assert time.process_time() - began < 0.5

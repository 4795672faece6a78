"""Our own tokens: made, read, and not to be forged."""

import base64
import hmac
import re
from hashlib import sha256
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from schemas.source import Secret
from worker.providers.mail.mail_token import MailToken, make_token, make_verp_sender, read_token

KEY, OTHER_KEY = "a-key-of-thirty-two-characters-!", "another-key-of-as-many-characters"
KEYS = (Secret(KEY),)


def test_a_token_tells_address_account_and_message() -> None:
    written = make_token("Jane@Example.org", secret=KEY, account="Shop 7", message_id="m-1")
    assert read_token(written, KEYS) == MailToken(address="jane@example.org", account="Shop 7", message_id="m-1")


def test_a_token_without_account_leaves_it_to_the_source() -> None:
    written = make_token("jane@example.org", secret=KEY, message_id="m-1")
    assert read_token(written, KEYS) == MailToken(address="jane@example.org", account=None, message_id="m-1")


def test_a_token_is_the_one_that_the_documentation_shows() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "mail.md").read_text()
    assert f"token    {make_token('jane@example.org', secret=KEY)}\n" in page
    assert make_token("jane@example.org", secret=KEY) == "bk1g7zzxiekyzvmne32d6haq36jg3hdcrho"


def test_the_format_is_the_documented_one() -> None:
    """Written once more, from docs/mail.md alone."""
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789.@-_+=/ "
    number = 0
    for character in "jane@example.org  m-1":
        number = number * 45 + alphabet.index(character) + 1
    content = b"\x01" + number.to_bytes((number.bit_length() + 7) // 8, "big")
    tag = hmac.new(KEY.encode(), b"bk1 tag\x00" + content, sha256).digest()[:8]
    stream = hmac.new(KEY.encode(), b"bk1 stream\x00" + tag + b"\x00", sha256).digest()
    sealed = tag + bytes(one ^ other for one, other in zip(content, stream, strict=False))
    written = "bk1" + base64.b32encode(sealed).decode().rstrip("=").lower()
    assert make_token("jane@example.org", secret=KEY, message_id="m-1") == written


def test_a_token_survives_a_server_that_changes_its_case_and_stands_in_other_text() -> None:
    written = make_token("jane@example.org", secret=KEY)
    for text in (
        written.upper(),
        f"<https://example.com/u/{written}?x=1>",
        f"<{written}.17@example.com>",
        f"b+{written}@b.c",
    ):
        found = read_token(text, KEYS)
        assert found is not None
        assert found.address == "jane@example.org"


def test_a_token_does_not_show_the_address_that_a_loop_would_black_out() -> None:
    written = make_token("jane@example.org", secret=KEY)
    assert "jane" not in written
    assert re.fullmatch(r"bk1[a-z2-7]+", written)
    longer = make_token("jane@example.organisation", secret=KEY)
    assert longer[16:24] != written[16:24]


def test_of_several_keys_each_opens_its_tokens() -> None:
    both = (Secret(OTHER_KEY), Secret(KEY))
    for key in (KEY, OTHER_KEY):
        assert read_token(make_token("jane@example.org", secret=key), both) is not None
    assert read_token(make_token("jane@example.org", secret=OTHER_KEY), KEYS) is None
    assert read_token(make_token("jane@example.org", secret=KEY), ()) is None


def test_a_token_with_any_character_changed_is_not_valid() -> None:
    written = make_token("jane@example.org", secret=KEY)
    for place in range(3, len(written) - 1):  # of the last character some bits are padding
        other = "a" if written[place] != "a" else "b"
        assert read_token(written[:place] + other + written[place + 1 :], KEYS) is None
        assert read_token(written[:place], KEYS) is None


def test_a_genuine_token_is_found_behind_forged_ones_but_not_behind_a_heap_of_them() -> None:
    forged, genuine = "bk1" + "a" * 40, make_token("jane@example.org", secret=KEY)
    assert read_token(f"{forged} {genuine}", KEYS) is not None
    assert read_token(f"{forged} " * 1_000 + genuine, KEYS) is None


@given(
    st.from_regex(r"[a-z0-9.+_-]{1,30}@[a-z0-9]{1,20}\.[a-z]{2,10}", fullmatch=True),
    st.text(max_size=30),
    st.text(max_size=30),
)
def test_what_is_put_in_comes_out(address: str, account: str, message_id: str) -> None:
    found = read_token(make_token(address, secret=KEY, account=account, message_id=message_id), KEYS)
    if found is not None:  # else the address is none: two dots in a row
        assert (found.address, found.account or "", found.message_id or "") == (
            address,
            account.replace("\x00", "\ufffd"),
            message_id.replace("\x00", "\ufffd"),
        )
    else:
        assert ".." in address or address.startswith(".") or ".@" in address


@given(st.text(max_size=200))
def test_no_text_is_a_token(text: str) -> None:
    assert read_token("bk1" + text, KEYS) is None


def test_a_verp_sender_keeps_the_local_part_within_what_the_rfc_allows() -> None:
    sender = make_verp_sender(
        "a.rather.long.name@example.org", secret=KEY, bounce_domain="bounce.example.com", message_id="m" * 40
    )
    assert sender is not None
    local, _, domain = sender.partition("@")
    assert len(local) <= 64
    assert local.startswith("b+bk1")
    assert domain == "bounce.example.com"
    found = read_token(sender, KEYS)
    assert found == MailToken(address="a.rather.long.name@example.org")
    assert make_verp_sender("x" * 60 + "@example.org", secret=KEY, bounce_domain="bounce.example.com") is None


def test_a_verp_sender_has_room_for_an_address_of_37_characters() -> None:
    address = "x" * 25 + "@example.org"
    assert len(address) == 37
    assert make_verp_sender(address, secret=KEY, bounce_domain="b.example.com") is not None

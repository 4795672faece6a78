"""One spelling for each address: whatever spelling a block came in, a look-up in any other finds it."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.address import mask_address, mask_addresses, normalise_address, normalise_phone_number


@pytest.mark.parametrize(
    "spelling",
    [
        "jane@example.org",
        "Jane@Example.ORG",
        "  jane@example.org ",
        "Jane Doe <jane@example.org>",
        "<jane@example.org>",
        "jane@example.org.",
        "mailto:jane@example.org",
        "<mailto:jane@example.org>",
        "mailto:jane@example.org?subject=hello",
        "jane@example.org;",
        "jane@example.org,",
        "jane@example.org>",
        "<jane@example.org",
        "'jane@example.org'",
        "jane@example.org (Jane Doe)",
        "(Jane) jane@example.org",
        "jane(at home)@example.org",
        '"jane"@example.org',
        '"Jane"@example.org',
        'Jane <"jane"@example.org>',
        '"Doe, Jane" <jane@example.org>',
        '"jane@work.example" <jane@example.org>',
        '"ja\\ne"@example.org',
    ],
)
def test_spellings_of_one_address_meet(spelling: str) -> None:
    assert normalise_address(spelling) == "jane@example.org"


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ('"jane doe"@example.org', '"jane doe"@example.org'),
        ('"Jane  Doe"@Example.org', '"jane  doe"@example.org'),
        ('"a@b"@example.org', '"a@b"@example.org'),
        ('"a\\"b"@example.org', '"a\\"b"@example.org'),
        ('Jane <"jane doe"@example.org>', '"jane doe"@example.org'),
        ('"jane,doe"@example.org', '"jane,doe"@example.org'),
        ("jane..doe.@example.org", "jane..doe.@example.org"),  # docomo gave such addresses to people
        ("jane@[192.0.2.1]", "jane@[192.0.2.1]"),
    ],
)
def test_quotes_stay_where_the_mailbox_needs_them(spelling: str, expected: str) -> None:
    assert normalise_address(spelling) == expected


@pytest.mark.parametrize(
    "text",
    [
        "jane@example.org, joe@example.org",
        "jane@example.org;joe@example.org",
        "jane@example.org joe@example.org",
        "<jane@example.org>, <joe@example.org>",
        "jane@example.org <joe@example.org> joe",
        '"jane"@example.org, "joe"@example.org',
        "jane@joe@example.org",
    ],
)
def test_two_addresses_in_one_field_are_not_an_address(text: str) -> None:
    assert normalise_address(text) is None


def test_an_accent_written_as_one_sign_or_as_two_is_the_same_letter() -> None:
    composed, apart = (unicodedata.normalize(form, "José@bücher.example") for form in ("NFC", "NFD"))
    assert composed != apart
    assert normalise_address(composed) == normalise_address(apart) == "josé@xn--bcher-kva.example"


@pytest.mark.parametrize("one", ["jane+news@example.org", "ja.ne@example.org"])
def test_tags_and_dots_are_other_mailboxes(one: str) -> None:
    assert normalise_address(one) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jane",
        "@example.org",
        "jane@",
        "jane@.",
        "jane doe@example.org",
        "j\x7fane@example.org",
        "m\ufffdller@example.org",  # bytes that nobody could read
        "j" * 321 + "@b.org",
        '{"bouncedrecipients":[{"emailaddress":"jane@example.org"}]}',
        "jane@exa mple.org",
        "jane@-example.org",
        "jane@example..org",
        "jane@exa(m)ple.org)",
        "<jane>@example.org",
        '"jane@example.org',
        '""@example.org',
    ],
)
def test_text_that_is_not_an_address_has_no_normal_form(text: str) -> None:
    assert normalise_address(text) is None


@given(st.text(max_size=40), st.text(max_size=20))
def test_a_normalised_address_stays_as_it_is(local: str, domain: str) -> None:
    once = normalise_address(f"{local}@{domain}.org")
    assert once is None or normalise_address(once) == once


def test_a_masked_address_shows_its_domain_and_one_letter() -> None:
    assert mask_address("jane@example.org") == "j***@example.org"
    assert mask_address("nonsense") == "***"


def test_addresses_and_numbers_within_a_text_are_masked_and_the_rest_stays() -> None:
    text = "`jane@example.org` and <joe@b.example>, +49 170 1234567: Expected `int` <= 599, see RFC 3339 and 1970"
    masked = "`j***@example.org` and <j***@b.example>, ***: Expected `int` <= 599, see RFC 3339 and 1970"
    assert mask_addresses(text) == masked


def test_an_address_in_quotes_is_masked_within_a_text_whatever_the_quotes_hold() -> None:
    text = r'said "hello" to "jane doe"@example.org, "a@b \" c"@b.example and "no address"'
    assert mask_addresses(text) == 'said "hello" to "***@example.org, "***@b.example and "no address"'


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mary.o'neill@example.org", "m***@example.org"),
        ("said 'mary.o'neill@example.org'.", "said 'm***@example.org'."),
        ("`jane`doe@example.org`", "`j***@example.org`"),
        ("to jane@[192.168.0.1]: no", "to j***@[***]: no"),
        ("jane@[IPv6:2001:db8::1] no", "j***@[IPv6:2001:db8::1] no"),
        ("jane(comment)@example.org", "j***@example.org"),
        ("jane(a b)@[1.2.3.4]", "j***@[1.2.3.4]"),
        ("jane@(home)example.org", "j***@(home)example.org"),
        ('"john q"@[1.2.3.4]', '"***@[1.2.3.4]'),
        ('"john q"(comment)@example.org', '"***@example.org'),
        ("don't call f(x) [1]", "don't call f(x) [1]"),
    ],
)
def test_rare_spellings_of_an_address_are_masked_within_a_text(text: str, masked: str) -> None:
    assert mask_addresses(text) == masked


@pytest.mark.parametrize(
    "spelling", ["+491701234567", "+49 170 1234567", "+49 (170) 123-45.67", "whatsapp:+491701234567"]
)
def test_spellings_of_one_phone_number_meet(spelling: str) -> None:
    assert normalise_phone_number(spelling) == "+491701234567"


@pytest.mark.parametrize(
    "text", ["", "0170 1234567", "+0170123456", "+49", "+4917012345678901", "jane@example.org", "+49x"]
)
def test_a_number_without_its_country_is_not_a_phone_number(text: str) -> None:
    assert normalise_phone_number(text) is None


@pytest.mark.parametrize(
    "part", ["x", "x@", '"', '"a', "1 ", "@", "'", "x'@", "x(", "x@[", "x@(", "x()", "x@[a", "@[", '"a"(']
)
def test_a_long_text_is_masked_in_time_that_grows_with_its_length(part: str) -> None:
    started = time.process_time()
    mask_addresses(part * 200_000)
    assert time.process_time() - started < 10  # seconds; it was minutes

"""What a source of mail may be configured with, and what is reported of it."""

from typing import Any

import pytest

from schemas.source import Secret, Source
from tests.providers.mail.building import KEY
from worker.providers.mail.known_reporters import KNOWN_REPORTERS
from worker.providers.mail.options import MAIL_OPTIONS, check_mail_options, read_mail_options


def source(**options: Any) -> Source:
    return Source(name="loops", provider="mail", options=options)


@pytest.mark.parametrize(
    "options",
    [
        {"token_secrets": (Secret(KEY),)},
        {"token_secrets": [KEY, KEY], "bounce_domain": "bounce.example.com", "verp_separator": "-"},
        {"accept_reports": "all"},
        {"accept_reports": "verified", "authentication_results_from": ["mx.example.com"]},
        {"authentication_results_from": ["mx"], "known_reporters": ["defaults", "example.net", "a@example.org"]},
        {"token_secrets": [KEY], "report_addresses": ["fbl@example.com"], "known_reporters": []},
    ],
)
def test_what_can_accept_something_is_in_order(options: dict[str, Any]) -> None:
    assert check_mail_options(source(**options)) == []
    assert set(options) <= {option.name for option in MAIL_OPTIONS}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bounce_domain": "bounce.example.com"},
        {"authentication_results_from": ["mx.example.com"], "known_reporters": []},
        {"token_secrets": []},
    ],
)
def test_what_could_never_accept_anything_is_reported_with_its_remedies(options: dict[str, Any]) -> None:
    (problem,) = check_mail_options(source(**options))
    for remedy in ("token_secrets", "authentication_results_from", 'accept_reports = "all"'):
        assert remedy in problem


def test_a_way_in_that_verifies_signatures_needs_no_more() -> None:
    assert check_mail_options(source(), verifies_dkim=True) == []
    assert check_mail_options(source(known_reporters=[]), verifies_dkim=True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"token_secrets": ["short"]}, "openssl rand"),
        ({"token_secrets": KEY}, "list of texts"),
        ({"known_reporters": "defaults"}, "list of texts"),
        ({"report_addresses": [3]}, "list of texts"),
        ({"bounce_domain": 3}, "must be a text"),
        ({"accept_reports": "some"}, '"verified" or "all"'),
        ({"verp_separator": "x"}, "verp_separator"),
        ({"bounce_domain": "b@example.com"}, "no domain"),
        ({"known_reporters": ["com"]}, "neither a domain nor an address"),
        ({"report_addresses": ["fbl"]}, "no address"),
    ],
)
def test_what_is_wrong_is_reported_with_its_remedy_and_without_secrets(options: dict[str, Any], told: str) -> None:
    problems = check_mail_options(source(**({"token_secrets": [KEY]} | options)))
    assert any(told in problem for problem in problems)
    assert not any("short" in problem or KEY in problem for problem in problems)


def test_what_is_unusable_counts_as_not_given() -> None:
    read = read_mail_options(
        source(token_secrets="x", known_reporters=3, bounce_domain=[], verp_separator=0, accept_reports=1)
    )
    assert (read.token_secrets, read.known_reporters, read.bounce_domain, read.verp_separator) == ((), (), "", "+")
    assert not read.accepts_all


def test_without_a_word_the_known_reporters_are_believed_and_nobody_else() -> None:
    assert read_mail_options(source()).known_reporters == KNOWN_REPORTERS
    assert read_mail_options(source(known_reporters=["defaults", "Example.NET"])).known_reporters == (
        *KNOWN_REPORTERS,
        "example.net",
    )


def test_no_known_reporter_is_a_domain_where_anybody_has_a_mailbox() -> None:
    open_to_all = {
        "hotmail.com",
        "yahoo.com",
        "aol.net",
        "aol.com",
        "outlook.com",
        "gmail.com",
        "comcast.net",
        "zoho.com",
    }
    assert not open_to_all & set(KNOWN_REPORTERS)

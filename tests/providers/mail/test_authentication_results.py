"""Whose Authentication-Results are believed (RFC 8601)."""

import pytest

from schemas.vocabulary import Kind
from tests.providers.mail.building import VERIFIED, arf, read_one, returned
from worker.providers.mail.authentication_results import dkim_domains
from worker.providers.mail.mail_part import Headers

OURS = {"mx.example.com"}
PASS = "mx.example.com; dkim=pass header.d=loop.example.net"
FORGED = "mx.example.com; dkim=pass header.d=forged.example"
RECEIVED = ("received", "from x by mx.example.com")


def domains(*fields: tuple[str, str]) -> tuple[str, ...]:
    return dkim_domains(Headers(fields), OURS)


def result(value: str) -> tuple[str, str]:
    return ("authentication-results", value)


@pytest.mark.parametrize(
    "value",
    [
        PASS,
        "mx.example.com 1; spf=fail smtp.mailfrom=x; DKIM=Pass (2048-bit key) header.d=LOOP.example.net header.s=s1",
        'MX.example.com; dkim/1=pass reason="good signature" header.i=@loop.example.net',
        "mx.example.com (our server); dkim = pass (comment (nested)) header.i=x@loop.example.net",
        "mx.example.com; dkim=fail header.d=a.example; dkim=pass header.d=loop.example.net",
    ],
)
def test_a_pass_is_read_in_each_of_its_spellings(value: str) -> None:
    assert domains(result(value)) == ("loop.example.net",)


@pytest.mark.parametrize(
    "value",
    [
        "mx.example.com; dkim=fail header.d=loop.example.net",
        "mx.example.com; dkim=none",
        "mx.example.com; none",
        "mx.example.com; spf=pass smtp.mailfrom=loop.example.net",
        "mx.example.com; dkim=passable header.d=loop.example.net",
        "mx.example.com; dkim=pass",
        "mx.example.com; dkim=fail (dkim=pass header.d=loop.example.net)",
        'mx.example.com; dkim=fail reason="; dkim=pass header.d=loop.example.net"',
        "mx.forger.example; dkim=pass header.d=loop.example.net",
        "mx.example.com.forger.example; dkim=pass header.d=loop.example.net",
        "(mx.example.com); dkim=pass header.d=loop.example.net",
        "",
        ";;;",
        "((((",
    ],
)
def test_what_is_no_pass_of_ours_is_none(value: str) -> None:
    assert domains(result(value)) == ()


def test_all_that_stands_above_the_first_received_field_is_ours() -> None:
    dmarc = "mx.example.com; dmarc=pass header.from=loop.example.net"
    assert domains(result(dmarc), result(PASS), RECEIVED, result(FORGED)) == ("loop.example.net",)


def test_below_it_only_the_topmost_is_believed() -> None:
    assert domains(RECEIVED, result(PASS), result(FORGED)) == ("loop.example.net",)
    failed = "mx.example.com; dkim=fail header.d=loop.example.net"
    assert domains(RECEIVED, result(failed), result(FORGED)) == ()


def test_results_of_other_servers_between_ours_do_not_matter() -> None:
    other = "mx.forger.example; dkim=pass header.d=forged.example"
    assert domains(result(other), result(PASS), RECEIVED) == ("loop.example.net",)


def test_a_report_is_believed_for_the_result_of_the_operators_server() -> None:
    top = "Authentication-Results: mx.example.com;\n\tdkim=pass header.d=arf.mail.yahoo.com\nReceived: from x by y\n"
    top += "DKIM-Signature: v=1; d=arf.mail.yahoo.com; s=s1; h=from; b=x\n"
    text = arf("Original-Rcpt-To: jane@example.org\n", original=returned(), From="x@arf.mail.yahoo.com", top=top)
    options = VERIFIED | {"authentication_results_from": ["mx.example.com"]}
    assert read_one(text, options=options).kind is Kind.COMPLAINT
    assert read_one(text).kind is Kind.OTHER
    assert read_one(text, options=VERIFIED | {"authentication_results_from": ["mx.example.net"]}).kind is Kind.OTHER
    beginning = text.replace("s=s1;", "s=s1; l=10;")
    assert read_one(beginning, options=options).kind is Kind.OTHER
    forged = f"Authentication-Results: mx.example.com; dkim=fail header.d=arf.mail.yahoo.com\nReceived: a\n{text}"
    assert read_one(forged, options=options).kind is Kind.OTHER

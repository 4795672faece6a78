"""Mails taken apart, whatever they were written by."""

import base64
import time

import pytest

from schemas.vocabulary import Kind
from tests.providers.mail.building import arf, dsn, group, mail, multipart, read, read_one
from worker.errors import UnreadablePayload
from worker.providers.mail.mail_part import MAX_PARTS, MailPart, read_mail_part


def part_of(text: str | bytes) -> MailPart:
    return read_mail_part(text if isinstance(text, bytes) else text.encode())


def test_what_is_no_mail_is_set_aside_with_the_remedy() -> None:
    for body in (
        b"",
        b"\n\n",
        b"{}",
        b'{"from": "x"}',
        b"hello",
        b"\xff\xfe\x00",
        b"<html></html>",
        b"a: b\n\nc",
        b"\0" * 99,
    ):
        with pytest.raises(UnreadablePayload, match="post the raw message"):
            read_mail_part(body)


def test_line_ends_of_every_sort_are_read_alike() -> None:
    text = arf()
    expected = read_one(text)
    for line_end in ("\r\n", "\r"):
        event = read_one(text.replace("\n", line_end))
        assert (event.kind, event.address, event.event_key) == (expected.kind, expected.address, expected.event_key)


def test_the_line_that_a_mailbox_file_puts_before_a_mail_is_skipped() -> None:
    assert read_one("From MAILER-DAEMON Wed Mar  4 11:00:00 2026\n" + arf()).kind is Kind.COMPLAINT


def test_folded_fields_are_read_as_one_line() -> None:
    part = part_of("Subject: one\n two\n\tthree\nFrom: a@b.c\n\nbody")
    assert part.headers.get("subject") == "one two three"
    assert part.payload() == b"body"


def test_encoded_words_become_letters_and_broken_ones_stay() -> None:
    assert part_of("Subject: =?utf-8?Q?R=C3=A9ponse?=\n\n").headers.readable("subject") == "Réponse"
    for broken in ("=?x-none?Q?abc?=", "=?utf-8?B?a?=", "=?utf-8?X?a?=", "=?", "=?utf-8?B?" + "a" * 400 + "?="):
        assert isinstance(part_of(f"Subject: {broken}\n\n").headers.readable("subject"), str)


def test_parts_in_base64_and_quoted_printable_are_decoded() -> None:
    fields = "Feedback-Type: abuse\nUser-Agent: Loop/1.0\nVersion: 1\nOriginal-Rcpt-To: jane@example.org\n"
    encoded = base64.encodebytes(fields.encode()).decode()
    quoted = fields.replace("@", "=40").replace("jane", "ja=\nne")
    for encoding, text in (
        ("base64", encoded),
        ("quoted-printable", quoted),
        ("BASE64", encoded[:-3] + "\n" + encoded[-3:]),
    ):
        parts = [(f"message/feedback-report\nContent-Transfer-Encoding: {encoding}", text)]
        event = read_one(multipart(parts), options={"accept_reports": "all"})
        assert (event.kind, event.address) == (Kind.COMPLAINT, "jane@example.org")


def test_encodings_broken_on_purpose_are_read_as_well_as_they_can_be() -> None:
    for encoding, text in (
        ("base64", "!!!!"),
        ("base64", "a"),
        ("base64", "=" * 50),
        ("quoted-printable", "=XY=Z="),
        ("x-no", "é"),
    ):
        part = part_of(mail(text, content_type=f"text/plain; charset=x-none\nContent-Transfer-Encoding: {encoding}"))
        assert isinstance(part.text(), str)


def test_charsets_that_are_no_charsets_are_not_asked() -> None:
    for charset in ("punycode", "unicode_escape", "idna", "zlib", "utf-7", "undefined", "../../x"):
        assert part_of(mail("caf\\u0065", content_type=f"text/plain; charset={charset}")).text() == "caf\\u0065"


def test_a_boundary_that_does_not_fit_is_guessed() -> None:
    text = arf().replace('boundary="edge"', 'boundary="another"')
    assert read_one(text).kind is Kind.COMPLAINT
    assert read_one(arf().replace('; boundary="edge"', "")).kind is Kind.COMPLAINT


def test_a_mail_cut_off_before_its_last_boundary_is_read() -> None:
    assert read_one(arf().partition("--edge--")[0]).kind is Kind.COMPLAINT


def test_a_mail_may_nest_deeper_than_anybody_reads() -> None:
    text = "Content-Type: text/plain\n\ninnermost\n"
    for depth in range(2_000):
        text = f'Content-Type: multipart/mixed; boundary="e{depth}"\n\n--e{depth}\n{text}--e{depth}--\n'
        if len(text) > 400_000:
            break
    begun = time.process_time()
    assert read("From: a@b.example\n" + text)[0].kind is Kind.OTHER
    nested = "From: a@b.example\nContent-Type: message/rfc822\n\n" * 2_000
    assert read(nested)[0].kind is Kind.OTHER
    assert time.process_time() - begun < 5


def test_of_ten_thousand_parts_the_first_are_read() -> None:
    text = multipart([("text/plain", "x")] * 10_000)
    begun = time.process_time()
    assert len(part_of(text).parts) == MAX_PARTS - 1
    assert read(text)[0].kind is Kind.OTHER
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "hostile",
    [
        "Subject: " + "x" * 2_000_000,
        "X-A: b\n" * 200_000,
        "Subject: " + "=?utf-8?Q?a?= " * 50_000,
        "Subject: a\n" + " folded\n" * 100_000,
        'Content-Type: text/plain; a="' + '\\"' * 100_000,
        "Content-Type: multipart/mixed; boundary=" + "a" * 100_000,
        "Authentication-Results: mx" + "(" * 50_000,
        'Authentication-Results: mx; "' * 20_000,
        "To: " + "@" * 100_000,
        "To: " + "a@" * 100_000,
        "List-Unsubscribe: " + "bk1aaaaaaaaaaaaaaaaaaaaaaaa " * 10_000,
        "From: mailer-daemon@x.example\nSubject: failure notice\n\nHi. This is the qmail-send program\n"
        + "a" * 500_000,
        "From: mailer-daemon@x.example\nSubject: failure notice\n\n" + "<" * 300_000,
        "From: mailer-daemon@x.example\nSubject: failure notice\nContent-Type: text/html\n\n" + "<script" * 60_000,
        "From: mailer-daemon@x.example\nSubject: failure notice\nContent-Type: text/html\n\n" + "<br" * 100_000,
        "From: mailer-daemon@x.example\nSubject: failed\n\nfailed addresses follow:\n" + ("a" * 900 + "\n") * 300,
        "From: mailer-daemon@x.example\nSubject: delivery failed\n\n" + "delivery " * 50_000,
        "Content-Type: message/delivery-status\n" + "\n" * 300_000,
        "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.example\n" + "X: y\n" * 60_000,
        "Content-Type: message/delivery-status\n\n" + "Final-Recipient: rfc822; a@b.example\n\n" * 20_000,
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n" + "Original-Rcpt-To: a@b.example\n" * 10_000,
        "X-XARF: yes\nContent-Type: application/json\n\n" + "[" * 100_000,
        "X-Failed-Recipients: " + "(" * 7_000 + " a@b.example",
        "Subject: failure notice\nFrom: " + "(" * 7_000 + " a@b.example",
        "Date: " + "(" * 100,
        "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.example"
        + "\n" * 250_000
        + "Action: failed",
        "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.example\n" + "\n x" * 80_000,
        "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.example\n" + " \n" * 120_000 + "X: y",
        "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + "\x00\xff" * 500_000,
        "From: mailer-daemon@x.example\nSubject: failure notice\n\n" + ("-" * 997 + "\n") * 300,
        "From: mailer-daemon@x.example\nSubject: failure notice\n\n" + "\n" * 300_000 + "x",
        "From: mailer-daemon@x.example\nSubject: failure notice\n\n" + "From: x\n" * 30_000,
        "From: x@reports.spamcop.net\n\n[ Offending message ]" + "\n" * 300_000,
        "From: a@b.example\nContent-Type: multipart/mixed; boundary=e\n\n" + "--e\n" * 100_000,
        "From: a@b.example\nContent-Type: multipart/mixed; boundary=e\n\n" + "--x" + " " * 200_000,
        "From: a@b.example\n\n" + "Received: x\n" * 100_000,
    ],
    ids=lambda hostile: hostile[:40],
)
def test_no_mail_holds_the_reader_up(hostile: str) -> None:
    text = f"From: mailer-daemon@x.example\nReturn-Path: <>\n{hostile}\n\nbody\n"
    begun = time.process_time()
    options = {"token_secrets": ("k" * 32,), "authentication_results_from": ("mx",)}
    for event in read(text, options=options):
        assert event.kind is Kind.OTHER
    assert time.process_time() - begun < 2.5


def test_a_notification_lists_no_more_recipients_than_anybody_mails_at_once() -> None:
    events = read(
        dsn(*[group(f"rfc822; p{number}@example.org") for number in range(1_000)]), options={"accept_reports": "all"}
    )
    assert len(events) == 100

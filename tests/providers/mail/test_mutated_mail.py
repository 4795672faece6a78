"""Mails spoilt at random are read, or set aside as no mail, and nothing else."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from tests.properties import examples
from tests.providers.mail.building import ALL, VERIFIED, arf, dsn, group, mail, multipart, read, returned, token, verp
from tests.providers.mail.test_prose_bounce import EXIM, QMAIL
from tests.providers.sample_events import assert_sound
from worker.errors import UnreadablePayload

CORPUS = [
    arf("Original-Rcpt-To: jane@example.org\n"),
    arf(original_type="message/rfc822"),
    dsn(group(code="smtp; 550 5.1.1 unknown"), group("rfc822; two@example.org", action="delayed")),
    dsn(group("utf-8; j\\x{FC}ne@example.org"), machine_type="message/global-delivery-status"),
    mail(QMAIL, Subject="failure notice"),
    mail(EXIM, Subject="Mail delivery failed", X_Failed_Recipients="jane@example.org"),
    mail("I am away", Subject="Automatic reply: News"),
    multipart([("text/plain", "x"), ("application/json", '{"Report": {"ReportType": "spam"}}')], X_XARF="PLAIN"),
    multipart([("message/rfc822", returned())], kind="multipart/mixed", From="scomp@aol.net", X_Loop="scomp"),
]
ODD = [
    b"",
    b"\x00",
    b"\xff",
    b"\r",
    b"\n",
    b"\n\n",
    b"--edge",
    b"--edge--\n",
    b";",
    b'"',
    b"<",
    b"@",
    b"=?utf-8?B?",
    b"(" * 99,
]
ODD += [
    "é".encode(),
    b": ",
    b" " * 999,
    b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: base64\n",
    b"\xed\xa0\x80",
]
_patient = settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])


def read_safely(message: bytes, options: dict[str, object]) -> list[FeedbackEvent]:
    try:
        return read(message, options=options, envelope_recipient=verp(), envelope_sender="")
    except UnreadablePayload as error:
        assert str(error)  # noqa: PT017 - being set aside with a reason is one of two right outcomes
        return []


@_patient
@given(data=st.data())
def test_mutated_mails_are_read_or_set_aside(data: st.DataObject) -> None:
    message = bytearray(data.draw(st.sampled_from(CORPUS)).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(message)))
        odd = data.draw(st.one_of(st.sampled_from(ODD), st.binary(max_size=4)))
        message[place : place + data.draw(st.sampled_from([0, 1, 2, 10, 200]))] = odd
    for options in (ALL, VERIFIED):
        for event in read_safely(bytes(message), options):
            assert_sound(event)


@_patient
@given(st.binary(max_size=400))
def test_bytes_are_read_or_set_aside(content: bytes) -> None:
    for message in (content, b"From: mailer-daemon@x.example\nSubject: failure notice\n" + content):
        for event in read_safely(message, ALL):
            assert_sound(event)


@_patient
@given(data=st.data())
def test_shuffled_and_repeated_parts_never_make_more_of_a_report(data: st.DataObject) -> None:
    fields = "Feedback-Type: abuse\nUser-Agent: Loop/1.0\nVersion: 1\n"
    parts = [
        ("text/plain", "words"),
        ("message/feedback-report", fields),
        ("text/rfc822-headers", returned(X_Bouncekeeper_Token=token())),
    ]
    drawn = data.draw(st.lists(st.sampled_from(parts), max_size=6))
    events = read_safely(
        multipart(drawn, kind=data.draw(st.sampled_from(["multipart/report", "multipart/mixed"]))).encode(), VERIFIED
    )
    assert len(events) == 1
    is_report = any(kind == "message/feedback-report" for kind, _ in drawn)
    assert (events[0].kind is Kind.COMPLAINT) == is_report
    assert_sound(events[0])


@pytest.mark.parametrize("number", range(len(CORPUS)))
def test_lines_in_any_order_are_read_or_set_aside(number: int) -> None:
    lines = CORPUS[number].encode().split(b"\n")
    chance = random.Random(number)
    for _ in range(30):
        chance.shuffle(lines)
        for event in read_safely(b"\n".join(lines), ALL):
            assert_sound(event)


@pytest.mark.parametrize("number", range(len(CORPUS)))
def test_a_mail_cut_off_anywhere_is_read_or_set_aside(number: int) -> None:
    content = CORPUS[number].encode()
    for end in range(0, len(content), 7):
        for event in read_safely(content[:end], VERIFIED):
            assert_sound(event)


def test_without_a_token_no_mutation_makes_anybody_a_complainer() -> None:
    forged = arf("Original-Rcpt-To: jane@example.org\n", original=returned()).encode()
    chance = random.Random(1)
    for _ in range(300):
        message = bytearray(forged)
        for _ in range(3):
            place = chance.randrange(len(message))
            message[place : place + chance.choice([0, 1, 5])] = chance.choice(ODD)
        try:
            events = read(bytes(message))
        except UnreadablePayload:
            continue
        assert all(event.kind is Kind.OTHER for event in events)

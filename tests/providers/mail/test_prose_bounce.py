"""Bounces that follow no RFC."""

import pytest

from schemas.vocabulary import Cause, Kind
from tests.providers.mail.building import ALL, JANE, mail, multipart, read, read_one, returned, token, verp

COPY = f"Return-Path: <b@bounce.example.com>\nReceived: from x by y\n{returned(X_Bouncekeeper_Token=token())}\nBody\n"
QMAIL = f"""Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<jane@example.org>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 No such user here
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.

{COPY}"""
EXIM = f"""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  jane@example.org
    SMTP error from remote mail server after RCPT TO:<jane@example.org>:
    host mx.example.org [192.0.2.1]: 552 5.2.2 mailbox is full

------ This is a copy of the message, including all the headers. ------

{COPY}"""
EXCHANGE = f"""Your message

  To:      Jane
  Subject: News

did not reach the following recipient(s):

jane@example.org on Wed, 4 Mar 2026 11:00:00 +0000
    The recipient name is not recognized
\tThe MTS-ID of the original message is: c=us;a= ;p=x
    MSEXCH:IMS:x:y:z 0 (000C05A6) Unknown Recipient

{COPY}"""
DELAYED = f"""This is just a warning, you do not need to take any action.

Your message to:
    jane@example.org
has been delayed: 451 4.3.0 system busy. This is just a warning, you do not need to take any action.

{COPY}"""
GERMAN = f"""Die folgende Nachricht konnte nicht zugestellt werden:

jane@example.org: 550 Unbekannter Empfänger

{COPY}"""


@pytest.mark.parametrize(
    ("body", "subject", "kind", "cause"),
    [
        (QMAIL, "failure notice", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        (EXIM, "Mail delivery failed: returning message to sender", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        (EXCHANGE, "Undeliverable: News", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        (DELAYED, "Warning: message delayed 24 hours", Kind.DEFERRED, Cause.SERVER_UNAVAILABLE),
        (GERMAN, "Unzustellbar: News", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    ],
    ids=["qmail", "exim", "exchange", "delayed", "german"],
)
def test_a_bounce_in_prose_is_read_by_what_it_quotes(body: str, subject: str, kind: Kind, cause: Cause) -> None:
    event = read_one(mail(body, Subject=subject))
    assert (event.kind, event.cause, event.address) == (kind, cause, JANE)
    assert event.vendor_event in {"bounce/failed", "bounce/delayed"}
    assert event.message_id == "sent-1@news.example.com"


def test_the_same_bounce_without_a_token_names_whom_the_server_names() -> None:
    text = mail(QMAIL.partition("--- Below")[0], Subject="failure notice")
    event = read_one(text, options=ALL)
    assert (event.kind, event.address, event.smtp_code) == (Kind.HARD_BOUNCE, JANE, 550)
    assert read_one(text).vendor_event == "unverified/bounce/failed"


def test_what_we_conclude_from_prose_is_no_part_of_the_key() -> None:
    failed, delayed = (
        read_one(mail(QMAIL, Subject="failure notice")),
        read_one(mail(DELAYED, Subject="Warning: message delayed 24 hours")),
    )
    assert (failed.vendor_event, delayed.vendor_event) == ("bounce/failed", "bounce/delayed")
    assert failed.event_key == delayed.event_key  # of one and the same Message-ID
    later = read_one(mail(QMAIL, Subject="failure notice", Message_ID="<later@mx.example.net>"))
    assert later.event_key != failed.event_key


def test_a_field_of_exims_names_all_who_failed() -> None:
    text = mail("550 5.1.1 unknown user", Subject="Mail failure", X_Failed_Recipients="a@example.org, b@example.org")
    assert [event.address for event in read(text, options=ALL)] == ["a@example.org", "b@example.org"]


def test_a_bounce_that_names_nobody_is_of_whom_its_token_names() -> None:
    text = mail("Sorry: 550 5.1.1 no such user", Subject="Undelivered Mail Returned to Sender")
    event = read_one(text, envelope_recipient=verp())
    assert (event.kind, event.address) == (Kind.HARD_BOUNCE, JANE)
    assert read_one(text, options=ALL).vendor_event == "unmatched/bounce/failed"


def test_a_bounce_without_a_sender_is_read_by_all_detectors() -> None:
    text = mail(QMAIL.partition("--- Below")[0], Subject="failure notice", From="", Return_Path="<>")
    assert read_one(text, options=ALL).address == JANE


def test_a_bounce_in_html_alone_or_in_base64_is_read() -> None:
    words = "&lt;jane@example.org&gt;: 550 5.1.1 no&nbsp;such user"
    page = f"<html><head><style>x</style></head><body><p>Sorry.</p><p>{words}</p></body></html>"
    text = mail(page, content_type="text/html; charset=utf-8", Subject="Undeliverable: News")
    event = read_one(text, envelope_recipient=verp())
    assert (event.kind, event.cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)


def test_the_returned_mail_is_not_read_as_words_of_the_server() -> None:
    """A mail of ours that speaks of full mailboxes."""
    original = returned(X_Bouncekeeper_Token=token()) + "\nIs your mailbox full? 552 5.2.2 over quota\n"
    parts = [("text/plain", "jane@example.org\n550 5.1.1 no such user"), ("message/rfc822", original)]
    event = read_one(multipart(parts, kind="multipart/mixed", Subject="Returned mail: see transcript for details"))
    assert event.cause is Cause.MAILBOX_DOES_NOT_EXIST


def test_a_person_who_quotes_a_bounce_sends_none() -> None:
    event = read_one(mail(QMAIL, From=JANE, Subject="Re: your mail"), envelope_recipient=verp())
    assert (event.kind, event.vendor_event) == (Kind.OTHER, "mail/ordinary")


def test_a_refusal_for_the_senders_sake_is_no_hard_bounce() -> None:
    text = mail(QMAIL.replace("550 5.1.1 No such user here", "554 5.7.1 listed at Spamhaus"), Subject="failure notice")
    assert (read_one(text).kind, read_one(text).cause) == (Kind.BLOCKED, Cause.SENDER_REPUTATION)


def test_a_rejection_that_poses_as_a_read_receipt_is_a_bounce() -> None:
    """Dovecot's Sieve."""
    words = "Your message to <jane@example.org> was automatically rejected:\n552 5.2.2 quota exceeded"
    parts = [("text/plain", words), ("message/disposition-notification", "Disposition: automatic-action; deleted")]
    text = multipart(
        parts, kind="multipart/report; report-type=disposition-notification", Subject="Automatically rejected mail"
    )
    event = read_one(text, envelope_recipient=verp())
    assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)


@pytest.mark.parametrize(
    ("sender", "subject"),
    [
        ("PostMaster@qq.example", "=?gb18030?B?z7XNs83L0MU=?="),
        ("mailer-daemon@mx.example.ru", "Недоставленное сообщение"),
        ("postmaster@example.pl", "Niedostarczony: News"),
        ("postmaster@example.jp", "配信不能: News"),
    ],
)
def test_a_bounce_in_any_language_is_one_and_its_recipient_is_who_stands_before_the_words(
    sender: str, subject: str
) -> None:
    body = "???\n\n<jane@example.org>: host mx.example.org[192.0.2.1] said: 550 5.1.1\n    No such user\n"
    event = read_one(mail(body, From=sender, Subject=subject), options=ALL)
    assert (event.kind, event.address) == (Kind.HARD_BOUNCE, JANE)


def test_a_notice_whose_lines_are_broken_within_its_phrases_is_a_bounce() -> None:
    body = "Your message could not\nbe delivered to one recipient.\n\n<jane@example.org>: 552 5.2.2 mailbox full\n"
    event = read_one(mail(body, Subject="=?utf-8?Q?=C2=A1!?="), options=ALL)
    assert (event.cause, event.address) == (Cause.MAILBOX_FULL, JANE)


def test_words_after_the_name_of_the_returned_mails_recipient_say_why() -> None:
    body = f"Your mail could not be delivered.\n\njane@example.org:\nuser not found\n\n{COPY}"
    event = read_one(mail(body, Subject="Mail failure."))
    assert (event.kind, event.cause, event.address) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, JANE)


@pytest.mark.parametrize(
    "subject", ["Автоматический ответ: News", "Odpowiedź automatyczna: News", "Automatiskt svar: x"]
)
def test_an_absent_person_is_no_bounce_in_any_language(subject: str) -> None:
    body = "<jane@example.org>: 550 5.1.1 user unknown\n"
    event = read_one(mail(body, From=JANE, Subject=subject, To=verp()), envelope_sender="")
    assert (event.kind, event.vendor_event) == (Kind.OTHER, "mail/auto_reply")

"""What comes to the mailbox of bounces and is none."""

import pytest

from schemas.vocabulary import Cause, Kind
from tests.providers.mail.building import JANE, mail, multipart, read_one, verp
from worker.providers.mail.other_mail import OTHER_MAIL

PERSON = {"From": "Jane <jane@example.org>", "Subject": "Re: News"}


@pytest.mark.parametrize(
    "fields",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-replied (vacation)"},
        {"Auto_Submitted": "auto-generated"},
        {"Precedence": "auto_reply"},
        {"Precedence": "junk"},
        {"X_Autoreply": "yes"},
        {"X_Autorespond": "away"},
        {"X_Apple_Action": "VACATION"},
        {"X_MS_Exchange_Inbox_Rules_Loop": "jane@example.org"},
        {"X_Auto_Response_Suppress": "All"},
        {"Subject": "Automatic reply: News"},
        {"Subject": "Auto: News"},
        {"Subject": "Out of Office: News"},
        {"Subject": "Out of office"},
        {"Subject": "Abwesenheitsnotiz: News"},
        {"Subject": "Automatisch antwoord: News"},
        {"Subject": "=?utf-8?Q?R=C3=A9ponse_automatique?="},
        {"Subject": "Respuesta automática: News"},
        {"Subject": "Autosvar: News"},
    ],
    ids=str,
)
def test_an_automatic_reply_changes_nothing(fields: dict[str, str]) -> None:
    text = mail("I am away.", **{**PERSON, **fields})
    event = read_one(text, envelope_recipient=verp(), envelope_sender="")
    assert (event.kind, event.cause, event.vendor_event) == (Kind.OTHER, Cause.AUTO_REPLY, "mail/auto_reply")
    assert (event.address, event.recognised) == (JANE, True)


def test_an_automatic_reply_from_the_null_sender_is_no_bounce() -> None:
    """Exchange's out-of-office replies."""
    text = mail("I am away until Monday.", **PERSON, X_Auto_Response_Suppress="All", Return_Path="<>")
    assert read_one(text, envelope_recipient=verp(), envelope_sender="").vendor_event == "mail/auto_reply"


def test_a_reply_that_names_a_new_address_is_told_as_that() -> None:
    text = mail(
        "I no longer use this. My new e-mail address is j@example.net.",
        **{**PERSON, "Subject": "Automatic reply: News"},
    )
    event = read_one(text)
    assert (event.kind, event.cause) == (Kind.OTHER, Cause.ADDRESS_CHANGED)


@pytest.mark.parametrize(
    "words",
    [
        "This mailbox is protected by Spam Arrest.",
        "Please verify that you are human.",
        "Your message is being held until you confirm it.",
        "Click the link below to have your message delivered.",
    ],
)
def test_a_question_whether_we_are_human_changes_nothing(words: str) -> None:
    event = read_one(mail(words, **PERSON), envelope_recipient=verp())
    assert (event.kind, event.cause, event.vendor_event) == (Kind.OTHER, Cause.CHALLENGE_RESPONSE, "mail/challenge")


def test_a_read_receipt_changes_nothing() -> None:
    parts = [("text/plain", "Read."), ("message/disposition-notification", "Disposition: manual-action; displayed")]
    text = multipart(parts, kind="multipart/report; report-type=disposition-notification", **PERSON)
    assert read_one(text, envelope_recipient=verp()).vendor_event == "mail/read_receipt"


@pytest.mark.parametrize(
    "text",
    [
        multipart([("application/tlsrpt+gzip", "x")], kind="multipart/report; report-type=tlsrpt", Subject="Report"),
        mail("x", Subject="Report Domain: example.com Submitter: loop.example.net", content_type="application/gzip"),
    ],
)
def test_reports_about_domains_change_nothing(text: str) -> None:
    assert read_one(text).vendor_event == "mail/domain_report"


def test_the_mail_of_a_list_changes_nothing() -> None:
    assert read_one(mail("Hello", **PERSON, List_Id="<friends.example.org>")).vendor_event == "mail/list"
    assert read_one(mail("Hello", **PERSON, Precedence="bulk")).vendor_event == "mail/list"


def test_ordinary_mail_names_nobody_unless_it_came_to_a_token() -> None:
    event = read_one(mail("Hello", **PERSON))
    assert (event.kind, event.vendor_event, event.address) == (Kind.OTHER, "mail/ordinary", None)
    assert read_one(mail("Hello", **PERSON), envelope_recipient=verp()).address == JANE


def test_each_ordinary_mail_is_an_event_of_its_own() -> None:
    first, second = read_one(mail("Hello", **PERSON)), read_one(mail("Hello", **PERSON, Message_ID="<2@x>"))
    assert first.event_key != second.event_key


def test_all_that_mail_can_be_is_named() -> None:
    assert all(name.startswith("mail/") for name in OTHER_MAIL)
    assert {kind for kind, _ in OTHER_MAIL.values()} == {Kind.OTHER, Kind.UNSUBSCRIBE}

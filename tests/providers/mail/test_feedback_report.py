"""Reports of feedback loops, in all the forms that they come in."""

import pytest

from schemas.vocabulary import Cause, Kind, Way
from tests.providers.mail.building import ALL, JANE, arf, mail, multipart, read_one, returned, token
from tests.providers.meanings import meanings
from worker.providers.mail.feedback_report import FEEDBACK_TYPES

# What each says of the mail that it reports; an echo of somebody's filter is nobody's complaint.
MEANINGS = meanings(
    {
        (Kind.COMPLAINT, Cause.ABUSE_REPORT): "abuse",
        (Kind.COMPLAINT, Cause.FRAUD_REPORT): "fraud",
        (Kind.UNSUBSCRIBE, Cause.NONE): "opt-out opt-out-list",
        (Kind.OTHER, Cause.VIRUS): "virus",
        (Kind.OTHER, Cause.SENDER_AUTHENTICATION): "auth-failure dmarc",
        (Kind.OTHER, Cause.NONE): "not-spam other miscategorized",
    }
)


def test_every_registered_feedback_type_is_known() -> None:
    """https://www.iana.org/assignments/marf-parameters/, and those of drafts that are still seen."""
    registered = {"abuse", "auth-failure", "fraud", "not-spam", "other", "virus"}
    drafts = {"opt-out", "opt-out-list", "miscategorized", "dmarc"}
    assert registered | drafts == set(MEANINGS)
    assert {*MEANINGS, "spamtrap"} == set(FEEDBACK_TYPES)


@pytest.mark.parametrize("name", MEANINGS)
def test_each_type_becomes_what_it_says_of_the_mail(name: str) -> None:
    event = read_one(arf(feedback_type=name))
    assert (event.kind, event.cause) == MEANINGS[name]
    assert event.vendor_event == f"arf/{name}"
    assert event.address == JANE
    assert event.recognised


def test_types_are_read_without_regard_to_case_and_blanks() -> None:
    assert read_one(arf(feedback_type="  ABUSE ")).kind is Kind.COMPLAINT


def test_a_type_that_nobody_registered_changes_nothing() -> None:
    event = read_one(arf(feedback_type="invented"))
    assert (event.kind, event.vendor_event, event.recognised) == (Kind.OTHER, "arf/invented", False)
    assert read_one(arf().replace("Feedback-Type", "X-Type")).vendor_event == "arf/untyped"


def test_an_authentication_failure_is_never_a_complaint() -> None:
    fields = "Auth-Failure: dmarc\nOriginal-Rcpt-To: jane@example.org\n"
    assert read_one(arf(fields, feedback_type="auth-failure"), options=ALL).kind is Kind.OTHER


@pytest.mark.parametrize(
    "text",
    [
        arf().replace("User-Agent: Loop/1.0", "User-Agent: abusix-py/0.9"),
        arf("Abuse-Type: spamtrap\n"),
        arf(Subject="Spamtrap hit report"),
    ],
)
def test_a_trap_is_no_subscriber_who_complains(text: str) -> None:
    event = read_one(text)
    assert (event.kind, event.vendor_event) == (Kind.OTHER, "arf/spamtrap")


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/report; report-type=feedback-report",
        'multipart/report;\n\treport-type="feedback-report"',
        "multipart/mixed",
        "MULTIPART/REPORT; REPORT-TYPE=Feedback-Report",
    ],
)
def test_the_mails_own_type_may_be_written_in_any_way(kind: str) -> None:
    assert read_one(arf(kind=kind)).kind is Kind.COMPLAINT


@pytest.mark.parametrize(
    "original_type", ["text/rfc822-headers", "text/rfc822-header", "message/rfc822", "message/global"]
)
def test_the_returned_mail_may_be_of_any_of_its_types(original_type: str) -> None:
    event = read_one(arf(original_type=original_type, original=returned(X_Bouncekeeper_Token=token()) + "\nText\n"))
    assert (event.kind, event.message_id) == (Kind.COMPLAINT, "sent-1@news.example.com")


def test_microsofts_report_since_2026_names_nobody_and_is_matched_by_its_token() -> None:
    original = returned(To="<redacted@redacted.invalid>", List_Unsubscribe=f"<https://example.com/u/{token()}>")
    event = read_one(arf(original=original).replace("Loop/1.0", "JMRP/1.0"))
    assert (event.kind, event.address) == (Kind.COMPLAINT, JANE)
    assert event.metadata is not None
    assert (event.metadata["reporter"], event.metadata["recipient_via"]) == ("JMRP/1.0", "list_unsubscribe")


OLD_MICROSOFT = {"From": "<staff@hotmail.com>", "Subject": " complaint about message from 192.0.2.7"}


def test_microsofts_older_report_has_no_report_part_and_names_the_recipient_above_the_mail() -> None:
    original = "X-HmXmrOriginalRecipient: jane@example.org\nX-Reporter-IP: 192.0.2.9\n" + returned(To="undisclosed")
    text = multipart([("message/rfc822", original + "\nHello\n")], kind="multipart/mixed", **OLD_MICROSOFT)
    event = read_one(text, dkim_pass=("hotmail.com",))
    assert (event.kind, event.cause, event.address) == (Kind.COMPLAINT, Cause.ABUSE_REPORT, JANE)
    assert event.vendor_event == "jmrp/abuse"


def test_the_field_of_microsofts_older_report_counts_nowhere_else() -> None:
    original = "X-HmXmrOriginalRecipient: jane@example.org\n" + returned(To="undisclosed")
    event = read_one(arf(original=original, From="x@arf.mail.yahoo.com"), dkim_pass=("arf.mail.yahoo.com",))
    assert (event.kind, event.address) == (Kind.OTHER, None)
    assert event.vendor_event == "unmatched/arf/abuse"


def test_amazons_older_report_says_it_in_its_subject() -> None:
    fields = {"From": "complaints@email-abuse.amazonses.com", "Subject": "complaint about message from 192.0.2.7"}
    text = multipart([("message/rfc822", returned(X_Bouncekeeper_Token=token()))], kind="multipart/mixed", **fields)
    assert (read_one(text).kind, read_one(text).vendor_event) == (Kind.COMPLAINT, "abuse_mail/abuse")


def test_aols_older_report_is_marked_by_a_loop_field() -> None:
    parts = [
        ("text/plain", "This is an email abuse report"),
        ("message/rfc822", returned(X_Bouncekeeper_Token=token())),
    ]
    event = read_one(multipart(parts, kind="multipart/mixed", From="scomp@aol.net", X_Loop="scomp"))
    assert (event.kind, event.vendor_event) == (Kind.COMPLAINT, "scomp/abuse")


def test_a_mail_with_another_attached_is_no_complaint() -> None:
    parts = [("text/plain", "Look at this"), ("message/rfc822", returned(X_Bouncekeeper_Token=token()))]
    event = read_one(multipart(parts, kind="multipart/mixed", From="bob@example.net", Subject="Fwd: News"))
    assert (event.kind, event.vendor_event) == (Kind.OTHER, "mail/ordinary")


def test_yahoos_report_names_the_recipient() -> None:
    fields = "Original-Mail-From: <b@bounce.example.com>\nOriginal-Rcpt-To: jane@example.org\nReceived-Date: " + "x\n"
    text = arf(fields, original=returned(), From='"Yahoo! Mail AntiSpam Feedback" <feedback@arf.mail.yahoo.com>')
    event = read_one(text.replace("Version: 1\n", "Version: 0.1\n"), dkim_pass=("arf.mail.yahoo.com",))
    assert (event.kind, event.address) == (Kind.COMPLAINT, JANE)
    assert event.metadata is not None
    assert event.metadata["reporter_signature"] == "arf.mail.yahoo.com"


def test_a_hash_in_the_place_of_an_address_is_nobody() -> None:
    """Comcast's way, through Return Path."""
    fields = f"Original-Rcpt-To: {'0123456789abcdef' * 2}@comcast.net\nSource: Comcast\n"
    event = read_one(arf(fields, original=returned(To="REDACTED")), options=ALL)
    assert (event.kind, event.vendor_event, event.address) == (Kind.OTHER, "unmatched/arf/abuse", None)
    assert event.diagnostic is not None
    assert "token" in event.diagnostic
    by_token = read_one(arf(fields, original=returned(To="REDACTED", CFBL_Feedback_ID=token())))
    assert (by_token.kind, by_token.address) == (Kind.COMPLAINT, JANE)


def test_of_many_recipients_only_the_one_whom_the_returned_mail_went_to_complained() -> None:
    fields = "".join(f"Original-Rcpt-To: person{number}@example.org\n" for number in range(7))
    event = read_one(arf(fields, original=returned(To="person3@example.org")), options=ALL)
    assert event.address == "person3@example.org"
    several = read_one(arf(fields, original=returned(To="person3@example.org, person4@example.org")), options=ALL)
    assert (several.address, several.vendor_event) == (None, "unmatched/arf/abuse")


def test_aols_half_of_an_address_is_joined_with_where_the_mail_went() -> None:
    original = returned(To="someone@aol.example, other@aol.example")
    event = read_one(arf("Redacted-Address: jane@\n", original=original), options=ALL)
    assert event.address == "jane@aol.example"


def test_a_report_sent_as_plain_text_is_read() -> None:
    assert read_one(arf().replace("message/feedback-report", "text/plain")).kind is Kind.COMPLAINT


@pytest.mark.parametrize(
    ("written", "kind"), [("spam", Kind.COMPLAINT), ("phishing", Kind.COMPLAINT), ("malware", Kind.OTHER)]
)
def test_a_report_as_json_is_read(written: str, kind: Kind) -> None:
    """X-ARF, https://xarf.org."""
    document = (
        f'{{"Version": "2", "ReporterInfo": {{}}, "Report": {{"ReportClass": "Content", "ReportType": "{written}"}}}}'
    )
    parts = [
        ("text/plain", "x"),
        ("application/json", document),
        ("message/rfc822", returned(X_Bouncekeeper_Token=token())),
    ]
    event = read_one(multipart(parts, kind="multipart/mixed", X_XARF="PLAIN"))
    assert (event.kind, event.address) == (kind, JANE)
    assert event.vendor_event.startswith("xarf/")


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ('"category": "messaging", "type": "spam"', "xarf/abuse"),
        ('"category": "messaging", "type": "bulk_messaging", "evidence_source": "user_report"', "xarf/abuse"),
        ('"category": "messaging", "type": "spam", "evidence_source": "spamtrap"', "xarf/spamtrap"),
        ('"category": "content", "type": "phishing"', "xarf/fraud"),
        ('"category": "connection", "type": "login_attack"', "xarf/login_attack"),
    ],
)
def test_a_report_as_json_of_version_4_needs_no_header(written: str, what: str) -> None:
    document = f'{{"xarf_version": "4.2.0", "reporter": {{"type": "automated"}}, {written}}}'
    parts = [("application/json", document), ("message/rfc822", returned(X_Bouncekeeper_Token=token()))]
    event = read_one(multipart(parts, kind="multipart/mixed"))
    assert (event.vendor_event, event.address) == (what, JANE)
    assert (event.kind is Kind.COMPLAINT) == (what in {"xarf/abuse", "xarf/fraud"})


def test_spamcops_report_is_plain_text() -> None:
    original = f"Return-Path: <b@bounce.example.com>\nDelivered-To: x\n{returned(X_Bouncekeeper_Token=token(), To='x')}"
    text = f"[ SpamCop V5.0 ]\nEmail from 192.0.2.1 / today\n\n[ Offending message ]\n{original}\nBuy\n"
    fields = {"From": "123@reports.spamcop.net", "Subject": "[SpamCop (192.0.2.1) id:123]News"}
    event = read_one(mail(text, **fields))
    assert (event.kind, event.address, event.vendor_event) == (Kind.COMPLAINT, JANE, "spamcop/abuse")
    assert event.message_id == "sent-1@news.example.com"
    assert read_one(mail("A summary", **fields)).vendor_event == "mail/ordinary"


def test_a_report_as_yaml_is_read() -> None:
    parts = [("text/plain", "x"), ("text/plain; name=report.txt", "---\nReport-Type: spam\nCategory: abuse\n")]
    parts += [("message/rfc822", returned(X_Bouncekeeper_Token=token()))]
    assert read_one(multipart(parts, kind="multipart/mixed", X_ARF="Yes")).kind is Kind.COMPLAINT


def test_a_report_whose_json_is_not_xarf_changes_nothing() -> None:
    for document in ("", "[", "[]", "3", '{"a": {"b": 1}}'):
        event = read_one(multipart([("application/json", document)], kind="multipart/mixed", X_XARF="PLAIN"))
        assert event.kind is Kind.OTHER


def test_apple_mails_button_unsubscribes() -> None:
    text = mail(
        "Apple Mail sent this.",
        From=JANE,
        Subject="unsubscribe",
        X_Apple_Unsubscribe="true",
        Auto_Submitted="auto-replied",
    )
    event = read_one(text, envelope_recipient=f"unsubscribe+{token()}@example.com")
    assert (event.kind, event.address, event.vendor_event) == (Kind.UNSUBSCRIBE, JANE, "mail/apple_unsubscribe")
    assert event.way is Way.MAIL_CLIENT


def test_a_mail_to_the_unsubscribe_address_unsubscribes_whom_its_token_names() -> None:
    event = read_one(
        mail("", From="other@example.net", Subject="Unsubscribe"), envelope_recipient=f"u+{token()}@example.com"
    )
    assert (event.kind, event.address, event.way) == (Kind.UNSUBSCRIBE, JANE, Way.MAIL_CLIENT)
    unverified = read_one(mail("", From=JANE, Subject="Unsubscribe"))
    assert (unverified.vendor_event, unverified.way) == ("unverified/mail/unsubscribe", None)


def test_the_key_is_that_of_the_mail_complained_of() -> None:
    first = read_one(arf())
    again = read_one(arf(Message_ID="<another@loop.example.net>"), envelope_recipient="x@example.com")
    assert first.event_key == again.event_key
    other = read_one(arf(original=returned(X_Bouncekeeper_Token=token(), Message_ID="<sent-2@x>")))
    assert other.event_key != first.event_key
    assert read_one(arf(feedback_type="fraud")).event_key != first.event_key
    assert read_one(arf(), account="shop").event_key != first.event_key


def test_what_is_kept_is_the_report_and_the_header_of_the_mail_without_its_body() -> None:
    original = returned(X_Bouncekeeper_Token=token()) + "\nThe body of the mail.\n"
    event = read_one(arf("Reported-Domain: example.com\n", original=original, original_type="message/rfc822"))
    kept = event.raw.decode()
    assert "Reported-Domain: example.com" in kept
    assert "message-id: sent-1@" in kept.replace("<", "").lower()
    assert "The body of the mail" not in kept


@pytest.mark.parametrize(
    "date", ["Wed, 04 Mar 2026 06:00:00 -0500 (EST)", "4 Mar 2026 11:00 GMT", "Wed, 04 Mar 2026 11:00:00 XYZ"]
)
def test_dates_with_odd_zones_are_read(date: str) -> None:
    event = read_one(arf(Date=date))
    assert event.occurred_at.isoformat() == "2026-03-04T11:00:00+00:00"


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Wed, 99 Mar 2026 11:00:00 +0000", "Wed, 04 Mar 2026 11:00:00 +9999"]
)
def test_a_report_without_a_usable_date_is_dated_by_its_arrival(date: str) -> None:
    assert read_one(arf(Date=date)).arrival_dated

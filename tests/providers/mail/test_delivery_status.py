"""Bounces that follow RFC 3464, and those that nearly do."""

import base64

import pytest

from schemas.vocabulary import Cause, Kind
from tests.providers.mail.building import ALL, JANE, dsn, group, multipart, read, read_one, returned, token, verp
from worker.providers.mail.delivery_status import ACTIONS

EXPECTED = {
    "failed": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "delayed": (Kind.DEFERRED, Cause.MAILBOX_DOES_NOT_EXIST),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "relayed": (Kind.OTHER, Cause.NONE),
    "expanded": (Kind.OTHER, Cause.NONE),
    # not of the RFC: a probe of Postfix', and SendGrid's own reports
    "deliverable": (Kind.OTHER, Cause.NONE),
    "expired": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
}


def test_the_actions_are_those_of_the_rfc_and_two_that_servers_add() -> None:
    assert set(ACTIONS) == set(EXPECTED)


@pytest.mark.parametrize("action", EXPECTED)
def test_each_action_becomes_what_it_means(action: str) -> None:
    event = read_one(dsn(group(action=action)))
    assert (event.kind, event.cause) == EXPECTED[action]
    assert (event.vendor_event, event.address, event.recognised) == (f"dsn/{action}", JANE, True)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("Failed (permanently)", Kind.HARD_BOUNCE),
        ("error", Kind.HARD_BOUNCE),
        ("delay", Kind.DEFERRED),
        ("DELIVERED (to mailbox)", Kind.DELIVERED),
    ],
)
def test_servers_write_more_than_the_word(written: str, kind: Kind) -> None:
    assert read_one(dsn(group(action=written))).kind is kind


def test_an_action_that_nobody_defined_changes_nothing() -> None:
    event = read_one(dsn(group(action="invented")))
    assert (event.kind, event.vendor_event, event.recognised) == (Kind.OTHER, "dsn/invented", False)


@pytest.mark.parametrize(
    ("status", "kind"),
    [("5.1.1", Kind.HARD_BOUNCE), ("4.2.2", Kind.DEFERRED), ("2.0.0", Kind.DELIVERED), ("", Kind.OTHER)],
)
def test_without_an_action_the_status_tells_it(status: str, kind: Kind) -> None:
    assert read_one(dsn(group(action="", status=status))).kind is kind


def test_who_gave_up_after_days_of_trying_made_no_hard_bounce() -> None:
    event = read_one(dsn(group(status="4.0.0", code="smtp; 426 connection timed out")))
    assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED)


def test_the_servers_words_overrule_a_vague_status() -> None:
    code = "smtp; 552 <jane@example.org> rejected: over quota"
    event = read_one(dsn(group(status="5.0.0 (permanent failure)", code=code)))
    assert (event.kind, event.cause, event.smtp_code) == (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL, 552)
    assert event.diagnostic == "552 <jane@example.org> rejected: over quota"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("smtp;host mx.example.org:25 says:\n 550 5.1.1 no such user", Cause.MAILBOX_DOES_NOT_EXIST),
        ("550 5.1.1 no such user", Cause.MAILBOX_DOES_NOT_EXIST),
        ("x-postfix; Host or domain name not found", Cause.DOMAIN_DOES_NOT_EXIST),
        ("smtp; 550 5.7.1 blocked, see https://www.spamhaus.org/query/ip/192.0.2.1", Cause.SENDER_REPUTATION),
        ("smtp; 552 5.3.4 message size exceeds limit", Cause.MESSAGE_TOO_LARGE),
        ("x-unix; user unknown", Cause.MAILBOX_DOES_NOT_EXIST),
    ],
)
def test_diagnostics_of_every_form_are_read(code: str, cause: Cause) -> None:
    assert read_one(dsn(group(status="5.0.0", code=code))).cause is cause


@pytest.mark.parametrize(
    ("server", "code", "status", "cause"),
    [
        (
            "mx.l.google.com",
            "smtp; 550 5.2.1 receiving mail at a rate that prevents delivery",
            "5.2.1",
            Cause.RATE_LIMITED,
        ),
        (
            "gmail-smtp-in.l.google.com",
            "smtp; 552 5.2.2 out of storage space and inactive",
            "5.2.2",
            Cause.MAILBOX_DISABLED,
        ),
        (
            "eu.mail.protection.outlook.com",
            "smtp; 550 5.4.1 Recipient address rejected: Access denied",
            "5.4.1",
            Cause.MAILBOX_DOES_NOT_EXIST,
        ),
        (
            "mta7.am0.yahoodns.net",
            "smtp; 554 30 Sorry, this mailbox is disabled (554.30)",
            "5.0.0",
            Cause.MAILBOX_DISABLED,
        ),
        (
            "mx01.mail.icloud.com",
            "smtp; 550 5.7.1 [CS01] Message rejected due to local policy",
            "5.7.1",
            Cause.SENDER_REPUTATION,
        ),
        ("smtp-in.orange.example", "smtp; 552 5.1.1 OFR_417 boite pleine", "5.1.1", Cause.MAILBOX_FULL),
    ],
)
def test_the_peculiar_words_of_mailbox_providers_count(server: str, code: str, status: str, cause: Cause) -> None:
    assert read_one(dsn(group(status=status, code=code, Remote_MTA=f"dns; {server}"))).cause is cause


def test_without_a_diagnostic_the_prose_quotes_the_server() -> None:
    words = "<jane@example.org>: host mx.example.org said:\n   552 5.2.2 mailbox full (in reply to RCPT TO)"
    notice = f"Sorry.\n\n{words}\n\nBye"
    event = read_one(dsn(group(status="5.0.0"), notice=notice))
    assert event.cause is Cause.MAILBOX_FULL
    assert event.diagnostic is not None
    assert "552 5.2.2" in event.diagnostic


def test_each_recipient_of_a_notification_is_an_event_of_its_own() -> None:
    text = dsn(
        group("rfc822; one@example.org", code="smtp; 550 5.1.1 no such user"),
        group("rfc822; two@example.org", action="delayed", status="4.2.0"),
        group("rfc822;<three@example.org>", action="delivered", status="2.1.5"),
        original=returned(),
    )
    events = read(text, options=ALL)
    assert [(event.address, event.kind) for event in events] == [
        ("one@example.org", Kind.HARD_BOUNCE),
        ("two@example.org", Kind.DEFERRED),
        ("three@example.org", Kind.DELIVERED),
    ]
    assert len({event.event_key for event in events}) == 3


def test_a_token_speaks_for_its_own_recipient_among_several() -> None:
    text = dsn(group("rfc822; one@example.org"), group(), group("rfc822; two@example.org"))
    events = read(text)
    assert [(event.address, event.kind) for event in events] == [
        (None, Kind.OTHER),
        (JANE, Kind.HARD_BOUNCE),
        (None, Kind.OTHER),
    ]
    assert [event.vendor_event for event in events] == ["unverified/dsn/failed", "dsn/failed", "unverified/dsn/failed"]


def test_a_bounce_from_where_the_mail_was_forwarded_to_is_of_whom_we_sent_it_to() -> None:
    event = read_one(dsn(group("rfc822; jane.d@inner.example.net", Original_Recipient="rfc822; jane@example.org")))
    assert event.address == JANE
    event = read_one(dsn(group("rfc822; jane.d@inner.example.net")))
    assert event.address == JANE
    by_field = dsn(group("rfc822; jane.d@inner.example.net", Original_Recipient="rfc822;jane@example.org"), original="")
    assert read_one(by_field, options=ALL).address == JANE


def test_a_token_in_the_envelopes_recipient_is_enough() -> None:
    event = read_one(dsn(group("rfc822; jd@inner.example.net"), original=""), envelope_recipient=verp())
    assert (event.kind, event.address) == (Kind.HARD_BOUNCE, JANE)
    event = read_one(dsn(group(), original="", To=f"<{verp()}>"))
    assert event.address == JANE


def test_a_token_as_envelope_id_is_found() -> None:
    text = dsn(group(), message=f"Original-Envelope-Id: {token()}\nReporting-MTA: dns; x\n", original="")
    assert read_one(text).address == JANE


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("rfc822;jane@example.org", JANE),
        ("RFC822; <jane@example.org> (Jane)", JANE),
        ("jane@example.org", JANE),
        ("<jane@example.org>", JANE),
        ("utf-8; jüne@example.org", "jüne@example.org"),
        ("utf-8; j\\x{FC}ne@example.org", "jüne@example.org"),
        ("utf-8; \\x{D800}jane@example.org", JANE),
        ('rfc822; "jane doe"@example.org', '"jane doe"@example.org'),
        ("rfc822; nobody", None),
        ("x400; /C=US/", None),
    ],
)
def test_recipients_of_every_form_are_read(written: str, address: str | None) -> None:
    event = read_one(dsn(group(written), original=returned(To="several:;")), options=ALL)
    assert event.address == address


def test_an_international_notification_is_read() -> None:
    """RFC 6533."""
    event = read_one(dsn(group("utf-8; jane@example.org"), machine_type="message/global-delivery-status"))
    assert (event.kind, event.address) == (Kind.HARD_BOUNCE, JANE)


def test_a_notification_in_base64_is_read() -> None:
    fields = base64.encodebytes(f"Reporting-MTA: dns; x\n\n{group()}".encode()).decode()
    parts = [("text/plain", "Sorry"), ("message/delivery-status\nContent-Transfer-Encoding: base64", fields)]
    assert read_one(multipart(parts), envelope_recipient=verp()).kind is Kind.HARD_BOUNCE


def test_a_notification_inside_other_parts_is_read() -> None:
    inner = f"--in\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n{group()}\n--in--\n"
    text = multipart([("text/plain", "x"), ('multipart/mixed; boundary="in"', inner)], kind="multipart/mixed")
    assert read_one(text, envelope_recipient=verp()).kind is Kind.HARD_BOUNCE


def test_a_notification_sent_as_plain_text_is_read() -> None:
    assert read_one(dsn(group(), machine_type="text/plain")).kind is Kind.HARD_BOUNCE


def test_a_notification_attached_to_somebodys_mail_is_no_bounce() -> None:
    text = multipart(
        [("text/plain", "What is this?"), ("message/rfc822", dsn(group()).replace("edge", "inner"))],
        kind="multipart/mixed",
        From="bob@example.net",
        Subject="Fwd",
    )
    event = read_one(text, envelope_recipient=verp())
    assert (event.kind, event.vendor_event) == (Kind.OTHER, "mail/ordinary")


def test_empty_lines_may_be_missing_or_too_many() -> None:
    together = dsn(group("rfc822; a@example.org") + group("rfc822; b@example.org", status="5.2.2"), original="")
    assert [event.address for event in read(together, options=ALL)] == ["a@example.org", "b@example.org"]
    apart = dsn("Final-Recipient: rfc822; a@example.org\n\nAction: failed\n\n\nStatus: 5.1.1\n", original="")
    (event,) = read(apart, options=ALL)
    assert (event.address, event.kind) == ("a@example.org", Kind.HARD_BOUNCE)
    without_message = dsn(group(), message="", original="")
    assert read_one(without_message, options=ALL).kind is Kind.HARD_BOUNCE


def test_an_empty_line_within_a_folded_diagnostic_does_not_end_it() -> None:
    code = "smtp; The response was:\n \n 550-5.1.1 The account that you tried to reach does not exist"
    event = read_one(dsn(group(status="5.0.0", code=code)))
    assert (event.kind, event.smtp_code) == (Kind.HARD_BOUNCE, 550)


def test_a_group_that_names_nobody_is_of_whom_exim_names_or_the_token() -> None:
    fields = "Action: failed\nStatus: 5.1.1\n"
    assert read_one(dsn(fields)).address == JANE
    assert (
        read_one(dsn(fields, original="", X_Failed_Recipients="bob@example.org"), options=ALL).address
        == "bob@example.org"
    )


def test_one_recipient_reported_twice_is_one_event() -> None:
    assert len(read(dsn(group(), group(), original=""), options=ALL)) == 1


def test_the_time_is_that_of_the_last_attempt() -> None:
    event = read_one(dsn(group(Last_Attempt_Date="Wed, 04 Mar 2026 10:00:00 +0000")))
    assert event.occurred_at.hour == 10
    assert read_one(dsn(group())).occurred_at.hour == 11


def test_a_bounce_that_comes_by_two_ways_has_one_key() -> None:
    first = read_one(dsn(group()), envelope_recipient=verp())
    second = read_one("Received: from x by y\n" + dsn(group(), Message_ID="<other@x>").replace("\n", "\r\n"))
    assert first.event_key == second.event_key
    assert read_one(dsn(group(action="delayed"))).event_key != first.event_key


def test_without_a_returned_mail_the_key_is_that_of_the_notification() -> None:
    first = read_one(dsn(group(), original=""), envelope_recipient=verp())
    assert read_one(dsn(group(), original=""), envelope_recipient=verp()).event_key == first.event_key
    other = read_one(dsn(group(), original="", Message_ID="<other@x>"), envelope_recipient=verp())
    assert other.event_key != first.event_key
    nameless = dsn(group(), original="").replace("Message-ID: <outer@mx.example.net>\n", "")
    assert read_one(nameless, options=ALL).event_key == read_one(nameless, options=ALL).event_key


def test_a_report_in_utf_16_is_read() -> None:
    fields = "Reporting-MTA: dns; mx.example.net\n\n" + group()
    encoded = base64.encodebytes(fields.encode("utf-16")).decode()
    machine_type = "message/delivery-status; charset=utf-16\nContent-Transfer-Encoding: base64"
    text = dsn().replace(
        "message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n", f"{machine_type}\n\n{encoded}"
    )
    assert encoded in text
    assert read_one(text).kind is Kind.HARD_BOUNCE


def test_line_ends_that_were_doubled_on_the_way_are_one() -> None:
    event = read_one(dsn(group()).replace("\n", "\r\r\n").encode())
    assert (event.kind, event.address) == (Kind.HARD_BOUNCE, JANE)


def test_a_directorys_name_is_nobodys_address() -> None:
    """Exchange writes one for who left; the mail that it returns tells whom it was."""
    directory = "IMCEAEX-_O=EXCHANGELABS_OU=EXCHANGE+20ADMINISTRATIVE_CN=RECIPIENTS_CN=jane@prod.outlook.com"
    for named in (directory, "IMCEAEX-_CN=jane@prod.outlook.com"):
        event = read_one(dsn(group(f"rfc822;{named}"), original=returned()), options=ALL)
        assert event.address == JANE


def test_without_the_returned_mail_gmail_still_names_it() -> None:
    message = f"Reporting-MTA: dns; googlemail.com\nX-Original-Message-ID: <{token()}.1@news.example.com>\n"
    event = read_one(dsn(group(), message=message, original=""))
    assert (event.kind, event.address) == (Kind.HARD_BOUNCE, JANE)
    assert event.message_id == f"{token()}.1@news.example.com"


def test_a_token_counts_from_the_hosts_of_its_provider_that_the_report_names() -> None:
    code = "smtp; 554 Message not allowed - [BL21] see the postmaster"
    for server, cause in (("mta7.am0.yahoodns.net", Cause.SENDER_REPUTATION), ("mx1.north.example", Cause.POLICY)):
        assert read_one(dsn(group(status="5.0.0", code=code, Remote_MTA=f"dns; {server}"))).cause is cause

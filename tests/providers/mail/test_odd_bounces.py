"""Bounces as servers of all ages really write them: each kind in several shapes."""

import pytest

from schemas.vocabulary import Cause, Kind
from tests.providers.mail.building import ALL, JANE, arf, dsn, group, mail, multipart, read, read_one, returned

ANN, BEN = "ann@example.org", "ben@example.org"
GONE = (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)
FULL = (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)


def verdicts(text: str) -> dict[str | None, tuple[Kind, Cause]]:
    events = read(text, options=ALL)
    return {event.address: (event.kind, event.cause) for event in events if event.kind is not Kind.OTHER}


class TestReportFields:
    @pytest.mark.parametrize(
        "fields",
        [
            "Diagnostic-Code: smtp; 550 5.1.1 gone\nStatus: 5.1.1\nFinal-Recipient: rfc822; {}\nAction: failed\n",
            "Action: failed\nStatus: 5.1.1\nFinal-Recipient: rfc822; {}\nDiagnostic-Code: smtp; 550 no such user\n",
            "Status: 5.1.1\nAction: failed\nOriginal-Recipient: rfc822; {}\nRemote-MTA: dns; mx.example.org\n",
        ],
    )
    def test_a_recipients_fields_come_in_any_order(self, fields: str) -> None:
        assert verdicts(dsn(fields.format(JANE))) == {JANE: GONE}

    def test_the_order_of_one_recipients_fields_leaves_the_next_ones_alone(self) -> None:
        one = f"Status: 5.2.2\nDiagnostic-Code: smtp; 552 full\nFinal-Recipient: rfc822; {ANN}\nAction: failed\n"
        two = f"Final-Recipient: rfc822; {BEN}\nStatus: 5.1.1\nAction: failed\n"
        assert verdicts(dsn(one, two)) == {ANN: FULL, BEN: GONE}

    def test_groups_without_a_line_between_them_are_distinguished(self) -> None:
        fields = (
            f"Final-Recipient: rfc822; {ANN}\nAction: failed\nStatus: 5.1.1\n"
            f"Final-Recipient: rfc822; {BEN}\nAction: failed\nStatus: 5.2.2\n"
        )
        assert verdicts(dsn(fields)) == {ANN: GONE, BEN: FULL}

    @pytest.mark.parametrize("action", ["expired", "Expired (gave up)"])
    def test_a_report_that_its_time_ran_out_is_a_failure(self, action: str) -> None:
        text = dsn(group(action=action, status="", code="Connection timed out"), original=returned())
        assert verdicts(text) == {JANE: (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED)}
        assert verdicts(dsn(group(action=action, status="4.0.0"), original=returned())) == {
            JANE: (Kind.SOFT_BOUNCE, Cause.EXPIRED)
        }

    def test_undeliverable_is_a_failure_and_deliverable_a_probe(self) -> None:
        assert verdicts(dsn(group(action="undeliverable"), original=returned())) == {JANE: GONE}
        assert verdicts(dsn(group(action="deliverable", status="2.1.5"), original=returned())) == {}

    @pytest.mark.parametrize(
        "body",
        [
            (
                "An error occurred.\n{}\n\nTechnical report:\n\nReporting-MTA: dsn; a.example.net\n\nAction: failed\n"
                "Final-Recipient: rfc822; {}\nDiagnostic-Code: smtp; 550 5.1.1 User Unknown\nStatus: 5.1.1\n"
            ),
            (
                "Not delivered:\n\nReporting-MTA: dns; a.example.net\nFinal-Recipient: rfc822;{}\nStatus: 5.1.1 {}\n"
                "Action: failed\n"
            ),
        ],
    )
    def test_a_report_whose_fields_stand_in_the_text_is_read(self, body: str) -> None:
        text = mail(body.format(JANE, JANE), Subject="Delivery Status Notification (Failure)")
        assert verdicts(text) == {JANE: GONE}

    def test_a_person_who_quotes_a_report_reports_nothing(self) -> None:
        body = f"What is this?\n\nFinal-Recipient: rfc822; {JANE}\nAction: failed\nStatus: 5.1.1\n"
        assert verdicts(mail(body, From=ANN, Subject="Re: your mail")) == {}

    def test_only_where_addresses_are_blacked_out_a_name_is_taken_for_one(self) -> None:
        redacted = "d41d8cd98f00b204e9800998ecf8427e@example.org"
        assert verdicts(dsn(group(f"rfc822; {redacted}"), original=returned(To=redacted))) == {redacted: GONE}
        event = read_one(arf(f"Original-Rcpt-To: {redacted}\n", original=returned(To="several:;")), options=ALL)
        assert event.address is None

    def test_a_bounce_that_was_bounced_tells_of_the_first_recipient(self) -> None:
        inner = dsn(group(code="smtp; 550 5.1.1 User unknown"), original="", Subject="Returned mail: User unknown")
        outer = multipart(
            [("text/plain", "----- permanent delivery errors -----"), ("message/rfc822", inner)],
            kind="multipart/mixed",
            Subject="Returned mail: User unknown",
        )
        assert verdicts(outer) == {JANE: GONE}


class TestWordsOfEach:
    @pytest.mark.parametrize(
        "notice",
        [
            f"{ANN}: 550 <{ANN}>: User unknown\n{BEN}: 552 <{BEN}>: Mailbox full\n",
            f"<{ANN}>\n    550 User unknown\n<{BEN}>\n    552 Mailbox full\n",
            f"{ANN}:\n550 User unknown\n\n{BEN}:\n552 Mailbox full\n",
        ],
    )
    def test_each_recipient_has_words_of_its_own(self, notice: str) -> None:
        groups = [group(f"rfc822; {address}", status="5.0.0") for address in (ANN, BEN)]
        assert verdicts(dsn(*groups, notice=notice, original=returned(To=f"{ANN}, {BEN}"))) == {ANN: GONE, BEN: FULL}
        text = mail(notice, Subject="Undelivered Mail Returned to Sender")
        assert verdicts(text) == {ANN: GONE, BEN: FULL}

    def test_one_recipients_words_never_blame_the_other(self) -> None:
        notice = f"{BEN}: 550 Message refused\n{ANN}: 550 <{ANN}>: User unknown\n"
        groups = [group(f"rfc822; {address}", status="5.0.0") for address in (BEN, ANN)]
        found = verdicts(dsn(*groups, notice=notice, original=returned(To=f"{ANN}, {BEN}")))
        assert found[ANN] == GONE
        assert found[BEN][0] is not Kind.HARD_BOUNCE


class TestSigns:
    @pytest.mark.parametrize(
        "sender",
        [
            "MAILER-DAEMON",
            "Mail Delivery Subsystem <MAILER-DAEMON>",
            "<>",
            "",
            "MAILER-DAEMON <>",
            "Mailer Daemon <md@x>",
        ],
    )
    def test_a_daemon_is_known_in_any_spelling(self, sender: str) -> None:
        body = (
            f" ----- The following addresses had permanent fatal errors -----\n<{JANE}>\n  (reason: 550 5.1.1 gone)\n"
        )
        assert verdicts(mail(body, From=sender, Subject="Returned mail: see transcript for details")) == {JANE: GONE}

    def test_a_null_sender_and_the_words_of_a_daemon_are_enough(self) -> None:
        body = (
            f"delivery failed to the following address.\n{JANE}\n\n-------server message\n550 {JANE}... No such user\n"
        )
        text = mail(body, From="Support <it@mx.example.net>", Subject="failure notice", Return_Path="<>")
        assert verdicts(text) == {JANE: GONE}

    def test_a_postmaster_that_replies_by_itself_with_a_refusal_is_no_absent_person(self) -> None:
        body = f"Your message could not be delivered.\n\n<{JANE}>: 550 5.1.1 no such user\n"
        text = mail(
            body,
            From="postmaster@mx.example.net",
            Subject="Automatic reply: Undeliverable",
            Auto_Submitted="auto-replied",
        )
        assert verdicts(text) == {JANE: GONE}

    def test_an_absent_person_who_mentions_a_number_is_no_bounce(self) -> None:
        body = f"I am away. For room 550 call Ben.\n\n{BEN}\n"
        assert verdicts(mail(body, From=JANE, Subject="Automatic reply: News", Return_Path="<>")) == {}

    @pytest.mark.parametrize("subject", ["Fwd: Undelivered Mail Returned to Sender", "Re: failure notice"])
    def test_a_person_who_passes_a_bounce_on_sends_none(self, subject: str) -> None:
        parts = [("text/plain", "Look at this"), ("message/rfc822", returned())]
        assert verdicts(multipart(parts, kind="multipart/mixed", From=ANN, Subject=subject)) == {}


class TestNamedRecipients:
    @pytest.mark.parametrize(
        "line",
        [
            f"<{JANE}>: 550 5.1.1 User unknown",
            f"{JANE}: 550 5.1.1 User unknown",
            f"{JANE} on 4/29/01 11:34:45 PM\n            Recipient Not Found",
            f"{JANE} Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 <{JANE}>... User Unknown",
            f"There was an error delivering your mail to <{JANE}>.\n\n550 5.1.1 <{JANE}>: User unknown",
            f"Failed recipient: {JANE}\nReason: user unknown",
            f"  * {JANE}\n    550 5.1.1 User unknown",
            f"Your message wasn't delivered to {JANE} because the address couldn't be found.",
        ],
    )
    def test_lines_of_all_shapes_name_the_recipient(self, line: str) -> None:
        body = f"A message could not be delivered to one of its recipients.\n\n{line}\n"
        assert verdicts(mail(body, Subject="Undelivered Mail Returned to Sender")) == {JANE: GONE}

    def test_neither_sender_nor_postmaster_nor_message_id_is_ever_blamed(self) -> None:
        body = (
            "A message could not be delivered.\n\n550 5.1.1 User unknown\n\n"
            "Questions? postmaster@mx.example.net\nYour mail: news@example.com\n\n\n"
            "Received:from a.example.net by b.example.net; Wed, 4 Mar 2026 11:00:00 +0000\n"
            "Message-ID:<14a3.8588@example.com>\nFrom:News <news@example.com>\nTo:<several@example.org>\n"
        )
        assert not {"news@example.com", "postmaster@mx.example.net", "14a3.8588@example.com"} & set(
            verdicts(mail(body, Subject="Undelivered Mail", To="news@example.com"))
        )

    def test_the_one_address_of_the_notice_that_the_mail_went_to_is_the_recipient(self) -> None:
        body = f"Sorry, I gave up on a message that was meant for the reader ({JANE}).\n550 5.1.1 User unknown\n"
        parts = [("text/plain", body), ("message/rfc822", returned())]
        assert verdicts(multipart(parts, kind="multipart/mixed", Subject="Mail delivery failed")) == {JANE: GONE}

    @pytest.mark.parametrize("address", ["josé@müller.example", "Δοκιμή@example.org"])
    def test_addresses_in_other_alphabets_stay_themselves(self, address: str) -> None:
        body = (
            "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver it.\n\n"
            f"<{address}>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 no such user\n"
        )
        (event,) = read(mail(body, Subject="failure notice"), options=ALL)
        assert event.address is not None
        assert "?" not in event.address
        assert event.kind is Kind.HARD_BOUNCE

    def test_no_recipient_is_read_from_json_inside_a_mail(self) -> None:
        body = (
            '{"bounce":{"bouncedRecipients":[{"emailAddress":"jane@example.org"}]},"mail":{"source":"n@example.com"}}'
        )
        text = mail(body, From="no-reply@sns.example.com", Subject="Notification Message", Return_Path="<>")
        assert verdicts(text) == {}


class TestComplaints:
    @pytest.mark.parametrize(
        "received",
        ["from a by b for <fbl@loop.example.net>; Wed, 4 Mar 2026 11:00:00 +0000", "from a by b; Wed, 4 Mar 2026"],
    )
    def test_a_complaint_that_names_several_blames_nobody(self, received: str) -> None:
        text = arf(
            f"Original-Rcpt-To: {ANN}\nOriginal-Rcpt-To: {BEN}\n", original=f"Received: {received}\nFrom: n@x.y\n"
        )
        assert verdicts(text) == {}

    def test_a_loops_own_mailbox_never_complains(self) -> None:
        received = "from a by b for <fbl@loop.example.net>; Wed, 4 Mar 2026 11:00:00 +0000"
        assert verdicts(arf(original=f"Received: {received}\nFrom: news@example.com\n")) == {}

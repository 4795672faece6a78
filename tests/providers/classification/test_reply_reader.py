"""A reply is taken apart before it is judged: captions, stage, codes, lines."""

import pytest

from worker.providers.classification.reply import Speaker, Stage
from worker.providers.classification.reply_reader import read_reply


@pytest.mark.parametrize(
    ("diagnostic", "inner", "stage"),
    [
        # Postfix smtp(8)
        (
            "host mx.example.org[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)",
            "550 5.1.1 no such user",
            Stage.RCPT_TO,
        ),
        (
            "host mx.example.org[192.0.2.1] said: 554 rejected (in reply to end of DATA command)",
            "554 rejected",
            Stage.DATA,
        ),
        ("host mx.example.org[192.0.2.1] refused to talk to me: 554 go away", "554 go away", Stage.CONNECT),
        # Postfix error(8) puts its prefix before the last reason
        (
            "delivery temporarily suspended: host mx.example.org[192.0.2.1] said: 452 4.2.2 full",
            "452 4.2.2 full",
            Stage.UNKNOWN,
        ),
        # Exim
        (
            (
                "SMTP error from remote mail server after RCPT TO:<jane@example.org>: "
                "host mx.example.org [192.0.2.1]: 550 unknown"
            ),
            "550 unknown",
            Stage.RCPT_TO,
        ),
        (
            (
                "host mx.example.org [192.0.2.1] SMTP error from remote mail server after MAIL FROM:<a@b.example> "
                "SIZE=2048: 553 sorry"
            ),
            "553 sorry",
            Stage.MAIL_FROM,
        ),
        ("mailbox is full: retry timeout exceeded", "mailbox is full", Stage.UNKNOWN),
        # Sendmail's transcript
        (
            "... while talking to mx.example.org.: >>> RCPT To:<jane@example.org> <<< 550 5.1.1 no such user",
            "550 5.1.1 no such user",
            Stage.RCPT_TO,
        ),
        # qmail-remote
        (
            "192.0.2.1 does not like recipient. Remote host said: 550 no mailbox",
            "550 no mailbox",
            Stage.RCPT_TO,
        ),
        # Cisco
        ("5.1.0 - Unknown address error 550-'5.7.1 refused' (delivery attempts: 0)", "5.7.1 refused", Stage.UNKNOWN),
        # Exchange
        ("Remote Server returned '550 5.1.10 not found'", "550 5.1.10 not found", Stage.UNKNOWN),
        ("550 5.0.350 Remote server returned an error -> 550 gone", "550 gone", Stage.UNKNOWN),
        # Google
        ("The response from the remote server was: 550 gone", "550 gone", Stage.UNKNOWN),
        ("smtp; 550 5.1.1 gone", "550 5.1.1 gone", Stage.UNKNOWN),
        ("X-Postfix; unknown user: jane", "unknown user: jane", Stage.UNKNOWN),
    ],
)
def test_the_innermost_speakers_words_are_found(diagnostic: str, inner: str, stage: Stage) -> None:
    reply = read_reply(diagnostic)
    assert (reply.text, reply.stage) == (inner, stage)


def test_a_quoted_reply_is_the_receiving_servers_word() -> None:
    assert read_reply("host mx.example.org[192.0.2.1] said: 550 gone").speaker is Speaker.REMOTE
    assert read_reply("550 gone").speaker is Speaker.REMOTE


def test_what_no_server_replied_is_the_sending_servers_own_word() -> None:
    assert read_reply("connect to mx.example.org[192.0.2.1]:25: Connection timed out").speaker is Speaker.SENDING_MTA


def test_the_codes_are_the_innermost_speakers() -> None:
    reply = read_reply("5.1.0 - Unknown address error 550-'5.7.1 refused'", enhanced_status="5.1.0")
    assert (reply.smtp_code, reply.enhanced_status) == (550, "5.7.1")


def test_the_answer_to_our_login_is_known_by_its_code() -> None:
    assert read_reply("535 5.7.8 Authentication failed").stage is Stage.AUTH


def test_a_stage_that_the_vendor_tells_is_believed() -> None:
    assert read_reply("550 rejected", stage=Stage.MAIL_FROM).stage is Stage.MAIL_FROM


def test_the_last_line_of_a_reply_of_several_is_known_even_where_the_lines_were_joined() -> None:
    joined = read_reply("550-Mailbox unavailable 550-see below 550 bad DNS of your domain")
    wrapped = read_reply("550-Mailbox unavailable\n550-see below\n550 bad DNS of your domain")
    assert joined.last_line == wrapped.last_line == "550 bad dns of your domain"


def test_a_reply_of_one_line_has_no_last_line() -> None:
    assert read_reply("550 5.1.1 no such user").last_line == ""

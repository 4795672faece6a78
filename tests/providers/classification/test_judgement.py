"""What follows from who speaks of what, and when."""

import pytest

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause
from worker.providers.classification.failure import judge_reply
from worker.providers.classification.judgement import Judgement
from worker.providers.classification.reply import Stage
from worker.providers.classification.reply_reader import read_reply
from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.verdict_table import CAUSE_OF_STAGE, CAUSES, SUBJECT_OF_STAGE
from worker.providers.classification.wording import WordingTable, say


def judged(text: str, *, status: str | None = None, stage: Stage = Stage.UNKNOWN) -> Judgement:
    return judge_reply(read_reply(text, enhanced_status=status, stage=stage), permanent=True)


@pytest.mark.parametrize(
    "words", ["does not exist", "user unknown", "mailbox full", "account disabled", "5.1.1 no such user", "5.2.2 full"]
)
@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.HELO, Stage.AUTH, Stage.MAIL_FROM])
def test_what_is_refused_before_the_recipient_was_named_never_blames_the_recipient(words: str, stage: Stage) -> None:
    assert CAUSE_BLAME[judged(f"550 {words}", stage=stage).cause] is not Blame.RECIPIENT


def test_a_host_that_takes_no_mail_may_say_so_in_its_greeting() -> None:
    assert judged("521 mx.example.org does not accept mail", stage=Stage.CONNECT).cause is Cause.DOMAIN_ACCEPTS_NO_MAIL


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("550 the account may not exist, or it may be blacklisted", Cause.UNDETERMINED),
        ("550 5.7.1 your host is not blacklisted, but rejected by policy", Cause.POLICY),
    ],
)
def test_what_is_guessed_or_denied_decides_nothing(text: str, cause: Cause) -> None:
    assert judged(text).cause is cause


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("550 sender shop.example does not exist", Subject.SENDER),
        ("550 your domain shop.example was not found", Subject.SENDER),
        ("550 the mailbox you wrote to was not found", Subject.MAILBOX),
        ("550 that domain was not found", Subject.DOMAIN),
        ("550 helo shop.example not found", Subject.CLIENT),
    ],
)
def test_what_is_missing_is_the_nearest_thing_that_is_named(text: str, subject: Subject) -> None:
    judgement = judged(text)
    assert (judgement.subject, judgement.predicate) == (subject, Predicate.NOT_FOUND)


def test_a_server_that_misses_dns_records_misses_ours() -> None:
    assert judged("550 no MX record", status="5.0.0").cause is Cause.SENDER_CONFIGURATION
    assert judged("no MX record found for example.org").cause is Cause.DOMAIN_DOES_NOT_EXIST
    assert judged("550 5.1.2 no MX record").cause is Cause.DOMAIN_DOES_NOT_EXIST


def test_the_last_line_decides_where_the_lines_differ() -> None:
    assert judged("550-mailbox unavailable\n550 your domain was not found").cause is Cause.SENDER_CONFIGURATION


def test_a_last_line_that_says_little_leaves_the_word_to_the_others() -> None:
    assert judged("550-no such user\n550 rejected by policy").cause is Cause.MAILBOX_DOES_NOT_EXIST


def test_advice_decides_only_where_nothing_else_does() -> None:
    assert (
        judged("550 user unknown. Please check that your IP is not blacklisted").cause is Cause.MAILBOX_DOES_NOT_EXIST
    )
    assert judged("550 refused. Please fix your SPF record").cause is Cause.SENDER_AUTHENTICATION


def test_every_stage_has_a_subject_and_those_before_the_recipient_a_cause() -> None:
    assert set(SUBJECT_OF_STAGE) == set(Stage)
    assert {stage for stage in Stage if stage.before_recipient} <= set(CAUSE_OF_STAGE)


def test_nothing_that_is_said_of_our_side_blames_the_recipient() -> None:
    ours = {Subject.SENDER, Subject.CLIENT, Subject.ACCOUNT, Subject.DIALOGUE}
    blaming = {
        (subject, predicate)
        for (subject, predicate), cause in CAUSES.items()
        if subject in ours and CAUSE_BLAME[cause] is Blame.RECIPIENT
    }
    assert blaming <= {(subject, Predicate.RESTRICTED) for subject in ours}


def test_a_domain_that_does_not_exist_is_no_mailbox_in_any_language() -> None:
    for text in ("550 the domain does not exists", "550 Domain existiert nicht", "550 domeny nie istnieje"):
        assert judged(text).subject is Subject.DOMAIN


def test_what_is_said_of_our_address_blames_no_recipient() -> None:
    for text in (
        "550 Your email address is not valid on this server",
        "550 your account was closed",
        "550 your user unknown",
    ):
        assert CAUSE_BLAME[judged(text).cause] is Blame.SENDER
    assert judged("550 your recipient does not exist").cause is Cause.MAILBOX_DOES_NOT_EXIST


def test_what_has_expired_is_the_message() -> None:
    assert judged("550 4.4.7 Message expired: mailbox not responding").cause is not Cause.MAILBOX_DISABLED


def test_no_wording_stands_twice() -> None:
    twice = say(Subject.MAILBOX, Predicate.NOT_FOUND, "does not exist")
    with pytest.raises(ValueError, match="stands twice"):
        WordingTable([twice, say(Subject.UNNAMED, Predicate.NOT_FOUND, "doesn't exist")])

"""Names of hosts, mailboxes and ids are no words."""

import pytest

from worker.providers.classification.reply_words import read_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("550 5.1.1 user unknown", "user unknown"),
        ("550-5.1.1 user 550 5.1.1 unknown", "user unknown"),
        ("<jane@spam.example>: user unknown", "ADDRESS user unknown"),
        ("host blacklist.example.org said", "host HOST said"),
        ("host blacklist[192.0.2.1] said", "host HOST IP said"),
        ("host blacklist [192.0.2.1] said", "host HOST IP said"),
        ("ip=192.0.2.1 refused", "ip IP refused"),
        ("ip 2001:db8::1 refused", "ip IP refused"),
        ("blocked, https://virus.example/spam?full=1", "blocked URL"),
        ("listed at zen.spamhaus.org", "listed at BLOCKLIST"),
        ("see https://www.spamcop.net/bl.shtml?192.0.2.1", "see BLOCKLIST"),
        ("not found [bl0pr12mb0001.namprd12.prod.outlook.com]", "not found HOST"),
        ("queued as 4f7xyz123456 there", "queued as ID there"),
        ("user doesn't exist", "user does not exist"),
        ("user doesn\u2019t exist", "user does not exist"),
        ("this e-mail isn't authorised", "this email is not authorized"),
        ("the mailbx dosn't exists", "the mailbox does not exist"),
        ("over-quota", "over quota"),
        ("user unknown.rejected", "user unknown rejected"),
        ("mailbox_full", "mailbox full"),
        ("postfach voll für jürgen", "postfach voll für jürgen"),
    ],
)
def test_a_text_is_read_as_words(text: str, words: str) -> None:
    read = read_words(text)
    assert (read.statement + read.advice).strip() == words


def test_recipient_and_sender_are_known_by_name() -> None:
    read = read_words(
        "jane@example.org refuses mail of news@shop.example", recipient="jane@example.org", sender="news@shop.example"
    )
    assert read.statement == " RECIPIENT refuses mail of SENDER "


@pytest.mark.parametrize(
    ("text", "statement", "advice"),
    [
        ("mailbox full. please try later", "mailbox full", "please try later"),
        ("access denied, please check the user name", "access denied", "please check the user name"),
        ("a problem occurred. (ask your postmaster for help)", "a problem occurred", "ask your postmaster for help"),
        ("rejected. for more information see our policy", "rejected", "for more information see our policy"),
        ("rejected. if you are no spammer, write to us", "rejected", "if you are no spammer write to us"),
        ("mailbox for jane is full", "mailbox for jane is full", ""),
    ],
)
def test_advice_is_no_statement(text: str, statement: str, advice: str) -> None:
    read = read_words(text)
    assert (read.statement.strip(), read.advice.strip()) == (statement, advice)

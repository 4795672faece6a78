"""Judges a reply: what it is about, what it says about it, and which cause that is.

The first of these that says something is believed: the operator's rules; a mailbox provider's own token; the words, if
the code is vague or they plainly contradict it; the enhanced code; the reply code; the stage. A refusal before RCPT TO
never blames the recipient.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec import Struct

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause
from worker.providers.classification.bounce_codes import REPLY_CODES, CodeMeaning, Trust, enhanced_meaning
from worker.providers.classification.mailbox_providers import token_in
from worker.providers.classification.nearest_noun import nearest_subject, owner_before
from worker.providers.classification.operator_rules import operator_rules
from worker.providers.classification.reply import Reply, Speaker, Stage
from worker.providers.classification.reply_words import ADDRESS, HOST, IP, RECIPIENT, SENDER, THINGS, read_words
from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.verdict_table import CAUSE_OF_STAGE, CAUSES, SUBJECT_OF_STAGE
from worker.providers.classification.wording import Wording, WordingTable
from worker.providers.classification.wordings.all_wordings import WORDINGS
from worker.providers.classification.wordings.beside_codes import BESIDE_CODES


class Judgement(Struct, frozen=True, kw_only=True, gc=False):
    """The cause, and what decided it."""

    cause: Cause
    rule: str  # the wording, the token or the code: "user unknown", "enhanced code 5.1.1"; "" if there was none
    subject: Subject | None = None
    predicate: Predicate | None = None
    is_final: bool = False  # an operator's rule: neither stage nor reply code changes it


UNDETERMINED = Judgement(cause=Cause.UNDETERMINED, rule="")

_HEDGES = frozenset(
    {"may", "might", "could", "possibly", "perhaps", "maybe", "either", "probably", "peut", "vielleicht"}
)
_NEGATIONS = frozenset({"not", "no", "never", "isn't", "aren't", "wasn't"})
_DENIABLE = frozenset({Predicate.LISTED, Predicate.DISABLED, Predicate.FULL})
# If the last line of a reply says no more than this, the whole reply is judged.
_SAYS_LITTLE = frozenset({Predicate.REFUSED, Predicate.UNAVAILABLE})
_OF_THE_MESSAGE = frozenset({Cause.CONTENT, Cause.VIRUS})
_BEFORE_MESSAGE = frozenset({Stage.CONNECT, Stage.HELO, Stage.MAIL_FROM, Stage.RCPT_TO})
# At these stages a mere "denied" is about us.
_OUR_STAGES = frozenset({Stage.HELO, Stage.AUTH, Stage.MAIL_FROM})
# RFC 7504: the host accepts no mail at all, and tells everybody so in its greeting.
_NO_MAIL_CODES = frozenset({521, 556})
_NO_MAIL_GREETING = 521
_GREETING_STAGES = frozenset({Stage.CONNECT, Stage.HELO})
_OWNED = frozenset({Subject.MAILBOX, Subject.DOMAIN})
# A reply to RCPT TO that consists of these words alone, such as "550 rejected", is about the mailbox. With other words,
# which we do not know, it may be about anything.
_SAY_NOTHING = THINGS | {
    *(
        "rejected",
        "refused",
        "denied",
        "not",
        "accepted",
        "recipient",
        "rcpt",
        "address",
        "no",
        "sorry",
        "failed",
        "the",
        "mail",
    ),
    *("requested", "action", "taken", "message", "permanent", "error", "unacceptable", "is", "was", "bad", "aborted"),
}
_ADDRESSES = frozenset({RECIPIENT, ADDRESS, HOST})
_ADDRESSES_AND_IPS = _ADDRESSES | {IP}
_IPV4 = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d")
_DOTS_OF_IPV4, _COLONS_OF_IPV6 = 3, 3  # at least
# Codes about the way to the recipient, not about our own domain.
_ROUTING_CODES = frozenset({"1.2", "1.10", "4.0", "4.3", "4.4", "4.310", "4.312"})


def judge(reply: Reply, *, temporary: bool) -> Judgement:
    """What a reply means. `temporary` tells that the server may accept the message later."""
    judgement = _judge(reply, temporary=temporary)
    if not judgement.is_final and reply.stage.before_recipient and CAUSE_BLAME[judgement.cause] is Blame.RECIPIENT:
        if reply.smtp_code == _NO_MAIL_GREETING and reply.stage in _GREETING_STAGES:
            return judgement
        cause = Cause.SERVER_UNAVAILABLE if temporary and reply.stage is Stage.CONNECT else CAUSE_OF_STAGE[reply.stage]
        return Judgement(
            cause=cause,
            rule=f"{judgement.rule}, but before any recipient was named",
            subject=SUBJECT_OF_STAGE[reply.stage],
            predicate=judgement.predicate,
        )
    if reply.stage in _OUR_STAGES and judgement.cause is Cause.POLICY and not judgement.is_final:
        return msgspec.structs.replace(judgement, cause=CAUSE_OF_STAGE[reply.stage])
    return judgement


def _judge(reply: Reply, *, temporary: bool) -> Judgement:
    by_enhanced = enhanced_meaning(reply.enhanced_status) if reply.enhanced_status is not None else None
    by_reply = REPLY_CODES.get(reply.smtp_code) if reply.smtp_code is not None else None
    trust = _trust(by_enhanced, by_reply)
    judgement = _by_text(reply, trust) if reply.text else None
    if judgement is None and reply.smtp_code in _NO_MAIL_CODES and (by_enhanced is None or trust is Trust.VAGUE):
        judgement = Judgement(cause=Cause.DOMAIN_ACCEPTS_NO_MAIL, rule=f"reply code {reply.smtp_code}")
    if judgement is None and trust is Trust.VAGUE:
        judgement = _by_stage(reply)
    return judgement or _by_codes(reply, by_enhanced, by_reply, temporary=temporary)


def _by_text(reply: Reply, trust: Trust) -> Judgement | None:
    if (own := operator_rules()).rules:
        words = read_words(reply.text, recipient=reply.recipient, sender=reply.sender)
        if (rule := own.decide(reply, words)) is not None:
            return Judgement(cause=rule.cause, rule=f"your rule {rule.name}", subject=rule.subject, is_final=True)
    if trust is Trust.SURE:
        return None
    token = token_in(reply.text, reply.tokens, caption=reply.caption, remote_host=reply.remote_host)
    if token is not None:
        return Judgement(cause=token.cause, rule=f"{token.provider}'s token {token.name}")
    only_plain = trust is Trust.GUARDED
    if only_plain and _has_no_plain_word(reply):
        return None
    return _by_words(reply, only_plain=only_plain)


def _by_codes(
    reply: Reply, by_enhanced: CodeMeaning | None, by_reply: CodeMeaning | None, *, temporary: bool
) -> Judgement:
    for is_enhanced, meaning in ((True, by_enhanced), (False, by_reply)):
        if meaning is not None:
            cause = meaning.temporary if temporary else meaning.permanent
            if cause is not Cause.UNDETERMINED:
                code = f"enhanced code {reply.enhanced_status}" if is_enhanced else f"reply code {reply.smtp_code}"
                return Judgement(cause=cause, rule=code)
    return UNDETERMINED


def _trust(by_enhanced: CodeMeaning | None, by_reply: CodeMeaning | None) -> Trust:
    if by_enhanced is not None and by_enhanced.trust is not Trust.VAGUE:
        return by_enhanced.trust
    if by_enhanced is None and by_reply is not None:
        return by_reply.trust
    return Trust.VAGUE


def _has_no_plain_word(reply: Reply) -> bool:
    return (
        (reply.enhanced_status is None or reply.enhanced_status[2:] not in BESIDE_CODES)
        and reply.text.isascii()
        and not WORDINGS.may_be_plain(reply.tokens, things=things_in(reply))
    )


def things_in(reply: Reply) -> frozenset[str]:
    """The sorts of names that may be in a reply, by the characters in it."""
    text = reply.text
    if reply.sender and reply.sender in text:
        return _ADDRESSES_AND_IPS | {SENDER}
    if text.count(":") >= _COLONS_OF_IPV6 or (text.count(".") >= _DOTS_OF_IPV4 and _IPV4.search(text) is not None):
        return _ADDRESSES_AND_IPS
    return _ADDRESSES


def _by_words(reply: Reply, *, only_plain: bool) -> Judgement | None:
    words = read_words(reply.text, recipient=reply.recipient, sender=reply.sender)
    last_line = ""
    if reply.last_line:
        last_line = read_words(reply.last_line, recipient=reply.recipient, sender=reply.sender).statement
    context = _Context(reply.speaker, reply.stage, reply.smtp_code, reply.enhanced_status)
    return _of_words(words.statement, words.advice, last_line, context, only_plain)


class _Context(NamedTuple):
    """What decides besides the words."""

    speaker: Speaker
    stage: Stage
    smtp_code: int | None
    enhanced_status: str | None


# The words do not have the names of hosts and mailboxes any more: a server's refusals of a thousand people are one
# entry.
@lru_cache(maxsize=8_192)
def _of_words(
    statement: str,
    advice: str,
    last_line: str,
    context: _Context,
    only_plain: bool,  # noqa: FBT001 - a cached call
) -> Judgement | None:
    if context.enhanced_status and (beside := BESIDE_CODES.get(context.enhanced_status[2:])) is not None:
        judgement = _first_that_fits(statement, beside, context, only_plain=False)
        if judgement is not None and not _is_ours(_first_that_fits(statement, WORDINGS, context, only_plain=True)):
            return judgement
    if last_line:
        last = _first_that_fits(last_line, WORDINGS, context, only_plain=only_plain)
        if last is not None and last.predicate not in _SAYS_LITTLE:
            return last
    whole = _first_that_fits(statement, WORDINGS, context, only_plain=only_plain)
    if whole is None and advice and not only_plain:
        whole = _first_that_fits(advice, WORDINGS, context, only_plain=False)
    return whole


def _is_ours(judgement: Judgement | None) -> bool:
    return judgement is not None and CAUSE_BLAME[judgement.cause] is Blame.SENDER


def _first_that_fits(words: str, table: WordingTable, context: _Context, *, only_plain: bool) -> Judgement | None:
    for _, start, end, wording in table.matches(words):
        if (only_plain and not wording.is_plain) or (start and _is_doubted(words, start, wording)):
            continue
        subject = _subject(words, start, end, wording, context)
        cause = CAUSES.get((subject, wording.predicate))
        if wording.subject is Subject.UNNAMED and wording.predicate is Predicate.REFUSED:
            cause = Cause.POLICY  # "denied" beside a sender's address does not say that the address is the reason
        if subject is Subject.CONNECTION and wording.predicate is Predicate.REFUSED and _answers(context):
            cause = Cause.POLICY  # a server that says "connection refused" has accepted the connection: it refuses us
        if cause in _OF_THE_MESSAGE and context.stage in _BEFORE_MESSAGE:
            cause = Cause.SENDER_REPUTATION  # "spam" means us: the server has not seen a message yet
        if cause is not None:
            if cause is Cause.SERVER_UNAVAILABLE and context.smtp_code in _NO_MAIL_CODES:
                cause = Cause.DOMAIN_ACCEPTS_NO_MAIL
            return Judgement(cause=cause, rule=wording.name, subject=subject, predicate=wording.predicate)
    return None


def _answers(context: _Context) -> bool:
    return context.speaker is Speaker.REMOTE and context.smtp_code is not None and context.smtp_code >= 500  # noqa: PLR2004 - RFC 5321: 5yz


def _is_doubted(words: str, start: int, wording: Wording) -> bool:
    """True if the reply only guesses it ("they may be blacklisted"), or denies it ("not listed at")."""
    before = words[:start].split()[-3:]
    if not before:
        return False
    if before[-1] in _NEGATIONS and wording.predicate in _DENIABLE:
        return True
    return not _HEDGES.isdisjoint(before)


def _subject(words: str, start: int, end: int, wording: Wording, context: _Context) -> Subject:
    subject = wording.subject
    if subject in _OWNED and start and wording.predicate is not Predicate.FULL:
        subject = owner_before(words, start, subject)
    if subject is Subject.UNNAMED:
        subject = nearest_subject(words, start, end) or _subject_of_stage(wording, context)
        if subject is Subject.DOMAIN and context.stage is Stage.MAIL_FROM:
            subject = Subject.SENDER
    if (
        subject is Subject.DOMAIN
        and wording.predicate is Predicate.NO_RECORDS
        and context.speaker is Speaker.REMOTE
        and not (context.enhanced_status and context.enhanced_status[2:] in _ROUTING_CODES)
    ):
        # We have reached the server by the records of its domain, so it is ours that it does not find.
        return Subject.SENDER
    return subject


def _subject_of_stage(wording: Wording, context: _Context) -> Subject:
    if wording.predicate is Predicate.INVALID and context.stage is Stage.UNKNOWN:
        return Subject.DIALOGUE  # "syntax error", in any command
    return SUBJECT_OF_STAGE[context.stage]


def _by_stage(reply: Reply) -> Judgement | None:
    """What the refused step means if the words say nothing."""
    if reply.stage is Stage.RCPT_TO:
        is_bare = _SAY_NOTHING.issuperset(read_words(reply.text).statement.split())
        if reply.smtp_code == 550 and reply.enhanced_status is None and is_bare:  # noqa: PLR2004 - it may mean anything
            return Judgement(
                cause=Cause.MAILBOX_DOES_NOT_EXIST,
                rule="550 in reply to RCPT TO",
                subject=Subject.MAILBOX,
                predicate=Predicate.NOT_FOUND,
            )
        return None
    if reply.smtp_code is None or reply.smtp_code < 500:  # noqa: PLR2004 - the stage of a temporary refusal says nothing
        return None
    cause = CAUSE_OF_STAGE.get(reply.stage)
    if cause is None or (reply.stage is Stage.DATA and reply.enhanced_status is not None):
        return None
    return Judgement(
        cause=cause,
        rule=f"refused at {reply.stage}",
        subject=SUBJECT_OF_STAGE[reply.stage],
        predicate=Predicate.REFUSED,
    )

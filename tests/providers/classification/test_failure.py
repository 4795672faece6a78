"""What refusals mean: each row is one trap, or one plain case beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.classification.bounce_codes import ENHANCED_CODES, enhanced_meaning
from worker.providers.classification.failure import HARD_CAUSES, Classification, bounce_kind, classify
from worker.samples.server_reply import REPLIES


def said(diagnostic: str | None, *, status: str | None = None, reply: int | None = None) -> Classification:
    return classify(smtp_code=reply, enhanced_status=status, diagnostic=diagnostic, permanent=None)


# https://www.iana.org/assignments/smtp-enhanced-status-codes/smtp-enhanced-status-codes.xhtml
REGISTERED = (
    *("0.0", "1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9", "1.10"),
    *("2.0", "2.1", "2.2", "2.3", "2.4", "3.0", "3.1", "3.2", "3.3", "3.4", "3.5"),
    *("4.0", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7"),
    *("5.0", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6"),
    *("6.0", "6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "6.7", "6.8", "6.9", "6.10"),
    *(f"7.{detail}" for detail in range(31)),
)


def test_every_registered_code_has_a_meaning() -> None:
    assert set(REGISTERED) <= set(ENHANCED_CODES)


# In the registry's words, and Microsoft's:
# https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online
@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("5.1.1", Cause.MAILBOX_DOES_NOT_EXIST),  # bad destination mailbox address
        ("4.1.1", Cause.SERVER_UNAVAILABLE),  # the same for now: Postfix has not verified it yet
        ("5.1.2", Cause.DOMAIN_DOES_NOT_EXIST),  # bad destination system address
        ("4.1.2", Cause.DNS_FAILURE),
        ("5.1.3", Cause.INVALID_ADDRESS),  # bad destination mailbox address syntax
        ("5.1.6", Cause.MAILBOX_DOES_NOT_EXIST),  # the mailbox has moved, and left no forwarding address
        ("5.1.8", Cause.SENDER_CONFIGURATION),  # bad sender's system address
        ("5.1.10", Cause.DOMAIN_ACCEPTS_NO_MAIL),  # the recipient address has a null MX
        ("5.2.1", Cause.MAILBOX_DISABLED),  # mailbox disabled, not accepting messages
        ("5.2.2", Cause.MAILBOX_FULL),  # mailbox full
        ("4.2.2", Cause.MAILBOX_FULL),
        ("5.2.3", Cause.MESSAGE_TOO_LARGE),  # message length exceeds administrative limit
        ("5.3.1", Cause.SERVER_UNAVAILABLE),  # mail system full
        ("5.3.4", Cause.MESSAGE_TOO_LARGE),  # message too big for system
        ("5.4.1", Cause.CONNECTION_FAILED),  # no answer from host
        ("4.4.3", Cause.DNS_FAILURE),  # directory server failure
        ("4.4.7", Cause.EXPIRED),  # delivery time expired
        ("5.4.7", Cause.EXPIRED),
        ("5.5.3", Cause.RATE_LIMITED),  # too many recipients
        ("5.6.0", Cause.CONTENT),  # other or undefined media error
        ("5.6.7", Cause.SENDER_CONFIGURATION),  # non-ASCII addresses not permitted for that sender or recipient
        ("5.7.1", Cause.POLICY),  # delivery not authorized, message refused
        ("5.7.8", Cause.SENDER_CONFIGURATION),  # authentication credentials invalid
        ("5.7.13", Cause.SENDER_CONFIGURATION),  # user account disabled: the one that logs in
        ("4.7.17", Cause.MAILBOX_OWNER_CHANGED),  # mailbox owner has changed
        ("5.7.18", Cause.MAILBOX_OWNER_CHANGED),  # domain owner has changed
        ("5.7.26", Cause.SENDER_AUTHENTICATION),  # multiple authentication checks failed
        ("5.7.27", Cause.SENDER_AUTHENTICATION),  # sender address has null MX; Google says it of SPF
        ("4.7.28", Cause.RATE_LIMITED),  # mail flood detected
        (
            "5.7.515",
            Cause.SENDER_AUTHENTICATION,
        ),  # Microsoft: the sending domain does not meet the required authentication level
        ("5.7.606", Cause.SENDER_REPUTATION),  # Microsoft: banned sending IP
        ("5.7.511", Cause.SENDER_REPUTATION),  # Microsoft: banned sender
        ("5.7.133", Cause.RECIPIENT_RESTRICTED),  # Microsoft: sender not authenticated for group
        ("5.7.950", Cause.RECIPIENT_RESTRICTED),  # Microsoft: a transport rule of the recipient's
        ("5.4.310", Cause.DOMAIN_DOES_NOT_EXIST),  # Microsoft: DNS domain does not exist
        ("4.4.316", Cause.CONNECTION_FAILED),  # Microsoft: connection refused
        ("5.2.122", Cause.RATE_LIMITED),  # Microsoft: the recipient gets more messages an hour than allowed
        ("5.1.99", Cause.POLICY),  # nobody's: as x.1.0, "other address status"
        ("5.0.0", Cause.UNDETERMINED),  # other undefined status
        ("5.0.0 (permanent failure)", Cause.UNDETERMINED),
    ],
)
def test_a_code_alone(status: str, cause: Cause) -> None:
    assert said(None, status=status).cause is cause


# In the words of RFC 5321, 4.2.3, where no other is named.
@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (421, Cause.SERVER_UNAVAILABLE),  # service not available, closing transmission channel
        (450, Cause.SERVER_UNAVAILABLE),  # mailbox unavailable: busy, or blocked for now
        (501, Cause.SENDER_CONFIGURATION),  # syntax error in parameters or arguments
        (521, Cause.DOMAIN_ACCEPTS_NO_MAIL),  # RFC 7504: host does not accept mail
        (535, Cause.SENDER_CONFIGURATION),  # RFC 4954: authentication credentials invalid
        (550, Cause.UNDETERMINED),  # mailbox unavailable: not found, no access, or rejected by policy
        (551, Cause.MAILBOX_DOES_NOT_EXIST),  # user not local
        (552, Cause.MAILBOX_FULL),  # exceeded storage allocation
        (553, Cause.UNDETERMINED),  # mailbox name not allowed
        (554, Cause.POLICY),  # transaction failed
        (556, Cause.DOMAIN_ACCEPTS_NO_MAIL),  # RFC 7504: domain does not accept mail
        (571, Cause.POLICY),
        (250, Cause.UNDETERMINED),
        (605, Cause.UNDETERMINED),
    ],
)
def test_a_bare_reply_code_alone(reply: int, cause: Cause) -> None:
    assert said(None, reply=reply).cause is cause


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        # plain words
        ("550 No such user here", Cause.MAILBOX_DOES_NOT_EXIST),
        ("550 Utilisateur inconnu", Cause.MAILBOX_DOES_NOT_EXIST),
        ("550 Requested action not taken: mailbox unavailable", Cause.MAILBOX_DOES_NOT_EXIST),
        ("553 Requested action not taken: mailbox name not allowed", Cause.INVALID_ADDRESS),
        ("550 This account has been suspended", Cause.MAILBOX_DISABLED),
        ("550 Host or domain name not found. Type=A", Cause.DOMAIN_DOES_NOT_EXIST),
        ("550 This domain does not accept mail", Cause.DOMAIN_ACCEPTS_NO_MAIL),
        ("554 Client host [192.0.2.1] blocked using zen.spamhaus.org", Cause.SENDER_REPUTATION),
        ("550 Message rejected: looks like spam", Cause.CONTENT),
        ("550 Message contains a virus", Cause.VIRUS),
        ("554 Relay access denied", Cause.SENDER_CONFIGURATION),
        ("451 Greylisted, please try again in 300 seconds", Cause.GREYLISTED),
        ("421 Too many concurrent connections", Cause.RATE_LIMITED),
        ("Connection timed out", Cause.CONNECTION_FAILED),
        ("message expired after 72 hours", Cause.EXPIRED),
        ("550 Only members may write: sender restricted", Cause.RECIPIENT_RESTRICTED),
        ("something that nobody has ever said", Cause.UNDETERMINED),
        # 5.7.1 says nothing, its words do
        ("550 5.7.1 Unable to deliver: user unknown", Cause.MAILBOX_DOES_NOT_EXIST),
        ("550 5.7.1 Message failed DMARC check", Cause.SENDER_AUTHENTICATION),
        ("550 5.7.1 You are not allowed to send to this list", Cause.RECIPIENT_RESTRICTED),
        ("550 5.7.1 Rejected by local policy", Cause.POLICY),
        ("550 5.7.1 You are not authorized to send to this group", Cause.RECIPIENT_RESTRICTED),
        ("554 5.7.1 Message content rejected", Cause.CONTENT),
        # a full mailbox under other codes
        ("552 rejected: over quota", Cause.MAILBOX_FULL),
        ("552 5.0.0 rejected: over quota", Cause.MAILBOX_FULL),
        ("550 5.1.1 mailbox of this user is full", Cause.MAILBOX_FULL),
        ("552 Message size exceeds fixed maximum message size", Cause.MESSAGE_TOO_LARGE),
        ("552 Mailbox size limit exceeded", Cause.MAILBOX_FULL),
        ("452 4.3.1 Insufficient system storage", Cause.SERVER_UNAVAILABLE),
        ("452 4.5.3 Too many recipients", Cause.RATE_LIMITED),
        # a reputation block that quotes the recipient's code
        ("550 5.1.1 rejected, your IP is on our blacklist", Cause.SENDER_REPUTATION),
        # the sender's address, not the recipient's
        ("550 5.1.0 Sender denied", Cause.SENDER_CONFIGURATION),
        ("450 4.1.8 Sender address rejected: Domain not found", Cause.SENDER_CONFIGURATION),
        ("550 5.1.0 Address rejected", Cause.MAILBOX_DOES_NOT_EXIST),
        # an address or a host's name is no verdict
        ("550 5.7.1 spam@virus.example: user unknown", Cause.MAILBOX_DOES_NOT_EXIST),
        ("host relay.example.com said: 550 no such user", Cause.MAILBOX_DOES_NOT_EXIST),
        ("host anti-spam.example.com said: connection timed out", Cause.CONNECTION_FAILED),
        ("550 user not listed in Domino Directory", Cause.MAILBOX_DOES_NOT_EXIST),
        # which command was refused
        ("550 Rejected (in reply to RCPT TO command)", Cause.MAILBOX_DOES_NOT_EXIST),
        ("550 Rejected (in reply to MAIL FROM command)", Cause.SENDER_CONFIGURATION),
        ("550 Rejected (in reply to end of DATA command)", Cause.POLICY),
        # whose account is disabled
        ("525 5.7.13 User account disabled", Cause.SENDER_CONFIGURATION),
        ("550 5.7.13 The recipient's mailbox is disabled", Cause.MAILBOX_DISABLED),
        # expired, and the last real diagnostic behind it
        ("4.4.7 Message expired; last reply: 452 4.2.2 mailbox full", Cause.MAILBOX_FULL),
        ("5.4.7 Delivery expired", Cause.EXPIRED),
        # Google
        ("550-5.2.1 The account is disabled. Learn more p=DisabledUser - gsmtp", Cause.MAILBOX_DISABLED),
        ("550-5.2.1 receiving mail at a rate that prevents more p=ReceivingRatePerm - gsmtp", Cause.RATE_LIMITED),
        ("450-4.2.1 receiving mail too quickly p=ReceivingRate - gsmtp", Cause.RATE_LIMITED),
        ("452-4.2.2 out of storage space p=OverQuotaTemp - gsmtp", Cause.MAILBOX_FULL),
        ("552-5.2.2 out of storage space and inactive p=OverQuotaPerm - gsmtp", Cause.MAILBOX_DISABLED),
        ("550-5.7.1 refused by a rule of the domain (gcdp) - gsmtp", Cause.RECIPIENT_RESTRICTED),
        ("550 5.4.5 Daily user sending limit exceeded - gsmtp", Cause.RATE_LIMITED),
        ("552-5.7.0 blocked: its content presents a potential security issue - gsmtp", Cause.VIRUS),
        ("550-5.1.1 The account that you tried to\n550-5.1.1 reach does not exist", Cause.MAILBOX_DOES_NOT_EXIST),
        # Microsoft
        ("550 5.5.0 Requested action not taken: mailbox unavailable", Cause.MAILBOX_DOES_NOT_EXIST),
        ("550 5.4.1 Recipient address rejected: Access denied. AS(1)", Cause.MAILBOX_DOES_NOT_EXIST),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", Cause.MAILBOX_DOES_NOT_EXIST),
        ("550 5.7.1 part of their network is on our block list (S3150)", Cause.SENDER_REPUTATION),
        ("550 SC-001 Mail rejected by Outlook.com for policy reasons", Cause.SENDER_REPUTATION),
        ("421 RP-001 The mail server exceeded a limit (Outlook.com)", Cause.RATE_LIMITED),
        ("550 5.7.12 only for people inside the organization", Cause.RECIPIENT_RESTRICTED),
        ("550 5.2.2 Submission quota exceeded, Microsoft", Cause.RATE_LIMITED),
        ("550 5.2.1 Content Filter agent quarantined this message", Cause.CONTENT),
        ("550 5.0.350 Remote server returned: 550 no such user", Cause.MAILBOX_DOES_NOT_EXIST),
        # Yahoo
        ("554 30 Sorry, this mailbox is disabled (554.30)", Cause.MAILBOX_DISABLED),
        ("552 1 Requested mail action aborted, mailbox not found", Cause.MAILBOX_DOES_NOT_EXIST),
        ("554 delivery error: dd This user doesn't have a yahoo.com account [-5]", Cause.MAILBOX_DOES_NOT_EXIST),
        ("421 4.7.0 [TSS04] Messages temporarily deferred", Cause.SENDER_REPUTATION),
        ("553 5.7.2 [TSS09] All messages will be permanently deferred", Cause.SENDER_REPUTATION),
        ("554 [PH01] not accepted", Cause.CONTENT),
        ("553 5.7.1 [BL21] Connections not accepted", Cause.SENDER_REPUTATION),
        ("451 unresolvable From domain", Cause.SENDER_CONFIGURATION),
        # Apple
        ("552 5.2.2 user is over quota, icloud", Cause.MAILBOX_FULL),
        ("554 5.7.1 [HME1] This message was blocked", Cause.SENDER_AUTHENTICATION),
        ("550 5.7.1 [CS01] Message rejected", Cause.SENDER_REPUTATION),
        ("550 5.1.6 recipient no longer on server", Cause.MAILBOX_DOES_NOT_EXIST),
        # Orange: the number counts, not the code
        ("552 5.1.1 Boite du destinataire pleine. OFR_417", Cause.MAILBOX_FULL),
        ("550 5.1.1 Adresse inexistante. OFR_416", Cause.MAILBOX_DOES_NOT_EXIST),
        ("550 5.5.0 Compte archive. OFR_420", Cause.MAILBOX_DISABLED),
        ("550 5.2.0 Mail rejete. OFR_506", Cause.CONTENT),
        ("421 trop de connexions OFR_102", Cause.SENDER_REPUTATION),
        # others
        ("451 Internal resources are temporarily unavailable", Cause.GREYLISTED),
        ("550 Mailbox unavailable or access denied", Cause.RATE_LIMITED),
        ("550 AUP#I-1310 blocked", Cause.SENDER_REPUTATION),
    ],
)
def test_the_words_of_servers(words: str, cause: Cause) -> None:
    assert said(words).cause is cause


@pytest.mark.parametrize(
    ("words", "status", "reply", "expected_status", "expected_reply"),
    [
        ("550 5.1.1 gone", None, None, "5.1.1", 550),
        ("smtp;550-5.1.1 gone", None, None, "5.1.1", 550),
        ("host mx[192.5.7.1] said: 550 gone", None, None, None, 550),
        ("550 from 10.5.7.1.4", None, None, None, 550),
        ("550 by Mailer v5.1.3", None, None, None, 550),
        ("550 by Mailer/5.1.3", None, None, None, 550),
        ("550 by Mailer version 5.1.3", None, None, None, 550),
        ("550 remote server 5.1.3", None, None, "5.1.3", 550),
        ("554 30 disabled (554.30)", None, None, None, 554),
        ("gone", "5.1.1 (no mailbox)", None, "5.1.1", None),
        ("gone", "553", None, None, 553),
        ("421 5.7.32 not aligned", None, None, "5.7.32", 421),
        # two codes: the class of the reply, then the more exact one, then the server's own
        ("550 5.7.1 refused", "4.4.7", None, "5.7.1", 550),
        ("452 4.2.2 full", "5.0.0", None, "4.2.2", 452),
        ("550 5.7.1 refused", "5.0.0", None, "5.7.1", 550),
        ("550 5.0.0 refused", "5.1.1", None, "5.1.1", 550),
        ("550 5.7.1 refused", "5.1.3", None, "5.7.1", 550),
        ("550 5.7.1 refused", "5.1.1", None, "5.7.1", 550),
        ("550 5.2.1 refused", "5.1.1", None, "5.1.1", 550),
    ],
)
def test_codes_are_found_in_words_but_versions_and_addresses_are_none(
    words: str, status: str | None, reply: int | None, expected_status: str | None, expected_reply: int | None
) -> None:
    found = said(words, status=status, reply=reply)
    assert (found.enhanced_status, found.smtp_code) == (expected_status, expected_reply)


def test_a_temporary_reply_is_obeyed_whatever_the_enhanced_code_says() -> None:
    assert said("450 5.1.1 no such user").kind is Kind.SOFT_BOUNCE
    assert said("421 5.7.32 From is not aligned").cause is Cause.SENDER_AUTHENTICATION
    assert said("450 4.1.1 unverified address: user unknown").kind is Kind.SOFT_BOUNCE


def test_a_temporary_code_in_a_permanent_reply_does_not_make_the_cause_another() -> None:
    assert said("552 4.2.2 over quota").cause is Cause.MAILBOX_FULL


def test_the_vendors_verdict_counts_only_where_the_codes_are_silent() -> None:
    for permanent, kind in ((True, Kind.HARD_BOUNCE), (None, Kind.HARD_BOUNCE), (False, Kind.SOFT_BOUNCE)):
        found = classify(smtp_code=None, enhanced_status=None, diagnostic="no such user", permanent=permanent)
        assert found.kind is kind
    coded = classify(smtp_code=550, enhanced_status="5.1.1", diagnostic=None, permanent=False)
    assert coded.kind is Kind.HARD_BOUNCE
    silent = classify(smtp_code=None, enhanced_status=None, diagnostic=None, permanent=True)
    assert (silent.kind, silent.cause) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)


def test_whose_fault_it_was_decides_the_kind() -> None:
    for cause in Cause:
        if CAUSE_BLAME[cause] is Blame.SENDER:
            assert bounce_kind(cause) is Kind.BLOCKED
        else:
            assert bounce_kind(cause) is (Kind.HARD_BOUNCE if cause in HARD_CAUSES else Kind.SOFT_BOUNCE)
    assert all(CAUSE_BLAME[cause] is Blame.RECIPIENT for cause in HARD_CAUSES)


def test_what_the_sample_servers_say_means_what_they_mean() -> None:
    understood = {cause: said(reply.line).cause for cause, reply in REPLIES.items()}
    assert understood == {cause: cause for cause in REPLIES}


@pytest.mark.parametrize(
    "words", ["550 5.1.2 Relay not allowed.", "550 5.1.1 relaying denied", "554 5.1.2 Unable to relay"]
)
def test_a_server_that_will_not_pass_mail_on_says_nothing_of_the_mailbox(words: str) -> None:
    found = said(words)
    assert (found.kind, found.cause) == (Kind.BLOCKED, Cause.SENDER_CONFIGURATION)


@given(
    st.one_of(st.none(), st.integers()),
    st.one_of(st.none(), st.text(), st.from_regex(r"[245]\.\d{1,3}\.\d{1,3}")),
    st.one_of(st.none(), st.text(), st.from_regex(r"[45]\d\d[ -][45]\.\d\.\d{1,3} \w+ \w+")),
    st.one_of(st.none(), st.booleans()),
)
def test_anything_at_all_has_a_class(
    reply: int | None,
    status: str | None,
    words: str | None,
    permanent: bool | None,  # noqa: FBT001 - drawn
) -> None:
    found = classify(smtp_code=reply, enhanced_status=status, diagnostic=words, permanent=permanent)
    assert found.kind is bounce_kind(found.cause)
    assert found.smtp_code is None or found.smtp_code in range(400, 600)
    assert found.enhanced_status is None or enhanced_meaning(found.enhanced_status) is not None

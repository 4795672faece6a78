"""Forged reports: what is believed, and what is kept without being believed."""

from typing import Any

import pytest

from schemas.source import Secret
from schemas.vocabulary import Cause, Kind
from tests.providers.mail.building import (
    ALL,
    JANE,
    KEY,
    VERIFIED,
    arf,
    dsn,
    group,
    mail,
    read,
    read_one,
    returned,
    token,
    verp,
)
from worker.providers.mail.mail_token import make_token

YAHOO = "feedback@arf.mail.yahoo.com"
UNTOKENED = returned()
NAMED = "Original-Rcpt-To: jane@example.org\n"
SIGNATURE = "v=1; a=rsa-sha256; d=arf.mail.yahoo.com; s=a; bh=x; b=x; h=From:Date:Subject"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (arf(NAMED, original=UNTOKENED), "unverified/arf/abuse"),
        (arf(NAMED, original=UNTOKENED, feedback_type="fraud"), "unverified/arf/fraud"),
        (arf(NAMED, original=UNTOKENED, feedback_type="opt-out"), "unverified/arf/opt-out"),
        (dsn(group(), original=UNTOKENED), "unverified/dsn/failed"),
        (dsn(group(action="delayed"), original=UNTOKENED), "unverified/dsn/delayed"),
        (dsn(group(action="delivered"), original=UNTOKENED), "unverified/dsn/delivered"),
        (mail("jane@example.org: 550 5.1.1 unknown", Subject="failure notice"), "unverified/bounce/failed"),
        (mail("", Subject="unsubscribe", From=JANE), "unverified/mail/unsubscribe"),
    ],
)
def test_what_nothing_proves_is_kept_and_changes_nothing(text: str, what: str) -> None:
    event = read_one(text)
    assert (event.kind, event.cause, event.vendor_event) == (Kind.OTHER, Cause.NONE, what)
    assert event.recognised
    assert event.address is None
    assert event.diagnostic is not None
    assert event.diagnostic.startswith("not believed: ")
    assert b"jane@example.org" in event.raw or "bounce" in what


def test_the_operators_word_is_enough() -> None:
    assert read_one(arf(NAMED, original=UNTOKENED), options=ALL).kind is Kind.COMPLAINT
    assert read_one(dsn(group(), original=UNTOKENED), options=ALL).kind is Kind.HARD_BOUNCE


@pytest.mark.parametrize(
    ("place", "via"),
    [
        ({"X_Bouncekeeper_Token": "{}"}, "token_header"),
        ({"CFBL_Feedback_ID": "news:{}"}, "cfbl_feedback_id"),
        ({"List_Unsubscribe": "<mailto:u+{}@example.com>, <https://example.com/u/{}>"}, "list_unsubscribe"),
        ({"Return_Path": "<b+{}@bounce.example.com>"}, "verp"),
        ({"Message_ID": "<{}.1@news.example.com>"}, "message_id"),
    ],
)
def test_a_token_is_found_wherever_it_survived(place: dict[str, str], via: str) -> None:
    fields = {name: value.replace("{}", token()) for name, value in place.items()}
    event = read_one(arf(original=returned(**{"To": "redacted", **fields})))
    assert (event.kind, event.address) == (Kind.COMPLAINT, JANE)
    assert event.metadata is not None
    assert event.metadata["recipient_via"] == via


def test_blanks_within_a_feedback_id_mean_nothing() -> None:
    folded = f"news:{token()[:20]} {token()[20:]}"
    assert read_one(arf(original=returned(CFBL_Feedback_ID=folded))).kind is Kind.COMPLAINT


@pytest.mark.parametrize("name", ["To", "Delivered_To", "X_Original_To", "Envelope_To", "Apparently_To"])
def test_a_token_in_the_address_that_the_report_came_to_is_found(name: str) -> None:
    text = dsn(group(), original="", **{name: f"<{verp()}>"})
    assert read_one(text).kind is Kind.HARD_BOUNCE


def test_the_token_wins_over_the_recipient_that_a_report_names() -> None:
    event = read_one(arf("Original-Rcpt-To: bob@example.org\n"))
    assert event.address == JANE
    assert read_one(dsn(group("rfc822; bob@example.org"))).address == JANE


def test_a_token_of_another_key_proves_nothing() -> None:
    forged = make_token(JANE, secret="k" * 32)
    event = read_one(arf(NAMED, original=returned(X_Bouncekeeper_Token=forged)))
    assert event.vendor_event == "unverified/arf/abuse"


def test_tokens_that_name_different_people_prove_that_somebody_tinkered() -> None:
    original = returned(X_Bouncekeeper_Token=token("bob@example.org"), Message_ID=f"<{token()}@x>")
    event = read_one(arf(original=original))
    assert event.vendor_event == "unverified/arf/abuse"
    assert "different people" in (event.diagnostic or "")
    event = read_one(dsn(group()), envelope_recipient=verp("bob@example.org"))
    assert event.vendor_event == "unverified/dsn/failed"


def test_a_token_without_an_account_does_not_contradict_one_that_names_it() -> None:
    """An envelope sender may have no room for the account; both are of one mail."""
    named = returned(X_Bouncekeeper_Token=token(account="shop7"))
    event = read_one(dsn(group(), original=named), envelope_recipient=verp())
    assert (event.kind, event.address, event.account) == (Kind.HARD_BOUNCE, JANE, "shop7")
    unnamed = returned(X_Bouncekeeper_Token=token(), Message_ID=f"<{token(account='shop7')}@news.example.com>")
    assert read_one(arf(original=unnamed)).account == "shop7"
    other = read_one(
        arf(original=returned(X_Bouncekeeper_Token=token(account="a"), Message_ID=f"<{token(account='b')}@x>"))
    )
    assert other.vendor_event == "unverified/arf/abuse"


def test_a_token_that_is_used_again_gives_the_same_event() -> None:
    assert read_one(arf()).event_key == read_one(arf(Message_ID="<replayed@x>", Subject="Again")).event_key


def test_an_unverified_report_never_takes_the_key_of_a_genuine_one() -> None:
    forged, genuine = read_one(arf(NAMED, original=UNTOKENED)), read_one(arf(NAMED))
    assert forged.event_key != genuine.event_key
    harmless = read_one(arf(NAMED, original=UNTOKENED, feedback_type="not-spam"))
    assert harmless.event_key != forged.event_key


def test_a_token_tells_its_account_and_message() -> None:
    written = token(account="shop7", message_id="order-1")
    event = read_one(arf(original=returned(X_Bouncekeeper_Token=written)))
    assert (event.account, event.message_id) == ("shop7", "order-1")
    assert event.event_key != read_one(arf()).event_key


def test_a_known_reporters_signature_is_believed() -> None:
    text = arf(NAMED, original=UNTOKENED, From=YAHOO)
    for signers in (("arf.mail.yahoo.com",), ("example.com", "ARF.mail.yahoo.com")):
        event = read_one(text, dkim_pass=signers)
        assert (event.kind, event.address) == (Kind.COMPLAINT, JANE)


@pytest.mark.parametrize(
    ("sender", "signers"),
    [
        (YAHOO, ()),
        (YAHOO, ("example.com",)),
        (YAHOO, ("yahoo.com",)),  # where anybody has a mailbox
        (YAHOO, ("com",)),
        ("forger@example.com", ("arf.mail.yahoo.com",)),  # signed by the reporter, but not from it
        (f'"{YAHOO}" <forger@example.com>', ("example.com",)),
        (f"{YAHOO}, forger@example.com", ("arf.mail.yahoo.com",)),
        (f"{YAHOO}\nFrom: forger@example.com", ("arf.mail.yahoo.com",)),
        ("forger@xarf.mail.yahoo.com", ("xarf.mail.yahoo.com",)),
        ("forger@hotmail.com", ("hotmail.com",)),
        ("feedback@loop.example.net", ("loop.example.net",)),
    ],
)
def test_a_signature_that_is_not_the_reporters_own_is_not_believed(sender: str, signers: tuple[str, ...]) -> None:
    event = read_one(arf(NAMED, original=UNTOKENED, From=sender), dkim_pass=signers)
    assert event.vendor_event == "unverified/arf/abuse"


def test_the_operator_names_further_reporters() -> None:
    text = arf(NAMED, original=UNTOKENED, From="feedback@loop.example.net")
    options: dict[str, Any] = {"known_reporters": ["loop.example.net"]}
    assert read_one(text, options=options, dkim_pass=("loop.example.net",)).kind is Kind.COMPLAINT
    yahoo = arf(NAMED, original=UNTOKENED, From=YAHOO)
    assert read_one(yahoo, options=options, dkim_pass=("arf.mail.yahoo.com",)).kind is Kind.OTHER
    both = {"known_reporters": ["defaults", "loop.example.net"]}
    assert read_one(yahoo, options=both, dkim_pass=("arf.mail.yahoo.com",)).kind is Kind.COMPLAINT


def test_a_complaint_of_type_other_counts_from_a_known_reporter_alone() -> None:
    text = arf(NAMED, feedback_type="other", From=YAHOO)
    assert read_one(text).kind is Kind.OTHER
    assert read_one(text, dkim_pass=("arf.mail.yahoo.com",)).kind is Kind.COMPLAINT


def test_a_genuine_report_on_a_mail_that_is_not_ours_blames_nobody() -> None:
    """Somebody sends himself a mail with another's address in its header, complains, and passes the report on."""
    original = "Delivered-To: jane@example.org\nX-Original-To: jane@example.org\n" + returned()
    event = read_one(arf(original=original, From=YAHOO), dkim_pass=("arf.mail.yahoo.com",))
    assert (event.kind, event.address, event.vendor_event) == (Kind.OTHER, None, "unmatched/arf/abuse")


def test_with_its_own_addresses_named_a_source_believes_what_loops_return_to_them() -> None:
    options = VERIFIED | {"report_addresses": ["fbl@example.com"]}
    original = "Delivered-To: jane@example.org\n" + returned()
    to_us = arf(original=original, From=YAHOO, To="fbl@example.com", DKIM_Signature=f"{SIGNATURE}:To")
    assert read_one(to_us, options=options, dkim_pass=("arf.mail.yahoo.com",)).address == JANE
    to_forger = arf(original=original, From=YAHOO, To="fbl@forger.example", DKIM_Signature=f"{SIGNATURE}:To")
    event = read_one(
        to_forger, options=options, dkim_pass=("arf.mail.yahoo.com",), envelope_recipient="fbl@example.com"
    )
    assert event.vendor_event == "unverified/arf/abuse"


@pytest.mark.parametrize(
    ("added", "signed"),
    [("To: fbl@example.com\n", ":To"), ("Cc: fbl@example.com\n", ":To"), ("To: fbl@example.com\n", "")],
)
def test_a_genuine_report_to_somebody_else_is_not_believed_for_an_address_that_he_added(
    added: str, signed: str
) -> None:
    """DKIM checks the lowest To, and says nothing about a Cc that h= does not name."""
    to = {"To": "fbl@forger.example"} if signed else {}
    report = arf(original=f"Delivered-To: {JANE}\n{UNTOKENED}", From=YAHOO, DKIM_Signature=SIGNATURE + signed, **to)
    event = read_one(
        added + report,
        options=VERIFIED | {"report_addresses": ["fbl@example.com"]},
        dkim_pass=("arf.mail.yahoo.com",),
    )
    assert event.vendor_event == "unverified/arf/abuse"


@pytest.mark.parametrize(
    "frame",
    [
        'multipart/report; report-type=feedback-report; boundary="inside"',
        "text/plain; report-type=delivery-status",
        "message/rfc822",
    ],
)
def test_a_genuine_report_is_not_read_by_a_boundary_that_somebody_put_into_it(frame: str) -> None:
    """The body is signed, and where its parts begin may not be: the mail complained of is of anybody's making."""
    named = f"Feedback-Type: abuse\nUser-Agent: x\nOriginal-Rcpt-To: {JANE}\n"
    failed = f"Final-Recipient: rfc822; {JANE}\nAction: failed\nStatus: 5.1.1\n"
    inside = f"--inside\nContent-Type: message/feedback-report\n\n{named}\n--inside--\n{failed}"
    genuine = arf("", original=f"From: a@forger.example\n\n{inside}", original_type="message/rfc822", From=YAHOO)
    head, blank, body = genuine.partition("\n\n")
    lines = [line for line in head.split("\n") if not line.startswith("Content-Type")]
    signature = f"DKIM-Signature: {SIGNATURE}"
    forged = "\n".join([signature, *lines, f"Content-Type: {frame}"]) + blank + body
    for event in read(forged, dkim_pass=("arf.mail.yahoo.com",)):
        assert event.kind is Kind.OTHER
        assert event.address is None
    assert read_one(
        f"{signature}\n{arf(NAMED, original=UNTOKENED, From=YAHOO)}", dkim_pass=("arf.mail.yahoo.com",)
    ).address


def test_a_person_is_no_reporter_even_with_a_signature() -> None:
    text = mail("", From="x@arf.mail.yahoo.com", Subject="unsubscribe")
    assert read_one(text, dkim_pass=("arf.mail.yahoo.com",)).vendor_event == "unverified/mail/unsubscribe"


def test_unsigned_verp_counts_only_where_all_is_believed() -> None:
    fields = "Original-Mail-From: <b+jane=example.org@bounce.example.com>\n"
    text = arf(fields, original=returned(To="redacted"))
    event = read_one(text, options=ALL)
    assert (event.address, (event.metadata or {})["recipient_via"]) == (JANE, "unsigned_verp")
    assert read_one(text).kind is Kind.OTHER
    other = read_one(text, options=ALL | {"bounce_domain": "b.example.net"})
    assert other.address is None
    separated = text.replace("b+jane", "b-jane")
    assert read_one(separated, options=ALL | {"verp_separator": "-"}).address == JANE


@pytest.mark.parametrize(
    ("fields", "via"),
    [
        ({"Delivered_To": JANE}, "delivered-to"),
        ({"X_Apparently_To": f"{JANE} via 192.0.2.1"}, "x-apparently-to"),
        ({"Envelope_To": JANE}, "envelope-to"),
        ({"Received": f"from a by b for <{JANE}>; {0}"}, "received"),
        ({"To": f"Jane <{JANE}>"}, "to"),
    ],
)
def test_where_all_is_believed_the_returned_mail_tells_its_recipient(fields: dict[str, str], via: str) -> None:
    event = read_one(arf(original=returned(**{"To": "undisclosed", **fields})), options=ALL)
    assert (event.address, (event.metadata or {})["recipient_via"]) == (JANE, via)


@pytest.mark.parametrize(
    "address", ["redacted@example.org", "x@redacted.example", "a" * 32 + "@comcast.net", "a@b.invalid"]
)
def test_what_was_blacked_out_is_nobody(address: str) -> None:
    event = read_one(arf(f"Original-Rcpt-To: {address}\n", original=returned(To=address)), options=ALL)
    assert event.address is None


def test_a_header_cannot_be_smuggled_in_by_a_line_break_in_an_address() -> None:
    injected = "Original-Rcpt-To: bob@example.org\r X-Bouncekeeper-Token: x\n"
    event = read_one(arf(injected, original=UNTOKENED), options=ALL)
    assert event.address == "bob@example.org"


def test_while_a_key_is_replaced_tokens_of_both_are_believed() -> None:
    options = {"token_secrets": (Secret("a-new-key-of-enough-characters"), Secret(KEY))}
    assert read(arf(), options=options)[0].kind is Kind.COMPLAINT

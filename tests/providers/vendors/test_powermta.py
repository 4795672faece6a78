"""What PowerMTA's accounting records report."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.docs.pages import REPOSITORY
from tests.providers.conformance import ProviderConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_request
from tests.providers.sample_events import ALL_KINDS, NOW, sample
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.powermta import ACTIONS, CATEGORIES, FEEDBACK_TYPES, PROVIDER, RECORDS
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import post
from worker.samples.powermta import PowerMtaSamples, sample_row

# The User's Guide: record types and bounce categories.
VENDOR_RECORDS = "d b t tq r f rb rs"
VENDOR_CATEGORIES = (
    "bad-configuration bad-connection bad-domain bad-mailbox content-related inactive-mailbox invalid-sender "
    "message-expired no-answer-from-host other policy-related protocol-errors quota-issues relaying-issues "
    "routing-errors spam-related virus-related"
)
# By the User's Guide's description of each category. A bounce of an address that the words do not name.
MEANINGS = meanings(
    {
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): "bad-mailbox",
        (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST): "bad-domain",
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED): "inactive-mailbox",
        (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL): "quota-issues",
        (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED): "routing-errors no-answer-from-host bad-connection",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED): "message-expired",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "other",
        (Kind.BLOCKED, Cause.SENDER_REPUTATION): "spam-related",
        (Kind.BLOCKED, Cause.POLICY): "policy-related",
        (Kind.BLOCKED, Cause.CONTENT): "content-related",
        (Kind.BLOCKED, Cause.VIRUS): "virus-related",
        (Kind.BLOCKED, Cause.SENDER_CONFIGURATION): (
            "invalid-sender protocol-errors bad-configuration relaying-issues"
        ),
    }
)
# RFC 3464, 2.3.3.
VENDOR_ACTIONS = meanings(
    {
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "failed",
        (Kind.DEFERRED, Cause.UNDETERMINED): "delayed",
        (Kind.DELIVERED, Cause.NONE): "delivered relayed",
        (Kind.OTHER, Cause.NONE): "expanded",
    }
)
# RFC 5965, RFC 6430 and RFC 6591; a report in JMRP's own format has no type, and is one of abuse.
VENDOR_FEEDBACK_TYPES = {
    "": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    **meanings(
        {
            (Kind.COMPLAINT, Cause.ABUSE_REPORT): "abuse",
            (Kind.COMPLAINT, Cause.FRAUD_REPORT): "fraud",
            (Kind.OTHER, Cause.NONE): "virus auth-failure not-spam other",
        }
    ),
}
SAYABLE = {Kind.ACCEPTED, Kind.DELIVERED, Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED}


class TestPowerMta(ProviderConformance):
    provider_name = "powermta"
    make_sender = PowerMtaSamples
    event_field = "type"
    told_at_least = ("type", "rcpt")
    kinds = tuple(pair for pair in ALL_KINDS if pair[0] in SAYABLE | {Kind.COMPLAINT, Kind.OTHER})
    signs_body = False

    def documents(self, request: WebhookRequest) -> list[Any]:
        return list(csv.DictReader(io.StringIO(request.body.decode())))

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        return json.dumps([document]).encode()

    def test_mutated_requests_are_judged_without_an_error(self) -> None:
        """The body, which is no JSON, has no part in the judgement."""
        sender = self.new_sender()
        for shown in ("", "Bearer", "Bearer ", "\xff", "Basic eA=="):
            request = post("powermta", b"\xff", {"authorization": shown})
            assert isinstance(self.judge(request, sender.source("first"), sender), Refused)


def read(*rows: dict[str, Any]) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, PowerMtaSamples().posted(rows))


def read_text(text: str) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, PowerMtaSamples().posted_body(text.encode(), "text/csv"))


def row(**other: Any) -> dict[str, Any]:
    return sample_row(sample()) | other


def test_the_tables_have_no_gap() -> None:
    assert set(RECORDS) == set(VENDOR_RECORDS.split())
    assert set(CATEGORIES) == set(VENDOR_CATEGORIES.split())
    assert set(ACTIONS) == set(VENDOR_ACTIONS)
    assert set(FEEDBACK_TYPES) == set(VENDOR_FEEDBACK_TYPES)


@pytest.mark.parametrize("category", VENDOR_CATEGORIES.split())
def test_a_category_decides_where_the_words_say_nothing(category: str) -> None:
    (event,) = read(row(bounceCat=category, dsnStatus="5.0.0 (undefined status)", dsnDiag=""))
    assert (event.kind, event.cause) == MEANINGS[category]
    assert event.vendor_event == f"b/{category}"


def test_a_category_of_the_operators_own_is_read_as_none() -> None:
    (event,) = read(row(bounceCat="our-own", dsnStatus="", dsnDiag=""))
    assert (event.kind, event.cause, event.recognised) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED, True)


@pytest.mark.parametrize(
    ("category", "diagnostic", "kind", "cause"),
    [
        ("spam-related", "smtp;550 5.1.1 no such user", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("bad-mailbox", "smtp;554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("other", "smtp;552 5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    ],
)
def test_the_words_have_the_say_over_the_category(category: str, diagnostic: str, kind: Kind, cause: Cause) -> None:
    (event,) = read(row(bounceCat=category, dsnStatus="", dsnDiag=diagnostic))
    assert (event.kind, event.cause) == (kind, cause)


@pytest.mark.parametrize("action", VENDOR_ACTIONS)
def test_a_status_mail_is_what_its_action_says(action: str) -> None:
    (event,) = read(row(type="rs", dsnAction=action, dsnStatus="", dsnDiag="", bounceCat=""))
    assert (event.kind, event.cause, event.recognised) == (*VENDOR_ACTIONS[action], True)


@pytest.mark.parametrize("feedback_type", VENDOR_FEEDBACK_TYPES)
def test_a_report_is_what_its_type_says(feedback_type: str) -> None:
    (event,) = read(row(type="f", feedbackType=feedback_type))
    assert (event.kind, event.cause, event.recognised) == (*VENDOR_FEEDBACK_TYPES[feedback_type], True)
    (unknown,) = read(row(type="f", feedbackType="invented"))
    assert (unknown.kind, unknown.recognised) == (Kind.OTHER, False)


def test_a_report_with_the_address_taken_out_names_nobody() -> None:
    assert [event.address for event in read(row(type="f", rcpt="redacted"), row(type="f", rcpt=""))] == [None, None]


@pytest.mark.parametrize(
    "stamp", ["2026-03-04 12:00:00+0100", "2026-03-04 11:00:00+0000", "03/04/2026 11:00:00+0000", "1772622000"]
)
def test_times_are_read_in_each_of_its_forms(stamp: str) -> None:
    (event,) = read(row(timeLogged=stamp))
    assert (event.occurred_at, event.arrival_dated) == (datetime(2026, 3, 4, 11, tzinfo=UTC), False)


def test_a_record_as_csv_and_as_json_in_any_case_is_the_same() -> None:
    written = row()
    (by_csv,) = read(written)
    as_json = json.dumps([{name.upper(): value for name, value in written.items()}])
    (by_json,) = read_text(as_json)
    assert by_csv.event_key == by_json.event_key
    assert by_csv.raw == by_json.raw


def test_header_lines_may_come_again_with_other_columns() -> None:
    events = read_text(
        "type,rcpt,dsnStatus\nb,jane@example.org,5.1.1\ntype,timeLogged,rcpt\nd,1772622000,john@example.org\n"
    )
    assert [(event.kind, event.address) for event in events] == [
        (Kind.HARD_BOUNCE, "jane@example.org"),
        (Kind.DELIVERED, "john@example.org"),
    ]


def test_quoted_cells_keep_commas_and_line_breaks() -> None:
    (event,) = read_text('type,rcpt,dsnDiag\nb,jane@example.org,"smtp;550 5.1.1 no,\nsuch ""user"""\n')
    assert event.diagnostic == 'smtp;550 5.1.1 no,\nsuch "user"'


def test_a_reply_in_another_charset_costs_no_record() -> None:
    rows = b"type,rcpt,dsnDiag\nb,jane@example.org,smtp;550 5.1.1 utilisateur cr\xe9\xe9 inconnu\nd,john@example.org,\n"
    bounce, delivery = parse_request(PROVIDER, PowerMtaSamples().posted_body(rows, "text/csv"))
    assert (bounce.address, bounce.cause) == ("jane@example.org", Cause.MAILBOX_DOES_NOT_EXIST)
    assert (delivery.address, delivery.kind) == ("john@example.org", Kind.DELIVERED)


@pytest.mark.slow
def test_a_text_of_hundreds_of_thousands_of_records_is_set_aside_whole() -> None:
    with pytest.raises(UnreadablePayload, match="in pieces"):
        read_text("type\n" + "d\n" * 100_001)


@pytest.mark.parametrize("text", ["b,jane@example.org\n", "", "\n", '"type\n', "<html>"])
def test_what_has_no_header_line_is_set_aside(text: str) -> None:
    with pytest.raises(UnreadablePayload, match="PowerMTA"):
        read_text(text)


def test_a_line_without_a_type_is_malformed_among_others() -> None:
    first, second = read(row(type=""), row())
    assert (first.vendor_event, second.kind) == ("malformed", Kind.HARD_BOUNCE)


@given(st.text(max_size=200))
def test_whatever_stands_below_the_header_is_read_or_set_aside(text: str) -> None:
    body = ("type,rcpt,dsnDiag\n" + text).encode("utf-8", "surrogatepass")
    try:
        events = parse_request(PROVIDER, PowerMtaSamples().posted_body(body, "text/csv"))
    except UnreadablePayload:
        return
    assert all(len(event.event_key) == 16 for event in events)


def test_job_headers_and_pool_are_kept() -> None:
    (event,) = read(row(jobId="summer"))
    assert (event.tags, event.metadata) == (("summer",), {"x-subscriber": "8812"})
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "pool-1"
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "news.example.com"


# -- the script ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("flock") is None, reason="the script is for Linux, as PowerMTA is")
def test_the_script_cuts_no_record_apart_keeps_columns_and_shows_nobody_the_secret(tmp_path: Path) -> None:
    (script,) = re.findall(
        r"^cat > post-accounting <<'END'\n(.*?)^END$",
        (REPOSITORY / "docs/providers/powermta.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    (tmp_path / "post-accounting").write_text(script)
    spool = tmp_path / "spool"
    spool.mkdir()
    rows = [f"b,{number}@example.org,5.1.1\n" for number in range(4_999)]
    rows += ['b,broken@example.org,"5.1.1 (no\nsuch, ""user""\n)"\n', "b,last@example.org,5.1.1\n"]
    later = "type,dsnStatus,rcpt\nb,5.1.1,other@example.org\n"
    (spool / "acct-1.csv").write_text("type,rcpt,dsnStatus\n" + "".join(rows) + later)
    (spool / "acct-2.csv").write_text("type,rcpt\n")
    secret = "for-nobody-else"
    requests: list[WebhookRequest] = []
    shown: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        """Refuses the second request, as a receiver does that has no broker."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            requests.append(post("powermta", body, headers, content_type=headers["content-type"]))
            for command in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    shown.append(command.read_bytes())
            self.send_response(503 if len(requests) == 2 else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        kept = []
        for _ in range(2):
            subprocess.run(
                ["sh", "post-accounting", "spool", f"http://127.0.0.1:{server.server_port}/webhooks/powermta"],
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "ACCOUNTING_SECRET": secret},
                capture_output=True,
                timeout=30,
                check=False,
            )
            kept.append(sorted(path.name for path in spool.glob("*.csv")))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert kept == [["acct-1.csv", "acct-2.csv"], []]
    assert any(b"post-accounting" in command for command in shown)
    assert not any(secret.encode() in command for command in shown)
    source = Source(name="p", provider="powermta", secrets=(Secret(secret),))
    events: dict[bytes, FeedbackEvent] = {}
    for request in requests:
        assert isinstance(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}), Accepted)
        events |= {event.event_key: event for event in parse_request(PROVIDER, request)}
    assert len(events) == len(rows) + 1
    assert {event.cause for event in events.values()} == {Cause.MAILBOX_DOES_NOT_EXIST}
    assert {"broken@example.org", "last@example.org", "other@example.org"} < {e.address for e in events.values()}

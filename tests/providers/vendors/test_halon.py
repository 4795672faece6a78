"""What Halon's post-delivery script reports."""

from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_body, parse_request
from tests.providers.sample_events import ALL_KINDS, sample
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.halon import ACTIONS, PROVIDER
from worker.samples.halon import HalonSamples, sample_values

SAYABLE = {Kind.DELIVERED, Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED}


class TestHalon(ProviderConformance):
    provider_name = "halon"
    make_sender = HalonSamples
    event_field = "action"
    told_at_least = ("action", "recipient")
    kinds = tuple(pair for pair in ALL_KINDS if pair[0] in SAYABLE)
    signs_body = False


GONE = {"result": {"code": 550, "enhanced": [5, 1, 1], "reason": ["no such", "user"]}}
FULL = {"result": {"code": 452, "enhanced": [4, 2, 2], "reason": ["mailbox full"]}}
UNREACHABLE = {"error": {"temporary": True, "message": "connection timed out"}}


def read(**other: Any) -> FeedbackEvent:
    (event,) = parse_request(PROVIDER, HalonSamples().posted(sample_values(sample()) | other))
    return event


@pytest.mark.parametrize(
    ("action", "attempt", "expired", "kind", "cause"),
    [
        ("DELIVER", GONE, False, Kind.DELIVERED, Cause.NONE),
        ("QUEUE", FULL, False, Kind.DEFERRED, Cause.MAILBOX_FULL),
        ("QUEUE", UNREACHABLE, False, Kind.DEFERRED, Cause.CONNECTION_FAILED),
        ("BOUNCE", GONE, False, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("BOUNCE", FULL, True, Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("BOUNCE", UNREACHABLE, True, Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
        ("BOUNCE", None, True, Kind.SOFT_BOUNCE, Cause.EXPIRED),
        ("BOUNCE", None, False, Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
        ("DELETE", GONE, False, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("DELETE", None, False, Kind.DROPPED, Cause.NONE),
    ],
)
def test_the_action_and_the_attempt_say_what_happened(
    action: str,
    attempt: dict[str, Any] | None,
    expired: bool,  # noqa: FBT001 - a parameter of pytest's
    kind: Kind,
    cause: Cause,
) -> None:
    event = read(action=action, attempt=attempt, expired=expired)
    assert (event.kind, event.cause, event.recognised) == (kind, cause, True)


# https://docs.halon.io/hsl/postdelivery.html; DELIVER is the script's own word, for the absence of an action.
def test_every_action_of_the_vendor_is_known() -> None:
    assert set(ACTIONS) == {"DELIVER", "DELETE", "BOUNCE", "QUEUE"}


def test_the_state_of_the_dialogue_tells_whose_fault_it_is() -> None:
    refused = {"result": {"code": 550, "reason": ["does not exist"], "state": "MAIL"}}
    event = read(action="BOUNCE", attempt=refused)
    assert (event.kind, event.cause) == (Kind.BLOCKED, Cause.SENDER_CONFIGURATION)


def test_the_lines_of_a_reply_are_joined() -> None:
    assert read(action="BOUNCE", attempt=GONE).diagnostic == "no such user"


def test_attempts_and_copies_are_distinguished() -> None:
    told: list[dict[str, Any]] = [
        {},
        {"retry": 1},
        {"queue": "2"},
        {"transaction": "t"},
        {"action": "QUEUE"},
        {"recipient": "x@example.org"},
    ]
    assert len({read(**other).event_key for other in told}) == len(told)
    assert read().event_key == read(time=1772622001).event_key
    assert read(transaction=None).event_key != read(transaction=None, time=1772622001).event_key


def test_tenant_and_job_are_kept() -> None:
    event = read(jobid="summer", metadata={"customer": "7"})
    assert (event.tags, event.metadata) == (("summer",), {"customer": "7"})
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "tenant-1"
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "news.example.com"


def test_reports_kept_in_a_log_may_be_posted_together() -> None:
    lines = b"\n".join(
        HalonSamples().posted(sample_values(sample(address=address))).body for address in ("a@b.de", "c@d.de")
    )
    events = parse_body(PROVIDER, lines)
    assert [event.address for event in events] == ["a@b.de", "c@d.de"]


def test_an_empty_result_is_none_as_the_script_writes_it() -> None:
    event = read(action="BOUNCE", attempt={"result": [], "error": {"message": "connection refused", "temporary": True}})
    assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED)
    assert read(action="DELIVER", attempt={"result": [], "error": []}).kind is Kind.DELIVERED

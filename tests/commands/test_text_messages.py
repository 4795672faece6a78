"""Text messages from a signed callback to `check --channel sms`, and what the recommended policy makes of them."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Channel, Kind, Status
from tests.commands.test_cli_up import EFFECT_TIMEOUT_SECONDS, Instance, post
from tests.waiting import wait_until
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.first_run import first_configuration, make_first_configuration
from worker.policy.explain import explain
from worker.policy.policy_file import recommended_policy
from worker.providers.vendors.twilio.twilio import PROVIDER
from worker.samples.sample import SampleEvent
from worker.samples.twilio import TwilioSamples

pytestmark = pytest.mark.slow

CONFIGURATION = """
[sources.texts]
provider = "twilio"
url = "https://bouncekeeper.example.org/webhooks/twilio"
secrets = ["an-auth-token"]
"""
UNKNOWN, UNREACHABLE, FILTERED = 30005, 30003, 30007
NUMBER = "+491701234567"


class Texts(Instance):
    """A running `bouncekeeper up` with one source of text messages."""

    words = ("up", "--json")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = folder / ".data"
        make_first_configuration(self.data, first_configuration() + CONFIGURATION)
        self.twilio = TwilioSamples().speaking_as(
            Source(name="texts", provider="twilio", secrets=(Secret("an-auth-token"),))
        )

    def status_of(self, number: str, code: int) -> int:
        fields = {
            "AccountSid": "AC0123456789abcdef",
            "MessageSid": f"SM{number[1:]}",
            "MessageStatus": "undelivered",
            "ErrorCode": str(code),
        }
        request = self.twilio.posted({**fields, "From": "+15005550006", "To": number})
        return post(f"http://127.0.0.1:{self.ports[0]}/webhooks/texts", request.body, request.headers)[0]

    def check(self, number: str) -> tuple[int, dict[str, Any]]:
        done = self.run("check", "--channel", "sms", "--json", number)
        (result,) = json.loads(done.stdout)["results"]
        return done.returncode, result


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Texts]:
    texts = Texts(tmp_path_factory.mktemp("texts"))
    texts.start()
    try:
        yield texts
    finally:
        if texts.process is not None:
            with contextlib.suppress(ProcessLookupError):
                texts.stop()


def test_an_unknown_number_is_blocked_and_an_unreachable_one_is_not(texts: Texts) -> None:
    assert texts.status_of("+491701234568", UNREACHABLE) == 200
    assert texts.status_of(NUMBER, UNKNOWN) == 200

    def blocked() -> dict[str, Any] | None:
        code, result = texts.check(NUMBER)
        return None if code == ExitCode.OK else result

    log = texts.folder / "log"
    result = wait_until(
        blocked, "the number to be blocked", seconds=EFFECT_TIMEOUT_SECONDS, show=lambda: log.read_text()[-3000:]
    )
    assert result is not None
    assert texts.check(NUMBER)[0] == ExitCode.NO
    assert result["allowed"] is False
    assert (result["status"], result["reason"]) == ("blocklisted", "mailbox_does_not_exist")
    code, result = texts.check("+491701234568")
    assert (code, result["status"]) == (ExitCode.OK, "soft_bouncing")
    told = texts.run("explain", "--channel", "sms", NUMBER)
    assert told.returncode == ExitCode.NO
    assert f"{NUMBER}: must not be sent any text messages\n" in told.stdout
    assert "undelivered/30005" in told.stdout


def test_a_number_is_no_contact_of_another_channel(texts: Texts) -> None:
    done = texts.run("check", "--json", NUMBER)
    assert json.loads(done.stdout)["results"][0]["reason"] == "invalid_address"


def test_the_source_proves_itself_to_the_status_of_nobodys_number(texts: Texts) -> None:
    tested = texts.run("sources", "test", "texts", "--json")
    assert tested.returncode == ExitCode.OK, tested.stdout
    (source,) = json.loads(tested.stdout)["sources"]
    assert source["steps"][-1]["outcome"].startswith("+99900000000000 is blocklisted")


# -- the recommended policy ----------------------------------------------------------------------------------

START = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def callbacks(*told: tuple[int, dict[str, str]]) -> list[FeedbackEvent]:
    """The events of Twilio's forms, each so many days after the start."""
    events = []
    for number, (days, fields) in enumerate(told):
        request = TwilioSamples().posted({"MessageSid": f"SM{number}", "From": "+15005550006", "To": NUMBER, **fields})
        envelope = Envelope(
            delivery_id=new_delivery_id(),
            source="texts",
            provider="twilio",
            account="default",
            received_at=START + timedelta(days=days),
            content_type="application/x-www-form-urlencoded",
            headers={},
            body=request.body,
        )
        events += PROVIDER.bind(Source(name="texts", provider="twilio")).parse(envelope)
    return events


def failed(code: int) -> dict[str, str]:
    return {"MessageStatus": "undelivered", "ErrorCode": str(code)}


def status_after(*told: tuple[int, dict[str, str]]) -> Status:
    last = max(days for days, _ in told)
    return explain(callbacks(*told), recommended_policy(), START + timedelta(days=last, hours=1)).standing.status


def test_a_handset_that_is_off_for_weeks_rests_and_one_delivery_clears_it() -> None:
    off = [(days, failed(UNREACHABLE)) for days in (0, 2, 4, 6)]
    assert status_after(*off) is Status.SOFT_BOUNCING
    assert status_after(*off, (8, failed(UNREACHABLE))) is Status.MULTIPLE_SOFT_BOUNCES
    assert status_after(*off, (7, {"MessageStatus": "delivered"}), (8, {"MessageStatus": "delivered"})) is Status.ACTIVE


def test_the_carriers_filter_never_counts_against_a_number() -> None:
    assert status_after(*[(days, failed(FILTERED)) for days in range(20)]) is Status.NEW


def test_stop_and_a_message_that_was_refused_for_it_are_one_opt_out_and_start_ends_it() -> None:
    person = {"SmsStatus": "received", "From": NUMBER, "To": "+15005550006"}
    stop = (0, {**person, "Body": "Stop"})
    refused = (1, {"MessageStatus": "failed", "ErrorCode": "21610"})
    start = (2, {**person, "Body": "START"})
    assert status_after(stop) is status_after(refused) is status_after(stop, refused) is Status.UNSUBSCRIBED
    assert status_after(stop, refused, start) is Status.NEW


def test_events_are_of_the_channel_whatever_they_tell() -> None:
    events = callbacks((0, failed(UNKNOWN)), (0, {"MessageStatus": "delivered"}), (0, {"SmsStatus": "received"}))
    assert {event.channel for event in events} == {Channel.SMS}
    assert (events[0].kind, events[0].cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)


def test_samples_of_one_person_are_of_one_number() -> None:
    sample = SampleEvent(address=NUMBER, kind=Kind.DELIVERED, occurred_at=START, message_id="m1")
    assert f"To={NUMBER.replace('+', '%2B')}".encode() in TwilioSamples().requests([sample], now=START)[0].body

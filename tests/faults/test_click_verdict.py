"""The verdict about one-click unsubscribes finds what is not as it was answered."""

from datetime import timedelta

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from tests.faults.clicks import judge_clicks, with_clicks
from tests.faults.workload import make_senders, make_webhooks
from tests.processor.test_unsubscribe import queued
from tests.schemas.feedback_events import START
from worker.providers.vendors.unsubscribe_page.unsubscribe_page import PROVIDER

LOAD = with_clicks(make_webhooks(make_senders(), 90, now=START, seed=1), seed=1)
CLICKS = {number: webhook.click for number, webhook in enumerate(LOAD) if webhook.click is not None}


def stored(*, after: timedelta = timedelta()) -> list[FeedbackEvent]:
    """All clicks, as they are stored."""
    return [
        event
        for link in CLICKS.values()
        for event in PROVIDER.parse(queued(b"List-Unsubscribe=One-Click", link=link, after=after))
    ]


def problems(events: list[FeedbackEvent], *, changes: int = 1) -> str:
    counted = {link.address: changes for link in CLICKS.values()}
    return "; ".join(judge_clicks(LOAD, set(CLICKS), events, counted))


def test_a_tenth_of_the_requests_are_clicks_and_some_are_of_contacts_that_esps_report_on() -> None:
    addresses = {link.address for link in CLICKS.values()}
    known = {event.address for webhook in LOAD for event in webhook.events}
    assert len(CLICKS) == 10
    assert addresses & known
    assert addresses - known


def test_what_is_as_it_was_answered_breaks_nothing() -> None:
    assert problems(stored()) == ""


def test_a_click_that_came_again_minutes_later_is_no_second_effect() -> None:
    assert problems([*stored(), *stored(after=timedelta(minutes=5))]) == ""


@pytest.mark.parametrize(
    ("events", "changes", "problem"),
    [
        (stored()[1:], 1, "1 one-click unsubscribes were answered 200 and are not in effect"),
        ([*stored(), stored()[0]], 1, "1 one-click unsubscribes are stored twice"),
        (
            [msgspec.structs.replace(stored()[0], kind=Kind.COMPLAINT), *stored()],
            1,
            "1 one-click unsubscribes are stored as something else",
        ),
        (
            [msgspec.structs.replace(stored()[0], message_id="another"), *stored()],
            1,
            "1 one-click unsubscribes are stored that nobody sent",
        ),
        (stored(), 2, "contacts who only clicked have not exactly one change of status"),
    ],
)
def test_what_is_not_is_told(events: list[FeedbackEvent], changes: int, problem: str) -> None:
    assert problem in problems(events, changes=changes)

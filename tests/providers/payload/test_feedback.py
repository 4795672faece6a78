"""Events as parsers make them."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Channel, Kind
from worker.errors import UnreadablePayload
from worker.providers.classification.failure import Classification
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.event_key import make_event_key
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import ELEMENTS_LIMIT

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)


def test_each_thing_that_is_told_stands_in_its_own_field() -> None:
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source="a source",
        provider="a provider",
        account="an account",
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=b"the body",
    )
    found = Classification(kind=Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, smtp_code=552, enhanced_status="5.2.2")
    event = new_event(
        envelope,
        b"the raw event",
        kind=Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DISABLED,
        key=("one", 2, None),
        address="+49 170 1234567",
        channel=Channel.SMS,
        vendor_event="the vendor's words",
        vendor_time=EARLIER,
        recognised=False,
        failure=found,
        message_id="a message",
        diagnostic="the server's words",
        scope="a list",
        machine=True,
        tags=("a tag",),
        metadata={"a": "variable"},
    )
    assert event == FeedbackEvent(
        event_key=make_event_key(["an account", "one", 2, None]),
        provider="a provider",
        source="a source",
        account="an account",
        address="+491701234567",
        channel=Channel.SMS,
        kind=Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DISABLED,
        occurred_at=EARLIER,
        received_at=NOW,
        delivery_id=envelope.delivery_id,
        arrival_dated=False,
        vendor_event="the vendor's words",
        recognised=False,
        message_id="a message",
        smtp_code=552,
        enhanced_status="5.2.2",
        diagnostic="the server's words",
        scope="a list",
        machine=True,
        tags=("a tag",),
        metadata={"a": "variable"},
        raw=b"the raw event",
    )


@pytest.mark.parametrize("body", [b"[" + b"0," * ELEMENTS_LIMIT + b"0]", b'{"a": 1}\n' + b"0\n" * ELEMENTS_LIMIT])
def test_more_elements_than_any_vendor_sends_are_set_aside_before_they_take_all_memory(body: bytes) -> None:
    with pytest.raises(UnreadablePayload, match=r"100001 (elements|lines)"):
        BatchBody("webhook", lines=True).elements(body)

"""What became of mail is counted for each sending domain, and told in one line each."""

from datetime import timedelta
from typing import Any

import msgspec
import prometheus_client

from schemas.feedback_event import FeedbackEvent
from schemas.log_events import LOG_EVENTS
from schemas.vocabulary import Kind
from tests.captured_lines import capture_logs
from tests.contacts.test_applying import apply
from tests.schemas.feedback_events import START, make_event
from worker.contacts.batch_terms import SENDING_KINDS
from worker.processor.sending_counts import MORE, SendingCounts
from worker.providers.registry import PROVIDERS
from worker.store.pool import WriterPool

NOW = START + timedelta(hours=1)


def event_from(domain: str, kind: Kind = Kind.DELIVERED, *, hours_ago: float = 0) -> FeedbackEvent:
    """An event that Resend tells of mail from this domain."""
    return msgspec.structs.replace(
        make_event(kind),
        provider="resend",
        source="shop",
        raw=msgspec.json.encode({"data": {"from": f"news@{domain}"}}) if domain else b"{}",
        occurred_at=NOW - timedelta(hours=hours_ago),
    )


def lines_of(counts: SendingCounts) -> list[dict[str, Any]]:
    with capture_logs() as lines:
        counts.report()
    return [dict(line) for line in lines]


def test_each_domain_has_a_line_with_what_came_in_since_the_last_one() -> None:
    counts = SendingCounts()
    counts.add([event_from("a.example"), event_from("a.example"), event_from("b.example", Kind.COMPLAINT)], now=NOW)
    counts.add([event_from("a.example", Kind.HARD_BOUNCE), event_from("a.example", Kind.SOFT_BOUNCE)], now=NOW)
    counts.add([event_from("a.example", Kind.BLOCKED)], now=NOW)
    a, b = lines_of(counts)
    assert a == {
        "event": "sendings.counted",
        "log_level": "info",
        "account": "default",
        "source": "shop",
        "provider": "resend",
        "sending_domain": "a.example",
        "delivered": 2,
        "hard_bounces": 1,
        "soft_bounces": 1,
        "blocked": 1,
        "complaints": 0,
    }
    assert (b["sending_domain"], b["delivered"], b["complaints"]) == ("b.example", 0, 1)
    assert set(a) - {"event", "log_level"} == LOG_EVENTS["sendings.counted"].fields
    assert lines_of(counts) == []


def test_every_kind_that_counts_has_a_field_of_its_own() -> None:
    counts = SendingCounts()
    counts.add([event_from("a.example", kind) for kind in SENDING_KINDS], now=NOW)
    (line,) = lines_of(counts)
    assert [line[field] for field in ("delivered", "hard_bounces", "soft_bounces", "blocked", "complaints")] == [1] * 5


def test_what_happened_over_a_day_ago_does_not_count_as_todays_mail() -> None:
    counts = SendingCounts()
    counts.add([event_from("a.example", hours_ago=23), event_from("a.example", hours_ago=25)], now=NOW)
    assert [line["delivered"] for line in lines_of(counts)] == [1]


def test_a_vendor_that_tells_no_domain_is_counted_under_its_source() -> None:
    counts = SendingCounts()
    counts.add([event_from("")], now=NOW)
    assert [(line["source"], line["sending_domain"]) for line in lines_of(counts)] == [("shop", "")]


def test_a_vendor_whose_deliveries_tell_no_domain_is_counted_under_its_source_too() -> None:
    bounce = msgspec.structs.replace(
        event_from("", Kind.HARD_BOUNCE), provider="postmark", raw=b'{"From": "news@a.example"}'
    )
    counts = SendingCounts()
    counts.add([bounce], now=NOW)
    assert [(line["sending_domain"], line["hard_bounces"]) for line in lines_of(counts)] == [("", 1)]


def test_domains_beyond_the_limit_are_counted_together() -> None:
    counts = SendingCounts(PROVIDERS, most_domains=2)
    counts.add([event_from(f"d{number}.example") for number in range(5)], now=NOW)
    counts.add([event_from("d0.example")], now=NOW)
    assert {line["sending_domain"]: line["delivered"] for line in lines_of(counts)} == {
        "d0.example": 2,
        "d1.example": 1,
        MORE: 3,
    }


def test_one_sources_many_domains_take_nothing_from_another_account_or_source() -> None:
    counts = SendingCounts(PROVIDERS, most_domains=2)
    counts.add([event_from(f"junk{number}.example") for number in range(5)], now=NOW)
    others = [
        msgspec.structs.replace(event_from("a.example"), account="shop-eu"),
        msgspec.structs.replace(event_from("b.example"), source="other"),
    ]
    counts.add(others, now=NOW)
    assert {"a.example", "b.example"} <= {line["sending_domain"] for line in lines_of(counts)}


def test_domains_of_all_accounts_together_are_bounded() -> None:
    counts = SendingCounts(PROVIDERS, most_domains=2, most_in_all=3)
    accounts = [msgspec.structs.replace(event_from("a.example"), account=f"a{number}") for number in range(5)]
    counts.add(accounts, now=NOW)
    assert [line["sending_domain"] for line in lines_of(counts)] == ["a.example"] * 3 + [MORE] * 2


def test_the_domains_of_one_day_do_not_count_against_the_next() -> None:
    counts = SendingCounts(PROVIDERS, most_domains=1)
    tomorrow = NOW + timedelta(days=1)
    counts.add([event_from("junk.example")], now=NOW)
    counts.add([event_from("new.example")], now=tomorrow - timedelta(seconds=1))
    assert [line["sending_domain"] for line in lines_of(counts)] == ["junk.example", MORE]
    counts.add([event_from("new.example", hours_ago=-24)], now=tomorrow)
    assert [line["sending_domain"] for line in lines_of(counts)] == ["new.example"]
    labels = {"source": "shop", "sending_domain": "junk.example", "kind": "delivered"}
    assert prometheus_client.REGISTRY.get_sample_value("bouncekeeper_sendings_total", labels) is None


def test_the_metric_counts_the_same() -> None:
    labels = {"source": "shop", "sending_domain": "metric.example", "kind": "complaint"}
    SendingCounts().add([event_from("metric.example", Kind.COMPLAINT)] * 3, now=NOW)
    assert prometheus_client.REGISTRY.get_sample_value("bouncekeeper_sendings_total", labels) == 3


async def test_a_batch_hands_over_its_new_events_that_say_what_became_of_mail(pool: WriterPool) -> None:
    bounce = make_event(Kind.HARD_BOUNCE)
    events = [bounce, make_event(Kind.DELIVERED), make_event(Kind.OPENED), make_event(Kind.UNSUBSCRIBE)]
    first = await apply(pool, events)
    again = await apply(pool, [bounce])
    assert sorted(event.kind for event in first.sendings) == [Kind.DELIVERED, Kind.HARD_BOUNCE]
    assert again.sendings == []

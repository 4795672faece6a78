"""The rules for Loki's ruler are true of a log in which it happens, and of no log in which it does not."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
import yaml

from schemas.log_events import LOG_EVENTS
from tests.dashboards.log_evaluation import Vector, metric
from tests.dashboards.log_pipeline import LogLine, collected
from tests.dashboards.logql import Tree, grammar
from tests.docs.pages import REPOSITORY

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

Happening = tuple[str, float, dict[str, Any]]  # the event, how many minutes ago, its fields


def log(*happenings: Happening) -> list[LogLine]:
    """These lines, each as often as its field `times` says."""
    records = []
    for event, minutes_ago, fields in happenings:
        told = {name: value for name, value in fields.items() if name != "times"}
        assert set(told) <= LOG_EVENTS[event].fields
        at = (NOW - timedelta(minutes=minutes_ago)).isoformat()
        records += [{"timestamp": at, "level": LOG_EVENTS[event].level, "event": event, **told}] * fields.get(
            "times", 1
        )
    return collected(map(json.dumps, records))


@cache
def rules() -> dict[str, Tree]:
    """The query of each rule, by the alert's name."""
    groups = yaml.safe_load((REPOSITORY / "deploy" / "alerts" / "loki" / "bouncekeeper.yaml").read_text())["groups"]
    queries = {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}
    return dict(zip(queries, grammar().parse(list(queries.values())), strict=True))


def firing(alert: str, happenings: Sequence[Happening]) -> Vector:
    return metric(rules()[alert], log(*happenings), at=NOW.timestamp())


def counted(minutes_ago: float, delivered: int, **other: int) -> Happening:
    """A line of the counts of a sending domain."""
    none = dict.fromkeys(("hard_bounces", "soft_bounces", "blocked", "complaints"), 0)
    whose = {"source": "a", "sending_domain": "x.example"}
    return ("sendings.counted", minutes_ago, {**whose, "delivered": delivered, **none, **other})


CUT_OFF: Happening = ("connection.cut_off", 1, {"role": "api", "reason": "no_room", "count": 3})
BLOCKED = {"new_status": "blocklisted", "old_status": "active"}
FIRES: list[tuple[str, list[Happening], dict[str, str]]] = [
    ("WebhooksPostponed", [("webhook.postponed", 2, {"source": "a"})], {}),
    ("WebhooksPostponed", [("webhook.failed", 2, {"source": "a"})], {}),
    (
        "WebhooksRefused",
        [("webhook.refused", 2, {"source": "a", "times": 5}), ("webhook.accepted", 3, {"source": "a", "times": 2})],
        {"source": "a"},
    ),
    ("WebhooksRefused", [("webhook.refused", 2, {"source": "new"})], {"source": "new"}),
    ("NoWebhooks", [("webhook.accepted", 30 * 60, {"source": "a"})], {"source": "a"}),
    ("ProcessorsGone", [("batch.applied", 12, {}), ("webhook.accepted", 2, {"source": "a"})], {}),
    ("PostgresAway", [("batch.applied", 90, {}), ("consumer.suspended", 60, {"queue": "rabbitmq"})], {}),
    (
        "PostgresAway",
        [
            ("consumer.suspended", 600, {"queue": "rabbitmq"}),
            ("consumer.resumed", 590, {"queue": "rabbitmq"}),
            ("process.started", 500, {"role": "processor"}),
            ("consumer.suspended", 60, {"queue": "rabbitmq"}),
            ("process.started", 30, {"role": "receiver"}),
        ],
        {},
    ),
    ("QueueAway", [("broker.lost", 1, {"role": "receiver"})], {"role": "receiver"}),
    (
        "CallersTurnedAway",
        [CUT_OFF],
        {"role": "api"},
    ),
    ("MailboxAway", [("mailbox.lost", 1, {"source": "reports"})], {"source": "reports"}),
    ("SummariesNotSent", [("summary.postponed", 50, {"attempts": 3})], {}),
    ("SummaryRefused", [("summary.refused", 50, {"attempts": 1})], {}),
    ("ProcessorsBehind", [("batch.applied", 1, {"oldest_age_seconds": 400.5})], {}),
    ("EndpointFails", [("endpoint.failed", 60, {"endpoint": "shop"})], {"endpoint": "shop"}),
    (
        "EndpointFails",
        [("endpoint.recovered", 90, {"endpoint": "shop"}), ("endpoint.failed", 75, {"endpoint": "shop"})],
        {"endpoint": "shop"},
    ),
    (
        "EndpointDisabled",
        [("endpoint.recovered", 23 * 60, {"endpoint": "shop"}), ("endpoint.disabled", 22 * 60, {"endpoint": "shop"})],
        {"endpoint": "shop"},
    ),
    ("DeadLetters", [("delivery.set_aside", 30, {"reason": "parser_defect"})], {"reason": "parser_defect"}),
    ("JobFailed", [("job.failed", 30, {"kind": "policy"})], {"kind": "policy"}),
    ("QuestionsRefused", [("token.refused", 1, {"reason": "guessing", "count": 1271})], {"reason": "guessing"}),
    ("Defect", [("api.failed", 30, {})], {"event": "api.failed"}),
    ("BlocksJump", [("status.changed", 30, {**BLOCKED, "times": 101})], {}),
    (
        "ComplaintRate",
        [counted(600, 1500), counted(60, 500, complaints=7)],
        {"source": "a", "sending_domain": "x.example"},
    ),
    (
        "BounceRate",
        [counted(600, 1500), counted(60, 0, hard_bounces=60, soft_bounces=40)],
        {"source": "a", "sending_domain": "x.example"},
    ),
]
SILENT: list[tuple[str, list[Happening]]] = [
    ("WebhooksPostponed", [("webhook.postponed", 6, {"source": "a"}), ("webhook.accepted", 1, {"source": "a"})]),
    ("WebhooksRefused", [("webhook.refused", 1, {"source": "", "times": 50})]),
    (
        "WebhooksRefused",
        [("webhook.refused", 1, {"source": "a", "times": 2}), ("webhook.accepted", 1, {"source": "a", "times": 9})],
    ),
    (
        "NoWebhooks",
        [("webhook.accepted", 30 * 60, {"source": "a"}), ("webhook.accepted", 23 * 60, {"source": "a"})],
    ),
    ("NoWebhooks", [("webhook.accepted", 49 * 60, {"source": "a"})]),
    ("NoWebhooks", [("webhook.accepted", 30 * 60, {"source": "unsubscribe_page"})]),
    ("ProcessorsGone", [("webhook.accepted", 5, {"source": "a"}), ("batch.applied", 5, {})]),
    ("ProcessorsGone", [("webhook.accepted", 11, {"source": "a"})]),
    (
        "PostgresAway",
        [("consumer.suspended", 60, {"queue": "rabbitmq"}), ("consumer.resumed", 50, {"queue": "rabbitmq"})],
    ),
    (
        "PostgresAway",
        [("consumer.suspended", 60, {"queue": "rabbitmq"}), ("process.started", 50, {"role": "processor"})],
    ),
    ("PostgresAway", [("consumer.suspended", 60, {"queue": "rabbitmq"}), ("batch.applied", 1, {})]),
    ("QueueAway", [("broker.lost", 5, {"role": "receiver"}), ("broker.connected", 3, {"role": "receiver"})]),
    ("CallersTurnedAway", [("connection.cut_off", 1, {"role": "api", "reason": "too_slow", "count": 30})]),
    ("MailboxAway", [("mailbox.lost", 6, {"source": "reports"}), ("mailbox.opened", 5, {"source": "reports"})]),
    ("SummariesNotSent", [("summary.postponed", 121, {"attempts": 3}), ("summary.sent", 50, {"attempts": 4})]),
    ("SummaryRefused", [("summary.postponed", 1, {"attempts": 1})]),
    ("ProcessorsBehind", [("batch.applied", 1, {"oldest_age_seconds": 2.5})]),
    (
        "EndpointFails",
        [("endpoint.failed", 60, {"endpoint": "shop"}), ("endpoint.recovered", 30, {"endpoint": "shop"})],
    ),
    ("EndpointFails", [("endpoint.failed", 60, {"endpoint": "shop"}), ("endpoint.disabled", 59, {"endpoint": "shop"})]),
    (
        "EndpointDisabled",
        [("endpoint.disabled", 60, {"endpoint": "shop"}), ("endpoint.enabled", 30, {"endpoint": "shop"})],
    ),
    ("DeadLetters", [("delivery.set_aside", 61, {"reason": "parser_defect"})]),
    ("JobFailed", [("job.ended", 30, {"kind": "policy"})]),
    ("QuestionsRefused", [("token.refused", 1, {"reason": "wrong_token", "count": 12})]),
    ("Defect", [("endpoint.disabled", 30, {}), ("webhook.refused", 1, {})]),
    ("BlocksJump", [("status.changed", 30, {**BLOCKED, "times": 99})]),
    (
        "BlocksJump",
        [("status.changed", 30, {**BLOCKED, "times": 150}), ("status.changed", 1470, {**BLOCKED, "times": 20})],
    ),
    ("BlocksJump", [("status.changed", 30, {"new_status": "unsubscribed", "times": 500})]),
    ("ComplaintRate", [counted(60, 2000, complaints=5)]),
    ("ComplaintRate", [counted(60, 10, complaints=1)]),
    ("ComplaintRate", [counted(25 * 60, 5000), counted(60, 10, complaints=1)]),
    ("BounceRate", [counted(60, 2000, hard_bounces=50, soft_bounces=40)]),
    ("BounceRate", [counted(60, 0, hard_bounces=900)]),
]


@pytest.mark.parametrize(("alert", "happenings", "labels"), FIRES)
def test_an_alert_fires(alert: str, happenings: list[Happening], labels: dict[str, str]) -> None:
    assert [dict(found) for found in firing(alert, happenings)] == [labels]


@pytest.mark.parametrize(("alert", "happenings"), SILENT)
def test_an_alert_is_silent(alert: str, happenings: list[Happening]) -> None:
    assert firing(alert, happenings) == {}


# How many minutes ago lines were written; the alert is asked each minute, and must be true for as long as `for` says.
LASTING: list[tuple[str, str, dict[str, Any], list[float], bool]] = [
    ("SummariesNotSent", "summary.postponed", {"attempts": 3}, [185, 124, 62, 0], True),
    ("SummariesNotSent", "summary.postponed", {"attempts": 3}, [119.5], False),
    ("EndpointFails", "endpoint.failed", {"endpoint": "shop"}, [16, 15.9, 15.8], True),
    ("EndpointFails", "endpoint.failed", {"endpoint": "shop"}, [150, 75], True),
    ("EndpointFails", "endpoint.failed", {"endpoint": "shop"}, [14, 13.9], False),
    ("ProcessorsGone", "webhook.accepted", {"source": "a"}, [6], True),
    ("ProcessorsGone", "webhook.accepted", {"source": "a"}, [4], False),
]


@pytest.mark.parametrize(("alert", "event", "fields", "minutes_ago", "fires"), LASTING)
def test_it_fires_once_it_has_been_so_for_long_enough(
    alert: str, event: str, fields: dict[str, Any], minutes_ago: list[float], *, fires: bool
) -> None:
    groups = yaml.safe_load((REPOSITORY / "deploy" / "alerts" / "loki" / "bouncekeeper.yaml").read_text())["groups"]
    (lasts,) = [rule["for"] for group in groups for rule in group["rules"] if rule["alert"] == alert]
    minutes = {"m": 1, "h": 60}[lasts[-1]] * int(lasts[:-1])
    lines = log(*((event, ago, fields) for ago in minutes_ago))
    asked = (metric(rules()[alert], lines, at=NOW.timestamp() - 60 * ago) for ago in range(minutes + 1))
    assert all(asked) is fires


def test_every_rule_is_tried_both_ways() -> None:
    assert {alert for alert, _, _ in FIRES} == {alert for alert, _ in SILENT} == set(rules())

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
    ("QueueAway", [("broker.lost", 5, {"role": "receiver"}), ("broker.connected", 3, {"role": "receiver"})]),
    ("CallersTurnedAway", [("connection.cut_off", 1, {"role": "api", "reason": "too_slow", "count": 30})]),
    ("MailboxAway", [("mailbox.lost", 6, {"source": "reports"}), ("mailbox.opened", 5, {"source": "reports"})]),
    ("SummariesNotSent", [("summary.postponed", 70, {"attempts": 3}), ("summary.sent", 50, {"attempts": 4})]),
    ("SummaryRefused", [("summary.postponed", 1, {"attempts": 1})]),
    ("ProcessorsBehind", [("batch.applied", 1, {"oldest_age_seconds": 2.5})]),
    (
        "EndpointFails",
        [("endpoint.failed", 60, {"endpoint": "shop"}), ("endpoint.recovered", 30, {"endpoint": "shop"})],
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


def test_every_rule_is_tried_both_ways() -> None:
    assert {alert for alert, _, _ in FIRES} == {alert for alert, _ in SILENT} == set(rules())

"""For each alert: what is measured, when it must fire, and when it must be silent. Written by hand.

Series are in promtool's notation: `0+1x60` begins at 0 and adds 1 in each of sixty steps, `_x60` are sixty steps in
which there is no such series yet. Moments are steps too: of a minute, or of ten where days are looked at.
"""

from typing import Any

from msgspec import Struct


class Case(Struct, frozen=True, kw_only=True):
    """`fires` maps each moment at which it fires to the labels that it has then."""

    alert: str
    series: dict[str, str]
    silent_at: tuple[int, ...]
    fires: dict[int, dict[str, str]]
    step: str = "1m"


class NearMiss(Struct, frozen=True, kw_only=True):
    """What looks like it, and must never fire it."""

    alert: str
    series: dict[str, str]
    silent_at: tuple[int, ...]
    step: str = "1m"


_WEBHOOKS = "bouncekeeper_webhooks_total"
_SENDINGS = 'bouncekeeper_sendings_total{source="a", sending_domain="x.example", kind="%s"}'
_BLOCKED = 'bouncekeeper_status_changes_total{status="blocklisted"}'
_LONG = "10m"  # a step
_DAY = 144  # of these steps
_ONCE = f"0+9x{_DAY} {9 * _DAY}x{2 * _DAY}"  # something for a day, then nothing

CASES = (
    Case(
        alert="WebhooksPostponed",
        series={f'{_WEBHOOKS}{{source="a", outcome="postponed", reason="no_queue"}}': "0x10 0+5x20 100x30"},
        silent_at=(10, 14, 45),
        fires={25: {}},
    ),
    Case(
        alert="WebhooksRefused",
        series={
            f'{_WEBHOOKS}{{source="a", outcome="accepted", reason=""}}': "0+10x30 300x60 300+10x60",
            f'{_WEBHOOKS}{{source="a", outcome="refused", reason="bad_signature"}}': "0x30 0+10x60 600x60",
        },
        silent_at=(20, 40, 130),
        fires={80: {"source": "a"}},
    ),
    Case(  # its key was wrong from the first webhook on: nothing of it was ever accepted
        alert="WebhooksRefused",
        series={f'{_WEBHOOKS}{{source="new", outcome="refused", reason="bad_signature"}}': "0+1x60 60x60"},
        silent_at=(1, 110),
        fires={40: {"source": "new"}},
    ),
    Case(
        alert="NoWebhooks",
        series={f'{_WEBHOOKS}{{source="a", outcome="accepted", reason=""}}': _ONCE},
        silent_at=(_DAY, 2 * _DAY - 6, 3 * _DAY + 6),
        fires={2 * _DAY + 6: {"source": "a"}},
        step=_LONG,
    ),
    Case(
        alert="ReceiversGone",
        series={'bouncekeeper_connections{role="receiver"}': "3x10 _x30 3x30"},
        silent_at=(10, 14, 50),
        fires={35: {}},
    ),
    Case(  # receivers expose the gauges without labels all the while
        alert="ProcessorsGone",
        series={
            'bouncekeeper_queue_depth_parcels{job="processor", queue="rabbitmq"}': "3x10 _x30 3x30",
            'bouncekeeper_oldest_age_seconds{job="receiver"}': "0x70",
        },
        silent_at=(10, 14, 50),
        fires={35: {}},
    ),
    Case(
        alert="QueueAway",
        series={
            'bouncekeeper_queue_available{queue="rabbitmq"}': "1x10 0x10 1x10",
            'bouncekeeper_queue_available{queue="postgres"}': "1x30",
        },
        silent_at=(10, 11, 25),
        fires={15: {"queue": "rabbitmq"}},
    ),
    Case(  # one of two processors has lost it, which scrapes as ever
        alert="PostgresAway",
        series={
            'bouncekeeper_store_available{instance="a", role="processor"}': "1x10 0x10 1x10",
            'bouncekeeper_store_available{instance="b", role="processor"}': "1x30",
            'bouncekeeper_store_available{instance="c", role="api"}': "1x30",
        },
        silent_at=(10, 11, 25),
        fires={15: {"role": "processor"}},
    ),
    Case(
        alert="CallersTurnedAway",
        series={'bouncekeeper_connections_cut_off_total{role="receiver", reason="no_room"}': "0x10 0+20x20 400x20"},
        silent_at=(10, 13, 45),
        fires={25: {"role": "receiver"}},
    ),
    Case(
        alert="MailboxAway",
        series={'bouncekeeper_mailbox_available{source="reports"}': "1x10 0x30 1x10"},
        silent_at=(10, 20, 45),
        fires={35: {"source": "reports"}},
    ),
    Case(
        alert="SummariesNotSent",
        series={"bouncekeeper_summary_mails_waiting": "0x12 1x18 0x12"},
        silent_at=(12, 20, 35),
        fires={28: {}},
        step=_LONG,
    ),
    Case(
        alert="SummaryRefused",
        series={'bouncekeeper_summary_mails_total{outcome="refused"}': "_x60 1x180"},
        silent_at=(59, 180),
        fires={70: {}},
    ),
    Case(
        alert="SafelistRequestsWait",
        series={'bouncekeeper_safelist_requests_pending{kind="lift"}': f"5x12 30x{_DAY + 12} 5x12"},
        silent_at=(12, _DAY, _DAY + 30),
        fires={_DAY + 20: {"kind": "lift"}},
        step=_LONG,
    ),
    Case(
        alert="ProcessorsBehind",
        series={"bouncekeeper_oldest_age_seconds": "1x10 600x20 1x10"},
        silent_at=(10, 15, 35),
        fires={25: {}},
    ),
    Case(
        alert="ProcessorsBehind",
        series={'bouncekeeper_queue_depth_parcels{queue="rabbitmq"}': "10x10 20000x20 10x10"},
        silent_at=(10, 15, 35),
        fires={25: {}},
    ),
    Case(
        alert="SourceBehind",
        series={'bouncekeeper_lane_depth_parcels{queue="rabbitmq", source="a", work="live"}': "5x10 2000x30 5x10"},
        silent_at=(10, 20, 45),
        fires={35: {"source": "a"}},
    ),
    Case(
        alert="EndpointFails",
        series={
            'bouncekeeper_endpoint_attempts_total{endpoint="shop", outcome="failed"}': "0x60 0+1x300 300x60",
            'bouncekeeper_endpoint_attempts_total{endpoint="shop", outcome="taken"}': "0+1x60 60x300 60+1x60",
        },
        silent_at=(50, 85, 400),
        fires={95: {"endpoint": "shop"}, 300: {"endpoint": "shop"}},
    ),
    Case(  # nothing was sent for a day, and attempts are as seldom as they become
        alert="EndpointFails",
        series={
            'bouncekeeper_endpoint_attempts_total{endpoint="shop", outcome="failed"}': "0x60 1+1x5 "
            + " ".join(f"{n}x5" for n in range(7, 20))
            + " 19x60"
        },
        silent_at=(60, 74, 180),
        fires={80: {"endpoint": "shop"}, 130: {"endpoint": "shop"}},
    ),
    Case(
        alert="EndpointDisabled",
        series={
            'bouncekeeper_endpoint_disabled{instance="a", endpoint="shop"}': "0x10 1x20 0x10",
            'bouncekeeper_endpoint_disabled{instance="b", endpoint="shop"}': "0x10 1x20 0x10",
            'bouncekeeper_endpoint_disabled{instance="a", endpoint="crm"}': "0x40",
        },
        silent_at=(5, 10, 35),
        fires={11: {"endpoint": "shop"}, 29: {"endpoint": "shop"}},
    ),
    Case(  # nothing had been set aside: the counter comes into being with its first event
        alert="DeadLetters",
        series={'bouncekeeper_set_aside_total{reason="unreadable_payload"}': "_x60 1x180"},
        silent_at=(30, 59, 180),
        fires={70: {"reason": "unreadable_payload"}},
    ),
    Case(
        alert="DeadLetters",
        series={'bouncekeeper_set_aside_total{reason="unreadable_payload"}': "4x120 5x180"},
        silent_at=(90, 119, 250),
        fires={130: {"reason": "unreadable_payload"}},
    ),
    Case(
        alert="JobFailed",
        series={'bouncekeeper_jobs_ended_total{kind="policy", outcome="failed"}': "_x60 1x180"},
        silent_at=(59, 180),
        fires={70: {"kind": "policy"}},
    ),
    Case(
        alert="JobStands",
        series={
            'bouncekeeper_jobs_open{kind="policy"}': "0x30 1x200 0x60",
            'bouncekeeper_job_items_total{kind="policy", what="contacts"}': "_x31 10+10x30 310x260",
        },
        silent_at=(30, 80, 120, 250),
        fires={200: {"kind": "policy"}},
    ),
    Case(
        alert="QuestionsRefused",
        series={'bouncekeeper_api_refused_total{reason="wrong_token"}': "0x10 0+120x20 2400x20"},
        silent_at=(10, 13, 45),
        fires={25: {"reason": "wrong_token"}},
    ),
    Case(
        alert="BlocksJump",
        series={_BLOCKED: f"0+9x{_DAY} {9 * _DAY}+150x6 {9 * _DAY + 900}x12"},
        silent_at=(_DAY - 1, _DAY + 15),
        fires={_DAY + 6: {}},
        step=_LONG,
    ),
    Case(
        alert="ComplaintRate",
        series={
            _SENDINGS % "delivered": "0+200x60 12000x200",
            _SENDINGS % "complaint": "0x30 0+10x10 100x220",
        },
        silent_at=(30, 33, 250),
        fires={50: {"source": "a", "sending_domain": "x.example"}},
        step=_LONG,
    ),
    Case(
        alert="BounceRate",
        series={
            _SENDINGS % "delivered": "0+200x60 12000x200",
            _SENDINGS % "hard_bounce": "0x30 0+100x10 1000x220",
        },
        silent_at=(30, 31, 250),
        fires={50: {"source": "a", "sending_domain": "x.example"}},
        step=_LONG,
    ),
)

NEAR_MISSES = (
    NearMiss(  # strangers knock at sources that do not exist
        alert="WebhooksRefused",
        series={f'{_WEBHOOKS}{{source="", outcome="refused", reason="unknown_source"}}': "0+50x60"},
        silent_at=(30, 59),
    ),
    NearMiss(  # some forgeries among many genuine ones
        alert="WebhooksRefused",
        series={
            f'{_WEBHOOKS}{{source="a", outcome="accepted", reason=""}}': "0+10x60",
            f'{_WEBHOOKS}{{source="a", outcome="refused", reason="bad_signature"}}': "0+2x60",
        },
        silent_at=(30, 59),
    ),
    NearMiss(  # a source that has never reported
        alert="NoWebhooks",
        series={f'{_WEBHOOKS}{{source="a", outcome="accepted", reason=""}}': f"0x{3 * _DAY}"},
        silent_at=(_DAY + 6, 2 * _DAY + 6),
        step=_LONG,
    ),
    NearMiss(  # nobody presses the unsubscribe link every day
        alert="NoWebhooks",
        series={f'{_WEBHOOKS}{{source="unsubscribe_page", outcome="accepted", reason=""}}': _ONCE},
        silent_at=(2 * _DAY + 6,),
        step=_LONG,
    ),
    NearMiss(  # a busy hour after a quiet day, and yet few
        alert="BlocksJump",
        series={_BLOCKED: f"0x{_DAY} 0+15x6 90x6"},
        silent_at=(_DAY + 3, _DAY + 6),
        step=_LONG,
    ),
    NearMiss(  # opting out is not being blocked
        alert="BlocksJump",
        series={'bouncekeeper_status_changes_total{status="unsubscribed"}': f"0x{_DAY} 0+500x6"},
        silent_at=(_DAY + 6,),
        step=_LONG,
    ),
    NearMiss(  # ten messages, one complaint
        alert="ComplaintRate",
        series={
            _SENDINGS % "delivered": "0+1x10 10x500",
            _SENDINGS % "complaint": "0x20 0+1x1 1x500",
        },
        silent_at=(60, 300),
    ),
    NearMiss(  # deliveries are not reported, so that no rate can be told
        alert="BounceRate",
        series={_SENDINGS % "hard_bounce": "0+10x500"},
        silent_at=(100, 400),
    ),
    NearMiss(  # sent at last, and then nothing waits
        alert="SummariesNotSent",
        series={"bouncekeeper_summary_mails_waiting": "1x6 0x30"},
        silent_at=(3, 6, 20),
        step=_LONG,
    ),
    NearMiss(
        alert="SummaryRefused",
        series={'bouncekeeper_summary_mails_total{outcome="sent"}': "_x60 1x180"},
        silent_at=(61, 70),
    ),
    NearMiss(  # a few wait for weeks
        alert="SafelistRequestsWait",
        series={'bouncekeeper_safelist_requests_pending{kind="lift"}': f"20x{3 * _DAY}"},
        silent_at=(2 * _DAY,),
        step=_LONG,
    ),
    NearMiss(  # the broker restarts
        alert="QueueAway",
        series={'bouncekeeper_queue_available{queue="rabbitmq"}': "1x10 0x1 1x20"},
        silent_at=tuple(range(10, 20)),
    ),
    NearMiss(  # Postgres restarts
        alert="PostgresAway",
        series={'bouncekeeper_store_available{role="processor"}': "1x10 0x1 1x20"},
        silent_at=tuple(range(10, 20)),
    ),
    NearMiss(  # a process is ended, and its gauge with it
        alert="PostgresAway",
        series={'bouncekeeper_store_available{role="api"}': "1x10 _x30"},
        silent_at=(12, 20, 39),
    ),
    NearMiss(  # an endpoint that fails is not disabled yet
        alert="EndpointDisabled",
        series={
            'bouncekeeper_endpoint_disabled{endpoint="shop"}': "0x60",
            'bouncekeeper_endpoint_attempts_total{endpoint="shop", outcome="failed"}': "0+1x60",
        },
        silent_at=(30, 59),
    ),
    NearMiss(  # imports may pile up
        alert="SourceBehind",
        series={'bouncekeeper_lane_depth_parcels{queue="rabbitmq", source="a", work="bulk"}': "5000x60"},
        silent_at=(30, 59),
    ),
    NearMiss(  # one processor of two ends
        alert="ProcessorsGone",
        series={
            'bouncekeeper_queue_depth_parcels{instance="a", queue="rabbitmq"}': "3x10",
            'bouncekeeper_queue_depth_parcels{instance="b", queue="rabbitmq"}': "3x60",
        },
        silent_at=(30, 50),
    ),
    NearMiss(  # the application restarts
        alert="EndpointFails",
        series={
            'bouncekeeper_endpoint_attempts_total{endpoint="shop", outcome="failed"}': "0x30 0+1x9 9x80",
            'bouncekeeper_endpoint_attempts_total{endpoint="shop", outcome="taken"}': "0+1x30 30x9 30+1x80",
        },
        silent_at=tuple(range(30, 80)),
    ),
    NearMiss(
        alert="CallersTurnedAway",
        series={'bouncekeeper_connections_cut_off_total{role="receiver", reason="too_slow"}': "0+20x60"},
        silent_at=(30, 59),
    ),
    NearMiss(
        alert="JobFailed",
        series={'bouncekeeper_jobs_ended_total{kind="policy", outcome="done"}': "_x60 1x120"},
        silent_at=(70, 130),
    ),
)


def promtool_test(case: Case | NearMiss, checks: list[tuple[int, list[dict[str, Any]]]]) -> dict[str, Any]:
    """The case in promtool's form; `checks` are what it expects at each moment."""
    minutes = int(case.step.removesuffix("m"))
    return {
        "interval": case.step,
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": f"{moment * minutes}m", "alertname": case.alert, "exp_alerts": expected}
            for moment, expected in sorted(checks, key=lambda check: check[0])
        ],
    }

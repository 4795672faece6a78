"""What the drill of a failover prints and finds broken, on made-up runs."""

from msgspec.structs import replace

from tests.faults.deciders import DecisionOutcome
from tests.faults.drill import DrillOptions
from tests.faults.esp import Outcome
from tests.faults.failover import Report, broken_in, cases, gap_about, lines_of
from tests.faults.loss import Loss
from tests.faults.verdict import Verdict

SYNCHRONOUS, _, ASYNCHRONOUS = cases(DrillOptions(seed=1))
NOTHING = Loss(webhooks=set(), clicks=set(), calls=set())
SOMETHING = Loss(webhooks={1, 2}, clicks={3}, calls={4})
REPORT = Report(
    case=SYNCHRONOUS,
    webhooks=2,
    decisions=1,
    outcome=Outcome(accepted={0, 1}, posts=3),
    decided=DecisionOutcome(answers={0: []}),
    loss=NOTHING,
    answered_again=0,
    verdict=Verdict(),
    webhook_gap_seconds=0.1,
    decision_gap_seconds=2.5,
    effect_gap_seconds=2.6,
    unnoticed_seconds=2.0,
    restarted=[],
    exit_statuses={"api-1": 0},
    doctor="well",
)


def test_a_run_without_loss_breaks_no_promise() -> None:
    assert broken_in(REPORT) == []
    assert "  lost            0 webhooks, 0 one-click unsubscribes, 0 calls" in lines_of(REPORT)


def test_loss_breaks_the_promise_of_a_synchronous_replica_and_is_what_an_asynchronous_one_is_tried_for() -> None:
    assert broken_in(replace(REPORT, loss=SOMETHING)) == ["something that was answered is lost"]
    assert broken_in(replace(REPORT, case=ASYNCHRONOUS, loss=SOMETHING)) == []
    (told,) = broken_in(replace(REPORT, case=ASYNCHRONOUS))
    assert "this has tried nothing" in told


def test_restarts_exit_statuses_and_webhooks_without_an_answer_are_told() -> None:
    assert broken_in(replace(REPORT, restarted=["api-1"])) == ["api-1 did not live through it"]
    assert broken_in(replace(REPORT, exit_statuses={"api-1": -9})) == ["exit statuses: {'api-1': -9}"]
    assert "some were never answered 2xx" in broken_in(replace(REPORT, outcome=Outcome(accepted={0})))[0]


def test_the_time_without_service_is_the_longest_one_about_the_kill() -> None:
    assert gap_about([1.0, 10.0, 10.5, 13.0, 14.0, 15.0, 16.0, 30.0], killed_at=10.6) == 2.5  # no pause before or after
    assert gap_about([1.0], killed_at=10.0) == 0

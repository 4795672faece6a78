"""Each alert fires when it must, ends by itself, and stays silent otherwise; its runbook exists."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dashboards.generator.alert import RUNBOOK, Alert
from deploy.dashboards.generator.alerts import ALERTS
from tests.dashboards.alert_cases import CASES, NEAR_MISSES, Case, NearMiss, promtool_test
from tests.dashboards.board_files import boards
from tests.dashboards.declared_names import undeclared_in_logql, undeclared_in_promql
from tests.dashboards.logql import grammar, without_variables
from tests.dashboards.promtool import promtool
from tests.docs.pages import REPOSITORY, anchors_of, prose_of

FOLDER = REPOSITORY / "deploy" / "alerts"
BY_NAME = {alert.name: alert for alert in ALERTS}


def rules(of: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / of / "bouncekeeper.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def firing(alert: Alert, labels: dict[str, str]) -> dict[str, Any]:
    """The alert as promtool expects it."""
    summary = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda name: labels.get(name[1], ""), alert.summary)
    return {
        "exp_labels": {**labels, "severity": alert.severity.value},
        "exp_annotations": {"summary": summary, "runbook_url": f"{RUNBOOK}#{alert.name.lower()}"},
    }


Checks = list[tuple[int, list[dict[str, Any]]]]


def run_promtool(cases: list[tuple[Case | NearMiss, Checks]], folder: Path) -> subprocess.CompletedProcess[str]:
    """Each case in a file of its own, with its one rule as it is shipped: all rules at once would take minutes."""
    shipped = {rule["alert"]: rule for rule in rules("prometheus")}
    files = []
    for number, (case, checks) in enumerate(cases):
        rule_file, test_file = folder / f"rule-{number}.yaml", folder / f"test-{number}.yaml"
        rule_file.write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [shipped[case.alert]]}]}))
        test = {
            "rule_files": [str(rule_file)],
            "evaluation_interval": case.step,
            "tests": [promtool_test(case, checks)],
        }
        test_file.write_text(yaml.safe_dump(test))
        files.append(str(test_file))
    return subprocess.run([promtool(), "test", "rules", *files], capture_output=True, text=True, check=False)


def expected(case: Case) -> Checks:
    """Silent at some moments, firing at others."""
    fires: Checks = [(moment, [firing(BY_NAME[case.alert], labels)]) for moment, labels in case.fires.items()]
    return [*fires, *((moment, []) for moment in case.silent_at)]


def test_prometheus_accepts_the_rules() -> None:
    done = subprocess.run(
        [promtool(), "check", "rules", str(FOLDER / "prometheus" / "bouncekeeper.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_when_it_must_and_is_silent_before_and_after(tmp_path: Path) -> None:
    done = run_promtool([(case, expected(case)) for case in CASES], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {case.alert for case in CASES} == {alert.name for alert in ALERTS if alert.metrics}
    assert all(min(case.silent_at) < min(case.fires) < max(case.silent_at) for case in CASES)


def test_what_only_looks_like_it_fires_nothing(tmp_path: Path) -> None:
    done = run_promtool([(miss, [(moment, []) for moment in miss.silent_at]) for miss in NEAR_MISSES], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_a_case_that_is_wrong(tmp_path: Path) -> None:
    case = CASES[0]
    ((moment, labels),) = case.fires.items()
    never_fires: Checks = [(moment, [])]
    fires_too_early: Checks = [(case.silent_at[0], [firing(BY_NAME[case.alert], labels)])]
    for wrong in (never_fires, fires_too_early):
        assert run_promtool([(case, wrong)], tmp_path).returncode != 0


def test_both_tongues_have_the_alerts_that_are_declared() -> None:
    assert {rule["alert"] for rule in rules("prometheus")} == {alert.name for alert in ALERTS if alert.metrics}
    assert {rule["alert"] for rule in rules("loki")} == {alert.name for alert in ALERTS if alert.log}
    assert all(alert.metrics or alert.log for alert in ALERTS)
    assert len(BY_NAME) == len(ALERTS)


def test_the_page_names_those_that_one_of_the_two_alone_can_tell() -> None:
    page = (REPOSITORY / "docs" / "dashboards.md").read_text()
    for whose, without in (("Prometheus", "log"), ("Loki", "metrics")):
        (named,) = re.findall(rf"^- {whose} alone: (.+)$", page, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", named)) == {one.name for one in ALERTS if not getattr(one, without)}


@pytest.mark.parametrize("rule", rules("prometheus"), ids=lambda rule: rule["alert"])
def test_a_rule_of_prometheus_names_declared_metrics(rule: dict[str, Any]) -> None:
    assert undeclared_in_promql(rule["expr"]) == []


def test_the_rules_of_loki_are_logql_and_name_declared_events_and_fields() -> None:
    asked = rules("loki")
    trees = grammar().parse([rule["expr"] for rule in asked])
    assert [rule["alert"] for rule, tree in zip(asked, trees, strict=True) if not tree.is_logql] == []
    problems = {rule["alert"]: undeclared_in_logql(tree) for rule, tree in zip(asked, trees, strict=True)}
    assert {name: found for name, found in problems.items() if found} == {}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_a_runbook_that_says_what_to_do(alert: Alert) -> None:
    page = REPOSITORY / RUNBOOK
    assert alert.anchor in anchors_of(page)
    (section,) = re.findall(rf"^### {alert.name}\n+(.*?)(?=^#)", prose_of(page), re.MULTILINE | re.DOTALL)
    assert len(section.split()) > 15


@pytest.mark.parametrize("rule", [*rules("prometheus"), *rules("loki")], ids=lambda rule: rule["alert"])
def test_a_rule_links_to_its_runbook_and_is_understood_alone(rule: dict[str, Any]) -> None:
    assert rule["annotations"]["runbook_url"] == f"docs/operating.md#{rule['alert'].lower()}"
    assert len(rule["annotations"]["summary"].split()) > 4
    # A label that the query does not leave would be an empty place in the sentence.
    for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
        assert re.search(rf"by \([^)]*\b{label}\b", rule["expr"]), label


def test_the_rates_of_the_boards_of_metrics_are_what_is_counted_by_hand(tmp_path: Path) -> None:
    """A hundred deliveries, a hundred bounces and a complaint in each ten minutes; and one domain without trouble."""
    named = 'bouncekeeper_sendings_total{job="processor", instance="a", source="shop", sending_domain="%s", kind="%s"}'
    panels = {panel["title"]: panel for panel in boards()["metrics/contacts"]["panels"]}
    calm = '{source="shop", sending_domain="calm.example"}'
    busy = '{source="shop", sending_domain="busy.example"}'
    asked = [
        ("Complaint rate by sending domain", {busy: 1, calm: 0}),
        ("Bounce rate by sending domain", {busy: 50, calm: 0}),
    ]
    test = {
        "evaluation_interval": "10m",
        "tests": [
            {
                "interval": "10m",
                "input_series": [
                    {"series": named % ("busy.example", "delivered"), "values": "0+100x300"},
                    {"series": named % ("busy.example", "hard_bounce"), "values": "0+50x300"},
                    {"series": named % ("busy.example", "soft_bounce"), "values": "0+50x300"},
                    {"series": named % ("busy.example", "complaint"), "values": "0+1x300"},
                    {"series": named % ("calm.example", "delivered"), "values": "0+100x300"},
                ],
                "promql_expr_test": [
                    {
                        "expr": without_variables(panels[title]["targets"][0]["expr"]),
                        "eval_time": "2d",
                        "exp_samples": [{"labels": labels, "value": value} for labels, value in rates.items()],
                    }
                    for title, rates in asked
                ],
            }
        ],
    }
    path = tmp_path / "rates.yaml"
    path.write_text(yaml.safe_dump(test))
    done = subprocess.run([promtool(), "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

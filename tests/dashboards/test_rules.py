"""The dashboards keep the rules of Grafana's own linter (github.com/grafana/dashboard-linter), restated here."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import promql_parser
import pytest

from tests.dashboards.board_files import boards
from tests.dashboards.logql import without_variables

# Two panels show rates of one day, whatever the step is: their descriptions say so.
_ONE_DAY = ("[1d]", "over one day")
_UNITS = {
    "short", "none", "s", "ms", "reqps", "cps", "percent", "bytes", "Bps", "bool_yes_no", "dateTimeFromNow",
}  # fmt: skip
_MEASURED = {"timeseries", "stat", "table", "bargauge", "gauge"}


def targets(board: Any) -> Iterator[tuple[Any, Any]]:
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel, target


def is_loki(board: Any) -> bool:
    return bool(board["templating"]["list"][0]["query"] == "loki")


def variables(board: Any) -> dict[str, Any]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def datasource_is_chosen(board: Any) -> Iterator[str]:
    """template-datasource-rule"""
    first = board["templating"]["list"][0]
    if (first["type"], first["name"]) != ("datasource", "datasource") or first["query"] not in {"loki", "prometheus"}:
        yield "the first variable is no choice of a datasource"


def job_and_instance_are_chosen(board: Any) -> Iterator[str]:
    """template-job-rule, template-instance-rule; of a board of logs, the app"""
    for name in ["app"] if is_loki(board) else ["job", "instance"]:
        variable = variables(board).get(name)
        if variable is None:
            yield f"no variable {name}"
        elif (
            variable["type"] != "query"
            or variable["datasource"]["uid"] != "${datasource}"
            or variable["label"] != name.capitalize()
            or not variable["multi"]
            or variable["allValue"] != ".+"
        ):
            yield f"the variable {name} is no choice of several, or of all"


def variables_follow_the_time_range(board: Any) -> Iterator[str]:
    """template-on-time-change-reload-rule"""
    yield from (
        f"the variable {variable['name']} is not read again"
        for variable in board["templating"]["list"]
        if variable["type"] == "query" and variable["refresh"] != 2
    )


def panels_have_a_datasource(board: Any) -> Iterator[str]:
    """panel-datasource-rule"""
    for panel, target in targets(board):
        if panel["datasource"]["uid"] != "${datasource}" or target["datasource"] != panel["datasource"]:
            yield f"{panel['title']}: not the chosen datasource"


def panels_are_explained(board: Any) -> Iterator[str]:
    """panel-title-description-rule, and ours: what it means, and what to do"""
    for panel in board["panels"]:
        if not panel["title"] or not re.fullmatch(r"[A-Z].{20,}[.] ?.*[.]", panel["description"]):
            yield f"{panel['title']!r}: no title, or no sentence about it"


def panels_have_units(board: Any) -> Iterator[str]:
    """panel-units-rule"""
    for panel in board["panels"]:
        unit = panel["fieldConfig"]["defaults"]["unit"]
        if unit not in _UNITS or (panel["type"] in _MEASURED and unit == "none"):
            yield f"{panel['title']}: no unit"


def panels_ask_something(board: Any) -> Iterator[str]:
    """panel-no-targets-rule"""
    yield from (f"{panel['title']}: no query" for panel in board["panels"] if not panel["targets"])


def promql_is_valid(board: Any) -> Iterator[str]:
    """target-promql-rule"""
    for panel, target in () if is_loki(board) else targets(board):
        try:
            promql_parser.parse(without_variables(target["expr"]))
        except ValueError as error:
            yield f"{panel['title']}: {error}"


def every_series_is_of_the_chosen_processes(board: Any) -> Iterator[str]:
    """target-job-rule, target-instance-rule; of logs, the app"""
    for panel, target in targets(board):
        expression = target["expr"]
        if is_loki(board):
            missing = expression.count("{app=") != len(re.findall(r"\{(?!\{| )[a-z]+[=!]", expression))
            chosen = 'app=~"$app"' in expression and not missing
        else:
            selectors = re.findall(r"bouncekeeper_\w+(\{[^}]*\})?", expression)
            chosen = all('job=~"$job"' in one and 'instance=~"$instance"' in one for one in selectors)
        if not chosen:
            yield f"{panel['title']}: not only the chosen ones"


def intervals_are_the_panels(board: Any) -> Iterator[str]:
    """target-rate-interval-rule, target-logql-auto-rule"""
    wanted = {"[$__auto]", "[$__range]"} if is_loki(board) else {"[$__rate_interval]"}
    for panel, target in targets(board):
        for window in re.findall(r"\[[^\]]*\]", re.sub(r'"[^"]*"', "", target["expr"])):
            if window not in wanted and not (window == _ONE_DAY[0] and _ONE_DAY[1] in panel["description"]):
                yield f"{panel['title']}: {window}"
            if is_loki(board) and (window == "[$__range]") != (target["queryType"] == "instant"):
                yield f"{panel['title']}: {window} of a query that is {target['queryType']}"


def counters_are_rates(board: Any) -> Iterator[str]:
    """target-counter-agg-rule"""
    for panel, target in () if is_loki(board) else targets(board):
        for name in re.findall(r"bouncekeeper_\w+(?:_total|_bucket|_count)\b", target["expr"]):
            if not re.search(rf"(?:rate|increase)\({name}\b", target["expr"]):
                yield f"{panel['title']}: {name} is shown as it is"
        if not re.search(r"\b(?:sum|max|min|histogram_quantile|topk)\b", target["expr"]):
            yield f"{panel['title']}: not summed up over processes"


def nobody_edits_it(board: Any) -> Iterator[str]:
    """uneditable-dashboard-rule"""
    if board["editable"]:
        yield "it can be edited, and would be overwritten"


RULES: tuple[Callable[[Any], Iterator[str]], ...] = (
    datasource_is_chosen,
    job_and_instance_are_chosen,
    variables_follow_the_time_range,
    panels_have_a_datasource,
    panels_are_explained,
    panels_have_units,
    panels_ask_something,
    promql_is_valid,
    every_series_is_of_the_chosen_processes,
    intervals_are_the_panels,
    counters_are_rates,
    nobody_edits_it,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", boards())
def test_a_board_keeps_the_rule(name: str, rule: Callable[[Any], Iterator[str]]) -> None:
    assert list(rule(boards()[name])) == []


def spoil_variable(board: Any) -> None:
    board["templating"]["list"][0]["type"] = "custom"


def lose_choice(board: Any) -> None:
    board["templating"]["list"] = board["templating"]["list"][:1]


def keep_values(board: Any) -> None:
    board["templating"]["list"][1]["refresh"] = 1


def fix_datasource(board: Any) -> None:
    board["panels"][0]["datasource"] = {"type": "loki", "uid": "abc"}


def silence(board: Any) -> None:
    board["panels"][0]["description"] = "Webhooks."


def lose_unit(board: Any) -> None:
    board["panels"][0]["fieldConfig"]["defaults"]["unit"] = "none"


def ask_nothing(board: Any) -> None:
    board["panels"][0]["targets"] = []


def break_query(board: Any) -> None:
    board["panels"][0]["targets"][0]["expr"] += ")"


def forget_choice(board: Any) -> None:
    target = board["panels"][0]["targets"][0]
    target["expr"] = target["expr"].replace('app=~"$app", ', "").replace('job=~"$job", ', "")


def fix_interval(board: Any) -> None:
    target = board["panels"][0]["targets"][0]
    target["expr"] = re.sub(r"\[\$__\w+\]", "[5m]", target["expr"])


def show_counter(board: Any) -> None:
    board["panels"][0]["targets"][0]["expr"] = 'bouncekeeper_webhooks_total{job=~"$job", instance=~"$instance"}'


def open_it(board: Any) -> None:
    board["editable"] = True


SPOILT = dict(
    zip(
        RULES,
        (
            spoil_variable,
            lose_choice,
            keep_values,
            fix_datasource,
            silence,
            lose_unit,
            ask_nothing,
            break_query,
            forget_choice,
            fix_interval,
            show_counter,
            open_it,
        ),
        strict=True,
    )
)
OF_PROMETHEUS = {promql_is_valid, counters_are_rates}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", ["logs/flow", "metrics/flow"])
def test_a_board_that_breaks_the_rule_is_found(name: str, rule: Callable[[Any], Iterator[str]]) -> None:
    board = copy.deepcopy(boards()[name])
    SPOILT[rule](board)
    assert list(rule(board)) or (rule in OF_PROMETHEUS and name.startswith("logs/"))


def test_boards_have_addresses_and_panels_numbers_of_their_own() -> None:
    assert len({board["uid"] for board in boards().values()}) == len(boards())
    for board in boards().values():
        assert len(board["uid"]) <= 40  # Grafana's limit
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers)
        letters = [[target["refId"] for target in panel["targets"]] for panel in board["panels"]]
        assert all(len(set(one)) == len(one) for one in letters)


def test_panels_do_not_overlap() -> None:
    for name, board in boards().items():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, f"{name}: {panel['title']}"
            assert place["x"] + place["w"] <= 24
            taken |= cells


def test_the_rates_of_a_sending_domain_have_the_lines_that_mailbox_providers_draw() -> None:
    for name in ("logs/contacts", "metrics/contacts"):
        steps = {
            panel["title"]: [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
            for panel in boards()[name]["panels"]
            if panel["title"].endswith("rate by sending domain")
        }
        assert steps == {
            "Complaint rate by sending domain": [None, 0.1, 0.3],
            "Bounce rate by sending domain": [None, 2, 5],
        }

"""Whatever the numbers, the page is well-formed, needs nothing from elsewhere, and its tables hold the numbers."""

from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.commands.support.xml_tree import tree_of
from tests.properties import examples
from worker.commands.support.report_page import change_of, report_page
from worker.contacts.period_report import (
    EARLIEST,
    PeriodReport,
    Series,
    Share,
    Shares,
    Total,
    columns_of,
    series_of_causes,
    unit_of,
)
from worker.store.report_counts import CauseCount, TotalCounts

COUNTS = st.one_of(st.integers(0, 3), st.integers(0, 10**15))
NAMES = st.text(alphabet=st.characters(), max_size=30)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is beside
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@st.composite
def shares(draw: st.DrawFn) -> Shares:
    rows = draw(st.lists(st.builds(Share, name=NAMES, bounces=COUNTS, note=NAMES), max_size=12))
    more = draw(st.integers(0, 3))
    return Shares(rows=rows, names=len(rows) + more, others=draw(COUNTS) if more else 0)


@st.composite
def reports(draw: st.DrawFn) -> PeriodReport:
    since = draw(TIMES)
    until = since + draw(st.timedeltas(timedelta(microseconds=1), timedelta(days=9_000)))
    unit = unit_of(until - since)
    columns = columns_of(since, until, unit)
    causes = st.builds(CauseCount, begins_at=st.sampled_from(columns), cause=NAMES, bounces=COUNTS)
    row = st.lists(st.integers(0, 10**9), min_size=len(columns), max_size=len(columns))
    return PeriodReport(
        account=draw(st.none() | NAMES),
        since=since,
        until=until,
        before_since=max(EARLIEST, since - timedelta(days=1)),
        unit=unit,
        begins_at=columns,
        totals=[Total(name=name, count=draw(COUNTS), before=draw(COUNTS)) for name in TotalCounts.__struct_fields__],
        bounces_by_cause=series_of_causes(draw(st.lists(causes, max_size=30)), columns),
        blocked_and_freed=[Series(name="blocked", counts=draw(row)), Series(name="freed", counts=draw(row))],
        bounces_by_provider=draw(shares()),
        bounces_by_domain=draw(shares()),
        bounces_by_source=draw(shares()),
    )


def cells(table: Element) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in table.iterfind("tbody/tr")]


@settings(max_examples=examples(60))
@given(report=reports())
def test_any_numbers_give_a_page_whose_tables_hold_them(report: PeriodReport) -> None:
    page = tree_of(report_page(report, made_at=NOW))

    names = [element.tag.rpartition("}")[2] for element in page.iter()]
    assert not {"script", "img", "link", "iframe", "a", "image", "use"} & set(names)
    tables = list(page.iter("table"))
    for table, series in zip(tables, (report.bounces_by_cause, report.blocked_and_freed), strict=False):
        *rows, total = cells(table)
        assert [[int(cell.replace(",", "")) for cell in row[1:]] for row in rows] == [
            [one.counts[place] for one in series] for place in range(len(report.begins_at))
        ]
        assert [int(cell.replace(",", "")) for cell in total[1:]] == [sum(one.counts) for one in series]
    shown = [
        one
        for one in (report.bounces_by_provider, report.bounces_by_domain, report.bounces_by_source)
        if one.others + sum(row.bounces for row in one.rows)
    ]
    counted = [[int(row[-2].replace(",", "")) for row in cells(table)] for table in tables[2:]]
    assert counted == [
        [row.bounces for row in one.rows] + ([one.others] if one.names > len(one.rows) else []) for one in shown
    ]


@given(since=TIMES, length=st.timedeltas(timedelta(microseconds=1), timedelta(days=20_000)))
def test_columns_cover_the_span_without_a_gap_and_are_not_too_many(since: datetime, length: timedelta) -> None:
    until = since + length
    columns = columns_of(since, until, unit_of(length))
    assert columns[0] <= since
    assert columns[-1] < until
    assert columns == sorted(set(columns))
    assert len(columns) <= 130


@pytest.mark.parametrize(
    ("count", "before", "words"),
    [
        (0, 0, "unchanged (0 before)"),
        (5, 0, "none before"),
        (0, 5, "\u2212100 % (5 before)"),
        (120, 100, "+20 % (100 before)"),
        (1001, 1000, "+0.1 % (1,000 before)"),
        (50_000, 5, "+999,900 % (5 before)"),
    ],
)
def test_a_change_is_told_in_words(count: int, before: int, words: str) -> None:
    assert change_of(Total(name="bounces", count=count, before=before)) == words


def test_what_is_common_is_shown_and_the_rest_together() -> None:
    counts = [CauseCount(begins_at=NOW, cause=f"cause{number}", bounces=number) for number in range(1, 10)]
    series = series_of_causes(counts, [NOW])
    assert [(one.name, *one.counts) for one in series] == [
        *((f"cause{number}", number) for number in range(9, 3, -1)),
        ("other causes", 6),
    ]


def test_every_account_name_is_text() -> None:
    """The one text of the page that a person chose freely."""
    report = PeriodReport(
        account="<b>&\x01",
        since=NOW - timedelta(days=1),
        until=NOW,
        before_since=NOW - timedelta(days=2),
        unit=unit_of(timedelta(days=1)),
        begins_at=[NOW - timedelta(days=1)],
        totals=[],
        bounces_by_cause=[],
        blocked_and_freed=[],
        bounces_by_provider=Shares(rows=[], names=0, others=0),
        bounces_by_domain=Shares(rows=[], names=0, others=0),
        bounces_by_source=Shares(rows=[], names=0, others=0),
    )
    assert "account <b>&\ufffd." in "".join(tree_of(report_page(report, made_at=NOW)).itertext())

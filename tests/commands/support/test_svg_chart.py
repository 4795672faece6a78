"""Any names and counts give a well-formed chart whose columns end where the axis says."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.commands.support.xml_tree import tree_of
from tests.properties import examples
from worker.commands.support.svg_chart import ChartSeries, bar_chart, column_chart, short_count, ticks_up_to

SVG = "{http://www.w3.org/2000/svg}"
COUNTS = st.one_of(st.integers(0, 20), st.integers(0, 10**18))
NAMES = st.text(alphabet=st.characters(), max_size=40)


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (5, [0, 2, 4, 6]),
        (47, [0, 20, 40, 60]),
        (100, [0, 50, 100]),
        (1_000_001, [0, 500_000, 1_000_000, 1_500_000]),
    ],
)
def test_an_axis_has_round_numbers(most: int, ticks: list[int]) -> None:
    assert ticks_up_to(most) == ticks


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (950, "950"), (12_000, "12k"), (1_500_000, "1.5M"), (3 * 10**12, "3,000G")]
)
def test_large_counts_are_short_on_an_axis(count: int, text: str) -> None:
    assert short_count(count) == text


@given(most=COUNTS)
def test_an_axis_is_whole_short_and_as_long_as_needed(most: int) -> None:
    ticks = ticks_up_to(most)
    assert ticks[0] == 0
    assert ticks[-2] <= most <= ticks[-1] or most == 0
    assert len(ticks) <= 5
    assert len({after - before for before, after in pairwise(ticks)}) == 1


@settings(max_examples=examples(60))
@given(data=st.data(), columns=st.integers(1, 70), names=st.lists(NAMES, min_size=1, max_size=7))
def test_columns_are_well_formed_and_as_high_as_their_counts(
    data: st.DataObject, columns: int, names: list[str]
) -> None:
    series = [
        ChartSeries(name=name, counts=data.draw(st.lists(COUNTS, min_size=columns, max_size=columns)), colour=place)
        for place, name in enumerate(names)
    ]
    labels = data.draw(st.lists(NAMES, min_size=columns, max_size=columns))

    chart = tree_of(column_chart(series, labels, title=names[0]))

    rectangles = chart.findall(f"{SVG}rect")
    assert len(rectangles) == sum(count > 0 for one in series for count in one.counts)
    drawn = sum(float(one.get("height", "")) for one in rectangles)
    counted = sum(sum(one.counts) for one in series)
    tallest = ticks_up_to(max(sum(one.counts[place] for one in series) for place in range(columns)))[-1]
    assert drawn == pytest.approx(220 * counted / tallest, abs=0.01 * len(rectangles) + 0.01)
    assert all(float(one.get("y", "")) >= 11.9 for one in rectangles)


@settings(max_examples=examples(60))
@given(rows=st.lists(st.tuples(NAMES, COUNTS), max_size=15))
def test_bars_are_well_formed_and_as_long_as_their_counts(rows: list[tuple[str, int]]) -> None:
    lengths = [float(one.get("width", "")) for one in tree_of(bar_chart(rows, title="x")).iter(f"{SVG}rect")]
    most = max([count for _, count in rows], default=0) or 1
    assert lengths == pytest.approx([294 * count / most for _, count in rows], abs=0.06)


def test_columns_side_by_side_are_as_high_as_the_tallest_allows() -> None:
    series = [
        ChartSeries(name="blocked", counts=[100, 0], colour=3),
        ChartSeries(name="freed", counts=[50, 10], colour=2),
    ]
    rectangles = list(tree_of(column_chart(series, ["a", "b"], title="x", side_by_side=True)).iter(f"{SVG}rect"))
    assert [one.get("height") for one in rectangles] == ["220.00", "110.00", "22.00"]
    assert [one.get("y") for one in rectangles] == ["12.00", "122.00", "210.00"]
    assert len({one.get("x") for one in rectangles}) == 3


def test_odd_texts_are_shown_and_do_nothing() -> None:
    odd = "</text><script>alert(1)</script>\x00\ud800&\"'"
    chart = bar_chart([(odd, 1)], title=odd)
    assert "<script" not in chart
    assert tree_of(chart).findtext(f"{SVG}rect/{SVG}title") == "</text><script>alert(1)</script>\ufffd\ufffd&\"': 1"

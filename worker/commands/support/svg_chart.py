"""Charts as SVG to stand inside a page: columns over time, and bars. Colours and fonts are the page's classes.

Every text is escaped, and what XML cannot hold is replaced, so that any names and counts give a well-formed chart.
"""

import re
from collections.abc import Sequence
from html import escape

from msgspec import Struct

from schemas.text_limit import cut_text

MOST_COLOURS = 7  # classes c0 to c6 of the page

_WIDTH, _HEIGHT = 680, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 12, 28
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_WIDEST_COLUMN = 48.0
_GAP = 0.25  # of a column's place
_LABEL_PIXELS = 62  # what a date on the axis takes
_TICKS = 4
_BAR, _BAR_PLACE, _NAME_WIDTH, _COUNT_WIDTH, _BARS_WIDTH = 16, 26, 190, 76, 560
_LONGEST_NAME = 24
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ChartSeries(Struct, frozen=True, kw_only=True):
    """What one colour of a chart shows: a count of 0 or more for each column."""

    name: str
    counts: Sequence[int]
    colour: int  # from 0 to MOST_COLOURS - 1


def text_of(text: str) -> str:
    """The text as it may stand in HTML and XML, between tags and in attributes."""
    return escape(_NOT_IN_XML.sub("\ufffd", text))


def ticks_up_to(most: int) -> list[int]:
    """From 0 in equal, round steps to the first that is not below `most`: [0, 20, 40, 60] for 47."""
    wanted = max(-(-most // _TICKS), 1)
    magnitude = 10 ** (len(str(wanted)) - 1)
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= wanted)
    return list(range(0, max(-(-most // step), 1) * step + 1, step))


def short_count(count: int) -> str:
    """The count as an axis shows it: 950, 12k, 1.5M, 3G."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count // size:,}{letter}" if count % size == 0 else f"{count / size:,.1f}{letter}"
    return str(count)


def column_chart(
    series: Sequence[ChartSeries], labels: Sequence[str], *, title: str, side_by_side: bool = False
) -> str:
    """A column for each label, in which the series stand one on the other, or side by side."""
    columns = range(len(labels))
    heights = [count for one in series for count in one.counts]
    if not side_by_side:
        heights = [sum(one.counts[column] for one in series) for column in columns]
    ticks = ticks_up_to(max(heights, default=0))
    pixels_each = _PLOT_HEIGHT / ticks[-1]
    parts = [_head(_WIDTH, _HEIGHT, title)]
    for tick in ticks:
        y = _TOP + _PLOT_HEIGHT - tick * pixels_each
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short_count(tick)}</text>')
    place_width = _PLOT_WIDTH / max(len(labels), 1)
    width = min(place_width * (1 - _GAP), _WIDEST_COLUMN)
    labelled_every = max(-(-_LABEL_PIXELS * len(labels) // _PLOT_WIDTH), 1)
    for column, label in enumerate(labels):
        middle = _LEFT + (column + 0.5) * place_width
        x, each, y = middle - width / 2, width / len(series) if side_by_side else width, float(_TOP + _PLOT_HEIGHT)
        for place, one in enumerate(series):
            if count := one.counts[column]:
                height = count * pixels_each
                y = _TOP + _PLOT_HEIGHT - height if side_by_side else y - height
                parts.append(
                    f'<rect class="c{one.colour}" x="{x + place * each if side_by_side else x:.1f}" y="{y:.2f}" '
                    f'width="{each:.1f}" height="{height:.2f}">'
                    f"<title>{text_of(label)}, {text_of(one.name)}: {count:,}</title></rect>"
                )
        if column % labelled_every == 0:
            parts.append(f'<text x="{middle:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{text_of(label)}</text>')
    return "".join([*parts, "</svg>"])


def bar_chart(rows: Sequence[tuple[str, int]], *, title: str) -> str:
    """One bar for each name and count, from top to bottom."""
    most = max([count for _, count in rows], default=0) or 1
    room = _BARS_WIDTH - _NAME_WIDTH - _COUNT_WIDTH
    parts = [_head(_BARS_WIDTH, max(len(rows), 1) * _BAR_PLACE, title)]
    for place, (name, count) in enumerate(rows):
        y = place * _BAR_PLACE + (_BAR_PLACE - _BAR) / 2
        length = room * count / most
        shown = cut_text(name, _LONGEST_NAME)
        parts.append(
            f'<text x="{_NAME_WIDTH - 8}" y="{y + 12:.1f}" text-anchor="end">{text_of(shown)}</text>'
            f'<rect class="c0" x="{_NAME_WIDTH}" y="{y:.1f}" width="{length:.1f}" height="{_BAR}" rx="2">'
            f"<title>{text_of(name)}: {count:,}</title></rect>"
            f'<text x="{_NAME_WIDTH + length + 6:.1f}" y="{y + 12:.1f}">{short_count(count)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _head(width: int, height: int, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{text_of(title)}">'
    )

"""docs/rooms.svg: the rooms of the house one above the other, as the plan has them and as they say of themselves."""

import importlib
from textwrap import wrap
from xml.sax.saxutils import escape

from tests.rooms import MAY_IMPORT

_WIDTH, _MARGIN, _GAP = 1120, 12, 14
_HEADER_HEIGHT, _LINE_HEIGHT, _ROOMS_A_ROW = 34, 19, 4
_CHARACTER_WIDTH = 7.4
_STYLE = """\
    :root { --ink: #1f2328; --quiet: #59636e; --box: #f6f8fa; --edge: #d1d9e0; }
    @media (prefers-color-scheme: dark) { :root { --ink: #f0f6fc; --quiet: #9198a1; --box: #151b23; --edge: #3d444d; } }
    text { font: 13.5px -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", Helvetica, Arial, sans-serif; }
    .name { font-weight: 600; font-size: 16px; fill: var(--ink); } .says { fill: var(--quiet); }
    .box { fill: var(--box); stroke: var(--edge); stroke-width: 1.5; }"""
# No rooms: a module of a few lines each.
_NOT_DRAWN = {"cli", "__main__", "errors"}


def levels() -> list[list[str]]:
    """The rooms from the lowest row to the highest: each stands above all that it may import."""
    height: dict[str, int] = {"schemas": 0}

    def height_of(room: str) -> int:
        if room not in height:
            below = {name.split(".")[0] for name in MAY_IMPORT[room]} - _NOT_DRAWN
            height[room] = 1 + max((height_of(name) for name in below), default=0)
        return height[room]

    for room in MAY_IMPORT:
        if room not in _NOT_DRAWN:
            height_of(room)
    return [sorted(room for room in height if height[room] == level) for level in range(max(height.values()) + 1)]


def rooms_svg() -> str:
    """The drawing, from the highest row to the lowest."""
    parts: list[str] = []
    top = _MARGIN
    for level in reversed(levels()):
        for start in range(0, len(level), _ROOMS_A_ROW):
            row = level[start : start + _ROOMS_A_ROW]
            width = (_WIDTH - 2 * _MARGIN - _GAP * (len(row) - 1)) / len(row)
            texts = [wrap(_says(room), int((width - 28) / _CHARACTER_WIDTH)) for room in row]
            height = _HEADER_HEIGHT + _LINE_HEIGHT * max(map(len, texts)) + 8
            for place, (room, lines) in enumerate(zip(row, texts, strict=True)):
                parts += _box(room, lines, left=_MARGIN + place * (width + _GAP), top=top, width=width, height=height)
            top += height + _GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" aria-labelledby="title">',
            '  <title id="title">The rooms: each imports only of those below it</title>',
            f"  <style>\n{_STYLE}\n  </style>",
            *parts,
            "</svg>\n",
        ]
    )


def _box(room: str, lines: list[str], *, left: float, top: float, width: float, height: float) -> list[str]:
    return [
        f'  <rect class="box" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}" rx="8"/>',
        f'  <text class="name" x="{left + 14:.0f}" y="{top + 25:.0f}">{room}</text>',
        *(
            f'  <text class="says" x="{left + 14:.0f}" y="{top + 46 + number * _LINE_HEIGHT:.0f}">{escape(line)}</text>'
            for number, line in enumerate(lines)
        ),
    ]


def _says(room: str) -> str:
    module = importlib.import_module("schemas" if room == "schemas" else f"worker.{room}")
    return (module.__doc__ or "").strip().replace("`", "")

"""The pages of the documentation as tests see them: snippets, headings and links.

A snippet is a fenced block. An HTML comment right before it, which no reader sees, may say how it is to be run:

```
<!-- snippet: stays running -->         it is started in the background and waited for
<!-- snippet: ends with 1 -->           this exit status is the right one
<!-- snippet: in the end -->            repeated until it is as the page says: effects come a moment later
<!-- snippet: a picture -->             text that nobody runs
```
"""

import re
from functools import cache
from pathlib import Path

from msgspec import Struct

REPOSITORY = Path(__file__).resolve().parent.parent.parent
README = REPOSITORY / "README.md"

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)(?P=ticks)\s*$",
    re.MULTILINE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"<!-- snippet: (.+?) -->")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_HTML_LINK = re.compile(r"""(?:src|srcset|href)="(?P<target>[^"]+)\"""")
_CODE_SPAN = re.compile(r"`[^`\n]*`")


class Snippet(Struct, frozen=True, kw_only=True):
    """One fenced block of a page."""

    page: str  # relative to the repository
    line: int
    language: str  # "" where the page names none
    text: str
    directives: tuple[str, ...] = ()
    output: str | None = None  # of a shell snippet: the block of text that follows it

    @property
    def place(self) -> str:
        """`docs/operating.md:12`."""
        return f"{self.page}:{self.line}"


class Link(Struct, frozen=True, kw_only=True):
    """One link of a page."""

    page: str
    text: str
    target: str


def pages() -> list[Path]:
    """The README and everything in docs/."""
    return [README, *sorted((REPOSITORY / "docs").rglob("*.md"))]


def page_name(path: Path) -> str:
    """The page relative to the repository."""
    return path.relative_to(REPOSITORY).as_posix()


@cache
def snippets_of(path: Path) -> tuple[Snippet, ...]:
    """The page's fenced blocks, in their order. A `text` block next to a shell block is also that one's output."""
    source = path.read_text(encoding="utf-8")
    found: list[Snippet] = []
    previous_end = 0
    for match in _FENCE.finditer(source):
        between = source[previous_end : match.start()]
        directives = _directives_right_before(between)
        snippet = Snippet(
            page=page_name(path),
            line=source.count("\n", 0, match.start()) + 1,
            language=match["language"].strip(),
            text=match["text"],
            directives=directives,
        )
        if snippet.language == "text" and not directives and found and found[-1].language == "sh":
            found[-1] = _with_output(found[-1], snippet.text)
        found.append(snippet)
        previous_end = match.end()
    return tuple(found)


def _directives_right_before(between: str) -> tuple[str, ...]:
    directives: list[str] = []
    for line in reversed(between.rstrip("\n").split("\n")):
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        directives.insert(0, match[1])
    return tuple(directives)


def _with_output(snippet: Snippet, output: str) -> Snippet:
    return Snippet(
        page=snippet.page,
        line=snippet.line,
        language=snippet.language,
        text=snippet.text,
        directives=snippet.directives,
        output=output,
    )


def snippets(*languages: str) -> list[Snippet]:
    """Every page's snippets in these languages; all of them when none is named."""
    return [
        snippet for path in pages() for snippet in snippets_of(path) if not languages or snippet.language in languages
    ]


def prose_of(path: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


@cache
def links_of(path: Path) -> tuple[Link, ...]:
    """Every link and picture of the page, outside of code."""
    prose = prose_of(path)
    name = page_name(path)
    # Code spans may stand in a link's text, but what looks like a link inside one is none.
    bare = _CODE_SPAN.sub(lambda span: span[0].replace("](", "] ("), prose)
    links = [Link(page=name, text=match["text"], target=match["target"]) for match in _LINK.finditer(bare)]
    return (*links, *(Link(page=name, text="", target=match["target"]) for match in _HTML_LINK.finditer(bare)))


@cache
def anchors_of(path: Path) -> set[str]:
    """The fragments that lead somewhere in the page, as GitHub makes them from headings."""
    anchors: set[str] = set()
    for heading in _HEADING.findall(prose_of(path)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = "".join(letter for letter in plain if letter.isalnum() or letter in " -_").replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in anchors:
            number += 1
        anchors.add(anchor)
    return anchors

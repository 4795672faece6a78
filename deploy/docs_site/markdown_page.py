"""A page as the site shows it: links lead to pages of the site, and lists stand apart from the text before them."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

README = PurePosixPath("README.md")
HOME = PurePosixPath("index.md")

_FENCE = re.compile(r" *(`{3,}|~{3,})")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_HTML_LINK = re.compile(r"""\b(src|srcset|href)="([^"]+)\"""")
_LINE = re.compile(r"L\d+")
_ITEM = re.compile(r" *(?:[-*+]|\d+[.)]) ")


def site_page(text: str, page: PurePosixPath, repository: Path) -> str:
    """The text of `page` (its place in the repository) for the site.

    The site holds docs/, and the README as its home. A link to any other file of the repository becomes its text: the
    site does not know where the reader finds the source.
    """
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        opened = _FENCE.match(line)
        if opened and not fence:
            fence = opened[1]
        elif fence:
            if line.strip() == fence:
                fence = ""
        else:
            if lines and _ITEM.match(line) and _is_text(lines[-1]):
                lines.append("")  # Python-Markdown takes a list right behind a paragraph for more of the paragraph
            lines.append(_with_links(line, page, repository))
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"


def place_on_site(file: PurePosixPath) -> PurePosixPath | None:
    """Where the site has a file of the repository; None if it does not."""
    if file == README:
        return HOME
    return file.relative_to("docs") if file.is_relative_to("docs") else None


def _is_text(line: str) -> bool:
    return bool(line.strip()) and not _ITEM.match(line) and not line.startswith((" ", "#", "|", ">", "<!--"))


def _with_links(line: str, page: PurePosixPath, repository: Path) -> str:
    line = _HTML_LINK.sub(lambda match: _html_link(match, page), line)
    return _LINK.sub(lambda match: _link(match, page, repository), line)


def _link(match: re.Match[str], page: PurePosixPath, repository: Path) -> str:
    mark, text, target = match.groups()
    if "://" in target or target.startswith(("#", "mailto:")):
        return match[0]
    name, _, anchor = target.partition("#")
    file = PurePosixPath(normpath(page.parent / name))
    if (repository / file).is_dir():
        file /= "README.md"
    place, here = place_on_site(file), place_on_site(page)
    if place is None or here is None or not (repository / file).is_file():
        return text
    if not anchor or _LINE.fullmatch(anchor):  # a line of the source is no place on a page
        return f"{mark}[{text}]({_relative(place, here)})"
    return f"{mark}[{text}]({_relative(place, here)}#{anchor})"


def _html_link(match: re.Match[str], page: PurePosixPath) -> str:
    name, target = match.groups()
    if "://" in target or target.startswith(("#", "mailto:")):
        return match[0]
    place, here = place_on_site(PurePosixPath(normpath(page.parent / target))), place_on_site(page)
    return match[0] if place is None or here is None else f'{name}="{_relative(place, here)}"'


def _relative(place: PurePosixPath, here: PurePosixPath) -> str:
    return relpath(place, here.parent)

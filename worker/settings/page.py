"""The tables of docs/configuration.md; `python -m worker.settings.page docs/configuration.md` renews them."""

import sys
from collections.abc import Iterable
from pathlib import Path

from worker.settings.declarations import SettingDeclaration, section_types, setting_declarations

BEGIN = "<!-- generated from worker/settings/tree.py: begin -->"
END = "<!-- generated from worker/settings/tree.py: end -->"


def settings_tables() -> str:
    """One Markdown table for each section."""
    declarations = setting_declarations()
    parts = ["### Top level", "", *_table(declaration for declaration in declarations if not declaration.section)]
    for section, struct in section_types().items():
        says = (struct.__doc__ or "").strip()
        rows = _table(declaration for declaration in declarations if declaration.section == section)
        parts += ["", f"### [{section}]", "", says, "", *rows]
    return "\n".join(parts)


def renewed(page: str) -> str:
    """The page with its generated part renewed. Raises ValueError if it has no such part."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{settings_tables()}\n\n{END}{after}"


def _table(declarations: Iterable[SettingDeclaration]) -> list[str]:
    return [
        "| TOML | flag | environment | value | default | |",
        "|---|---|---|---|---|---|",
        *(_row(declaration) for declaration in declarations),
    ]


def _row(declaration: SettingDeclaration) -> str:
    names = [declaration.path]
    variables = [declaration.environment_name]
    if declaration.secret:
        names.append(declaration.file_path)
        variables.append(declaration.file_environment_name)
    value = ", ".join((declaration.kind, *declaration.limits))
    cells = [
        "<br>".join(f"`{name}`" for name in names),
        f"`{declaration.flag}`",
        "<br>".join(f"`{name}`" for name in variables),
        value,
        _default(declaration),
        declaration.says,
    ]
    return f"| {' | '.join(cells)} |"


def _default(declaration: SettingDeclaration) -> str:
    default = declaration.default
    if default is None or default == ():
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(renewed(target.read_text(encoding="utf-8")), encoding="utf-8")

"""Where each page of the documentation stands on the site. Each page stands there once."""

from pathlib import Path

# By file names in docs/, without `.md`. Whoever adds a page names it here.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Start": ("index", "running", "finding-your-way"),
    "Concepts": ("architecture", "classification", "policy", "names"),
    "Contacts": ("checking", "contacts", "unsubscribe", "safelist", "summary", "campaigns", "consuming", "api"),
    "Operations": (
        "operating",
        "growing",
        "failover-and-restore",
        "watching",
        "dashboards",
        "traces",
        "kubernetes",
        "systemd",
        "least-rights",
        "mail",
        "benchmarks",
    ),
    "Reference": ("configuration", "command-line", "log-events", "errors", "kubernetes-values"),
    "Providers": ("providers", "adding-a-provider"),
}
_PROVIDERS = "providers"


def navigation(docs: Path) -> list[dict[str, list[object]]]:
    """The site's `nav`, as MkDocs reads it: sections of files; all providers are a section within theirs.

    Pages that SECTIONS does not name come last, so that none is lost; tests/docs_site keeps that section empty.
    """
    sections: list[dict[str, list[object]]] = [
        {title: [item for name in names for item in _items(docs, name)]} for title, names in SECTIONS.items()
    ]
    if others := unplaced(docs):
        sections.append({"More": [f"{name}.md" for name in others]})
    return sections


def unplaced(docs: Path) -> list[str]:
    """Pages of docs/ that no section names."""
    placed = {name for names in SECTIONS.values() for name in names}
    return sorted(path.stem for path in docs.glob("*.md") if path.stem not in placed)


def _items(docs: Path, name: str) -> list[object]:
    if name != _PROVIDERS:
        return [f"{name}.md"]
    pages = sorted(path.name for path in (docs / _PROVIDERS).glob("*.md") if path.name != "README.md")
    return [f"{_PROVIDERS}/README.md", {"All providers": [f"{_PROVIDERS}/{page}" for page in pages]}]

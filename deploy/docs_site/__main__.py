"""`python -m deploy.docs_site FOLDER` writes what MkDocs and Zensical build the site from: pages and mkdocs.yml."""

import argparse
import shutil
from pathlib import Path, PurePosixPath

import yaml

from deploy.docs_site.markdown_page import README, place_on_site, site_page
from deploy.docs_site.navigation import navigation

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_SETTINGS = {
    "site_name": "Bouncekeeper",
    "docs_dir": "pages",
    "site_dir": "site",
    "use_directory_urls": False,  # the site can be read from a folder, without a server
    "theme": {
        "name": "material",
        "font": False,  # nothing is fetched from elsewhere
        "features": ["navigation.sections", "navigation.top", "toc.follow", "content.code.copy", "search.highlight"],
        "palette": [
            {
                "media": "(prefers-color-scheme: light)",
                "scheme": "default",
                "toggle": {"icon": "material/weather-night", "name": "Dark"},
            },
            {
                "media": "(prefers-color-scheme: dark)",
                "scheme": "slate",
                "toggle": {"icon": "material/weather-sunny", "name": "Light"},
            },
        ],
    },
    "plugins": ["search"],
    "validation": {
        "omitted_files": "warn",
        "absolute_links": "warn",
        "unrecognized_links": "warn",
        "anchors": "warn",
    },
}
# Anchors as GitHub makes them, for which the pages are written.
_EXTENSIONS = """
markdown_extensions:
  - tables
  - md_in_html
  - sane_lists
  - pymdownx.superfences
  - pymdownx.highlight
  - toc:
      permalink: true
      slugify: !!python/object/apply:pymdownx.slugs.slugify
        kwds:
          case: lower
"""


def write_site(folder: Path) -> None:
    """Pages and settings in `folder`, whose former content goes."""
    docs, pages = _REPOSITORY / "docs", folder / "pages"
    shutil.rmtree(folder, ignore_errors=True)
    for file in [_REPOSITORY / README, *sorted(docs.rglob("*"))]:
        here = PurePosixPath(file.relative_to(_REPOSITORY).as_posix())
        place = place_on_site(here)
        if place is None or not file.is_file():
            continue
        target = pages / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            target.write_text(site_page(file.read_text(encoding="utf-8"), here, _REPOSITORY), encoding="utf-8")
        else:
            shutil.copyfile(file, target)
    settings = yaml.safe_dump({**_SETTINGS, "nav": navigation(docs)}, sort_keys=False)
    (folder / "mkdocs.yml").write_text(settings + _EXTENSIONS, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deploy.docs_site", description=__doc__)
    parser.add_argument("folder", type=Path, help="it is emptied first")
    write_site(parser.parse_args().folder)

"""The description of the API, read once: by the plain reader alone it would take a third of a second each time."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def openapi_document() -> dict[str, Any]:
    """schemas/openapi.yaml; nobody changes it."""
    reader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the quicker one is not in every build of the library
    document: dict[str, Any] = yaml.load((files("schemas") / "openapi.yaml").read_bytes(), Loader=reader)  # noqa: S506
    return document

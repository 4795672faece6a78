"""A shell whose configuration has one source, of the account shop-eu."""

from pathlib import Path

import pytest

from tests.commands.shell import Shell

CONFIGURATION = """
[sources.eu]
provider = "sendgrid"
account = "shop-eu"
"""


@pytest.fixture
def shell(database_dsn: str, tmp_path: Path) -> Shell:
    """Runs commands on a database of the test."""
    return Shell(folder=tmp_path, dsn=database_dsn, configuration=CONFIGURATION)

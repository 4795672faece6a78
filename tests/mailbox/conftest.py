"""An IMAP server for each test that asks for one."""

from collections.abc import Iterator

import pytest

from tests.mailbox.imap_server import ImapServer, running_imap_server


@pytest.fixture
def imap_server() -> Iterator[ImapServer]:
    """A server with an empty mailbox."""
    with running_imap_server() as server:
        yield server

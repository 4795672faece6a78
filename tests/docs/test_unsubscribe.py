"""The script of docs/unsubscribe.md makes the token that the page shows, and that we read and make."""

import subprocess
import sys
import tomllib

from schemas.source import Secret
from tests.docs.pages import REPOSITORY, snippets_of
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink

PAGE = REPOSITORY / "docs" / "unsubscribe.md"


def test_a_sender_who_follows_the_page_makes_the_same_token_as_we_do() -> None:
    shown = {snippet.text.strip() for snippet in snippets_of(PAGE) if snippet.language == "text"}
    [script] = [snippet.text for snippet in snippets_of(PAGE) if snippet.language == "python"]
    [settings] = [snippet.text for snippet in snippets_of(PAGE) if snippet.language == "toml"]
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    token = ran.stdout.strip()
    assert token in shown
    keys = UnsubscribeKeys([Secret(text) for text in tomllib.loads(settings)["unsubscribe"]["secrets"]])
    link = UnsubscribeLink(address="jane@example.org", list="newsletter")
    assert keys.read(token) == link
    assert keys.make(link) == token

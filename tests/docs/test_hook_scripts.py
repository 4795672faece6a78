"""Scripts for mail servers that no test here can start: their shape is held, and what they name."""

import re
import tomllib

import pytest

from tests.docs.pages import REPOSITORY, Snippet, snippets, snippets_of
from tests.providers.sample_events import sample
from worker.providers.registry import PROVIDERS
from worker.samples.halon import sample_values

_STRINGS_AND_COMMENTS = re.compile(r"""'[^'\n]*'|"[^"\n]*"|--[^\n]*|//[^\n]*""")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_SCRIPTS = snippets("lua", "hsl")


@pytest.mark.parametrize("snippet", _SCRIPTS, ids=lambda snippet: snippet.place)
def test_its_brackets_close(snippet: Snippet) -> None:
    waiting: list[str] = []
    for sign in re.findall(r"[()\[\]{}]", _STRINGS_AND_COMMENTS.sub("", snippet.text)):
        if sign in _PAIRS:
            assert waiting.pop() == _PAIRS[sign]
        else:
            waiting.append(sign)
    assert not waiting


@pytest.mark.parametrize("snippet", snippets("lua"), ids=lambda snippet: snippet.place)
def test_its_blocks_end(snippet: Snippet) -> None:
    words = re.findall(r"\b(?:function|then|do|end)\b", _STRINGS_AND_COMMENTS.sub("", snippet.text))
    assert len([word for word in words if word != "end"]) == words.count("end")


@pytest.mark.parametrize("snippet", _SCRIPTS, ids=lambda snippet: snippet.place)
def test_it_posts_to_the_source_of_its_page_with_its_secret(snippet: Snippet) -> None:
    (config,) = (found.text for found in snippets_of(REPOSITORY / snippet.page) if found.language == "toml")
    ((name, source),) = tomllib.loads(config)["sources"].items()
    assert source["provider"] in PROVIDERS
    assert f"/webhooks/{name}" in snippet.text
    assert f"Bearer {source['secrets'][0]}" in snippet.text


def test_halons_script_reports_the_fields_that_are_read() -> None:
    (script,) = snippets("hsl")
    report = re.search(r"\$report = \[(.*?)^\s*\];", script.text, re.MULTILINE | re.DOTALL)
    assert report
    assert set(re.findall(r'^\s+"(\w+)" =>', report[1], re.MULTILINE)) == {*sample_values(sample()), "metadata"}


def test_halons_script_encodes_of_an_attempt_only_what_is_json() -> None:
    (script,) = snippets("hsl")
    assert set(re.findall(r'\$arguments\["attempt"\](\["\w+"\])?', script.text)) == {'["result"]', '["error"]'}

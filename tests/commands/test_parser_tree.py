"""What holds for every command and every action of a command."""

import pytest

from tests.commands.parser_tree import Entry, all_parsers

ALL = all_parsers()


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: " ".join(entry.words))
def test_each_says_what_it_does_in_a_sentence(entry: Entry) -> None:
    first, *_ = (entry.parser.description or "").split("\n\n")
    assert first[:1].isupper(), first
    assert first.endswith((".", "?")), first


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: " ".join(entry.words))
def test_each_argument_says_what_it_is_for(entry: Entry) -> None:
    assert [one.dest for one in entry.arguments if not one.help] == []


def test_an_action_shows_the_examples_of_its_own() -> None:
    (request,) = (entry for entry in ALL if entry.words == ("safelist", "request"))
    examples = [
        line.strip() for line in request.parser.format_help().splitlines() if line.startswith("  bouncekeeper ")
    ]
    assert len(examples) == 3
    assert all(example.startswith("bouncekeeper safelist request ") for example in examples)

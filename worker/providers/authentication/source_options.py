"""The options of sources: declared once, checked when the configuration is read, and read when a source is bound."""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Generic, TypeVar

from msgspec import Struct

from schemas.source import Source
from worker.process.spelling import did_you_mean

# Fields of every source: misspelt ones arrive here among the options.
_OF_EVERY_SOURCE = (
    "account",
    "account_from",
    "allowed_addresses",
    "authentication",
    "campaign_from",
    "provider",
    "secrets",
    "secrets_files",
)

Value = TypeVar("Value")


class Form(Enum):
    """How an option is written in a source's TOML table; `NAME` is the option's name.

    The environment can set the two forms of secrets, as BOUNCEKEEPER_SOURCES_<SOURCE>_<NAME>.
    """

    PLAIN = "as it is"
    SECRET = "a text, or NAME_file = the file that holds it"  # noqa: S105 - no secret
    SECRETS = "a list of texts, or NAME_files = the files that hold them"
    FILE = "the name of a file; the option's value is the file's text"
    TABLE_OF_FILES = "a table with names of files; the values are the files' texts"


class Option(Struct, Generic[Value], frozen=True, kw_only=True):
    """One setting that only some sources have."""

    name: str
    form: Form = Form.PLAIN
    default: Value  # if the source does not set it, or sets an unusable value
    read: Callable[[Any], Value | None]  # None for an unusable value
    mistake: Callable[[Any], str]  # the text after the name, with the remedy; "" for a correct value

    def of(self, source: Source) -> Value:
        """The source's value."""
        if self.name not in source.options:
            return self.default
        value = self.read(source.options[self.name])
        return self.default if value is None else value

    def check(self, source: Source) -> list[str]:
        """The mistake in the source's value, with its remedy; [] if there is none."""
        if self.name not in source.options or not (mistake := self.mistake(source.options[self.name])):
            return []
        return [self.name + mistake]


def seconds(name: str, default: Value) -> Option[int | Value]:
    """A time, in whole seconds above 0."""
    return Option(
        name=name,
        default=default,
        read=_whole_seconds,
        mistake=lambda value: (
            f" = {value!r}: give a whole number of seconds above 0" if _whole_seconds(value) is None else ""
        ),
    )


def flag(name: str) -> Option[bool]:
    """True only if it is set to true."""
    return Option(
        name=name,
        default=False,
        read=lambda value: value is True,
        mistake=lambda value: "" if isinstance(value, bool) else " must be true or false, without quotes",
    )


def texts(name: str) -> Option[tuple[str, ...]]:
    """A list of texts; one bare text counts as a list of one, never as its letters."""
    return Option(
        name=name,
        default=(),
        read=_texts,
        mistake=lambda value: f' is one text: write a list, {name} = ["…"]' if isinstance(value, str) else "",
    )


def checked_elsewhere(
    name: str, default: Value, read: Callable[[Any], Value | None], *, form: Form = Form.PLAIN
) -> Option[Value]:
    """An option whose mistakes are reported together with those of other options."""
    return Option(name=name, form=form, default=default, read=read, mistake=lambda _: "")


def check_options(source: Source, known: Iterable[Option[Any]]) -> list[str]:
    """The mistakes in the source's options, each with its remedy."""
    by_name = {option.name: option for option in known}
    names = sorted(by_name)
    problems = [
        f"{name} is not known to {source.provider}: {_instead(name, names)}"
        for name in sorted(set(source.options) - set(names))
    ]
    return problems + [problem for _, option in sorted(by_name.items()) for problem in option.check(source)]


def _whole_seconds(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _texts(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(str(item) for item in value)
    return None if value is None or value == "" else (str(value),)


def _instead(name: str, known: list[str]) -> str:
    others = f"it knows {', '.join(known)}" if known else "it has no settings of its own"
    return did_you_mean(name, [*known, *_OF_EVERY_SOURCE], otherwise=others)

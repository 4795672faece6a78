"""What an operator may set in `options` of a source, read and checked in one way."""

from collections.abc import Collection

from schemas.source import Source
from worker.process.spelling import did_you_mean

# What is read before the provider is asked: near misses of these arrive here among the options.
_OF_EVERY_SOURCE = (
    "account",
    "account_from",
    "allowed_addresses",
    "authentication",
    "provider",
    "secrets",
    "secrets_files",
)
# Options that are lists, whichever provider knows them.
_LISTS = ("aws_domains", "signature_versions", "topics", "urls")


def seconds_option(source: Source, name: str, default: int) -> int:
    """The option as whole seconds; the default when it is missing or unusable (check_options reports that)."""
    value = source.options.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    return default


def check_options(source: Source, *, seconds: Collection[str] = (), others: Collection[str] = ()) -> list[str]:
    """What is wrong with the source's options, each with its remedy; [] when nothing."""
    known = sorted({*seconds, *others})
    problems = [
        f"{name} is not known to {source.provider}: {_instead(name, known)}"
        for name in sorted(set(source.options) - set(known))
    ]
    problems.extend(
        f"{name} = {source.options[name]!r}: give a whole number of seconds above 0"
        for name in sorted(seconds)
        if name in source.options and seconds_option(source, name, 0) == 0
    )
    problems.extend(
        f'{name} is one text: write a list, {name} = ["…"]'
        for name in _LISTS
        if name in known and isinstance(source.options.get(name), str)
    )
    return problems


def _instead(name: str, known: list[str]) -> str:
    others = f"it knows {', '.join(known)}" if known else "it has no settings of its own"
    return did_you_mean(name, [*known, *_OF_EVERY_SOURCE], otherwise=others)

"""What an operator may set in `options` of a source, read and checked in one way."""

from collections.abc import Collection

from schemas.source import Source


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
        f"options.{name} is not known to {source.provider}: "
        + (f"it knows {', '.join(known)}" if known else "it has no options")
        for name in sorted(set(source.options) - set(known))
    ]
    problems.extend(
        f"options.{name} = {source.options[name]!r}: give a whole number of seconds above 0"
        for name in sorted(seconds)
        if name in source.options and seconds_option(source, name, 0) == 0
    )
    return problems

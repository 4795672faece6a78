"""`policy`: the rules in force."""

from argparse import ArgumentParser, Namespace
from datetime import timedelta

from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import print_json, print_line, print_table
from worker.commands.support.setting_flags import add_shared_flags, settings_of
from worker.policy.rule import Rule


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Shows the rules that turn failures into blocks: the built-in ones, a preset, or your own from [policy] in the
configuration file.

examples:
  bouncekeeper policy show
  bouncekeeper policy show --toml      a start for rules of your own
"""
    parser.add_argument("action", choices=["show"])
    parser.add_argument("--toml", action="store_true", help="prints it as TOML for the configuration file")
    add_shared_flags(parser)


def _run(arguments: Namespace) -> int:
    policy = settings_of(arguments, needs=()).policy
    if arguments.json:
        print_json(policy)
        return ExitCode.OK
    if arguments.toml:
        from worker.policy.policy_print import policy_as_toml  # noqa: PLC0415 - only when asked for

        print(policy_as_toml(policy), end="")  # noqa: T201 - the output
        return ExitCode.OK
    print_line(f"policy {policy.name}", style="bold")
    print_table(
        ("rule", "causes", "strikes", "within", "spread over", "then", "shown as", "forbids", "lifted by"),
        [_row(rule) for rule in policy.rules],
    )
    return ExitCode.OK


def _row(rule: Rule) -> tuple[object, ...]:
    ladder = " → ".join("for good" if rung is None else _duration(rung) for rung in rule.hold_ladder)
    return (
        rule.name,
        ", ".join(sorted(rule.causes)),
        rule.strikes,
        "ever" if rule.window is None else _duration(rule.window),
        _duration(rule.min_span) if rule.min_span else "",
        f"{rule.action} {ladder}".strip(),
        rule.status,
        rule.applies_to,
        ", ".join(sorted(rule.lift_by)),
    )


def _duration(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


COMMANDS = {"policy": Command(_configure, _run)}

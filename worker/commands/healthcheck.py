"""`healthcheck`: checks that a URL answers 200, because containers have no curl."""

import urllib.error
import urllib.request
from argparse import ArgumentParser, Namespace
from urllib.parse import urlsplit

from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import print_json
from worker.commands.support.setting_flags import seconds_argument

_SHOWN_BYTES = 2000


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Exit code 0 if the URL answers 200 in time, 1 if it answers anything else,
4 if it does not answer.

example:
  bouncekeeper healthcheck http://127.0.0.1:8026/readyz
"""
    parser.add_argument("url", metavar="URL", help="for example http://127.0.0.1:8026/readyz")
    parser.add_argument("--timeout-seconds", type=seconds_argument, default=5.0, help="(default %(default)s)")
    parser.add_argument("--json", action="store_true", help="prints JSON, for scripts")


def _run(arguments: Namespace) -> int:
    if urlsplit(arguments.url).scheme not in {"http", "https"}:
        _print(arguments, 0, f"{arguments.url} is not an http URL")
        return ExitCode.USAGE
    try:
        with urllib.request.urlopen(arguments.url, timeout=arguments.timeout_seconds) as answer:  # noqa: S310 - http only
            _print(arguments, answer.status, answer.read(_SHOWN_BYTES).decode(errors="replace"))
            return ExitCode.OK
    except urllib.error.HTTPError as error:
        _print(arguments, error.code, error.read(_SHOWN_BYTES).decode(errors="replace"))
        return ExitCode.NO
    except OSError as error:  # also URLError
        _print(arguments, 0, f"no answer: {error}")
        return ExitCode.UNAVAILABLE


def _print(arguments: Namespace, status: int, text: str) -> None:
    if arguments.json:
        print_json({"url": arguments.url, "http_status": status, "answer": text})
    else:
        print(f"{status or 'unreachable'} {text.strip()}")  # noqa: T201 - the output


COMMANDS = {"healthcheck": Command(_configure, _run)}

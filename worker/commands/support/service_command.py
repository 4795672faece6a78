"""Shared by the commands that run one service per process."""

import asyncio
import importlib
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable

from worker.commands.catalogue import Command
from worker.commands.support.running import run_service
from worker.commands.support.service_needs import SERVICE_NEEDS
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.settings.tree import Settings


def service_command(
    name: str,
    *,
    description: str,
    service: str = "",
) -> Command:
    """The command that runs the service of the room with its name until a signal stops it.

    For `receiver` that is run_receiver in worker/receiver/service.py, unless `service` names another function, as
    `module:function`. It reads the sections that SERVICE_NEEDS names.
    """
    needs = SERVICE_NEEDS[name]

    def configure(parser: ArgumentParser) -> None:
        parser.description = description
        parser.epilog = "SIGTERM or Ctrl-C ends it after its accepted work; a second one ends it at once."
        add_shared_flags(parser)
        add_setting_flags(parser, needs)

    def run_command(arguments: Namespace) -> int:
        settings = settings_of(arguments, needs=needs)
        run = _find_service(service or f"worker.{name}.service:run_{name}")
        return run_service(settings, name, lambda stop: run(settings, stop))

    return Command(configure, run_command)


def _find_service(place: str) -> Callable[[Settings, asyncio.Event], Awaitable[None]]:
    """Imports the service, which takes time that `--help` has not."""
    module, function = place.split(":")
    service: Callable[[Settings, asyncio.Event], Awaitable[None]] = getattr(importlib.import_module(module), function)
    return service

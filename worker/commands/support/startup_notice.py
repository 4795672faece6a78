"""The message of `up` and `stack` once everything listens: the URLs to post to and the commands to try."""

import os
import shlex
import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.queue_topology import CONTACTS_EXCHANGE
from worker.commands.support.first_run import TOKEN_NAME
from worker.commands.support.listeners import base_url
from worker.commands.support.output import print_json, print_line, print_to_copy
from worker.commands.support.setting_flags import overrides_of
from worker.providers.mail.imap_options import can_be_posted_to, imap_mailbox
from worker.settings.configuration_file import FOLDER_VARIABLE, find_config_file
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.policies import PolicyState


def print_startup_notice(
    settings: Settings,
    arguments: Namespace,
    *,
    config_file: Path,
    broker_url_file: Path | None = None,
    policy: "PolicyState | None" = None,
) -> None:
    """Prints the message and flushes, because readers of a pipe wait for it. Consumers read `broker_url_file`.

    `policy` is what came of the configuration's policy at this start.
    """
    if arguments.json:
        print_json({**_for_scripts(settings, config_file, broker_url_file), **_policy_for_scripts(policy)})
    else:
        _print_for_people(settings, arguments, config_file, broker_url_file)
        if policy is not None and policy.applied:
            _print_policy(policy)
    sys.stdout.flush()


def _policy_for_scripts(policy: "PolicyState | None") -> dict[str, object]:
    if policy is None:
        return {}
    return {
        "policy": {"id": policy.active.id, "name": policy.active.policy.name, "applied": policy.applied},
        **({"job_id": policy.job_id} if policy.job_id is not None else {}),
    }


def _print_policy(policy: "PolicyState") -> None:
    print_line(f"Policy {policy.active.id}, {policy.active.policy.name}, is in force from now on.")
    if policy.job_id is not None:
        program = _program(from_anywhere=False)
        print_to_copy(f"  {program} jobs watch {policy.job_id}    # contacts of the former one are folded again")
    print_line()


def _for_scripts(settings: Settings, config_file: Path, broker_url_file: Path | None) -> dict[str, object]:
    return {
        "ready": True,
        "sources": _webhook_urls(settings),
        "receiver": base_url(settings.receiver.host, settings.receiver.port),
        "api": base_url(settings.api.host, settings.api.port),
        "queue": settings.queue.adapter,
        **({"broker_url_file": str(broker_url_file)} if broker_url_file else {}),
        "config_file": str(config_file),
        "data_directory": settings.data_directory,
    }


def _print_for_people(
    settings: Settings, arguments: Namespace, config_file: Path, broker_url_file: Path | None
) -> None:
    print_line()
    print_line("Bouncekeeper is running.", style="bold green")
    print_line()
    mailboxes = {source.name: mailbox.place for source in settings.sources if (mailbox := imap_mailbox(source))}
    for heading, places in (("Your ESPs post to", _webhook_urls(settings)), ("Mail is fetched from", mailboxes)):
        if places:
            print_line(heading)
            width = max(len(name) for name in places)
            for name, place in places.items():
                print_to_copy(f"  {name:<{width}}  {place}")
    if not settings.sources:
        print_to_copy(f"No source is configured yet: add your ESPs to {config_file}, then start again.")
        print_line("To see it work first, in another terminal:")
        print_to_copy(f"  {_program(from_anywhere=False)} demo")
    print_line()
    _print_next_steps(settings, arguments, config_file)
    if broker_url_file is not None:
        _print_broker(settings, broker_url_file)
    print_to_copy(f"Configuration: {config_file}    Data: {settings.data_directory}    End with Ctrl-C.")
    print_line()


def _print_next_steps(settings: Settings, arguments: Namespace, config_file: Path) -> None:
    api = base_url(settings.api.host, settings.api.port)
    flags = flags_to_find(config_file, named_folder=overrides_of(arguments).get("data_directory"))
    program = _program(from_anywhere=bool(flags))
    print_line("Look at")
    print_line(f"  {api}/readyz     what is missing, if anything")
    print_line(f"  {api}/metrics    for Prometheus")
    print_to_copy(f"  {shlex.join([program, 'check', 'jane@example.org', *flags])}    # may I mail her?")
    print_to_copy(f"  {shlex.join([program, 'doctor', *flags])}                    # is all well?")
    print_to_copy(
        f"  {shlex.join([program, 'report', '--since', '7d', '--output', 'report.html', *flags])}    # what came of it?"
    )
    token = Path(settings.data_directory) / TOKEN_NAME
    if token.exists():
        print_to_copy(
            f"  {shlex.join([program, 'watch', '--url', api, '--token-file', str(token)])}    # what happens now?"
        )
        print_to_copy(
            f'  curl -H "Authorization: Bearer $(cat {shlex.quote(str(token))})" '
            f"""-d '{{"addresses": ["jane@example.org"]}}' {api}/v1/check"""
        )
    if not flags:
        from_anywhere = [_program(from_anywhere=True), "doctor", "--config", str(config_file.absolute())]
        print_to_copy(f"  {shlex.join(from_anywhere)}    # the same from any other folder")
    print_line()


def _print_broker(settings: Settings, url_file: Path) -> None:
    from worker.local_services.rabbitmq import without_password  # noqa: PLC0415 - imports the broker's library

    url = "" if settings.queue.url is None else without_password(settings.queue.url.reveal())
    print_line("Consumers of status changes connect to RabbitMQ")
    print_line(f"  {url}    exchange {CONTACTS_EXCHANGE}")
    print_to_copy(f"  cat {shlex.quote(str(url_file))}    # the same with user and password")
    print_line()


def flags_to_find(config_file: Path, *, named_folder: str | None) -> list[str]:
    """The flags by which another command finds the same configuration and data folder."""
    default_file = find_config_file(flag=None, environment=os.environ)
    flags = []
    if default_file is None or default_file.resolve() != config_file.resolve():
        flags += ["--config", str(config_file.absolute())]
    beside = config_file.parent.resolve()
    if named_folder is not None and (Path(named_folder).resolve() != beside or FOLDER_VARIABLE in os.environ):
        flags += ["--data-directory", str(Path(named_folder).absolute())]
    return flags


def _webhook_urls(settings: Settings) -> dict[str, str]:
    receiver = base_url(settings.receiver.host, settings.receiver.port)
    return {
        source.name: f"{receiver}/webhooks/{source.name}" for source in settings.sources if can_be_posted_to(source)
    }


def _program(*, from_anywhere: bool) -> str:
    """The name or path by which the reader's shell finds this program, which may not be on the PATH."""
    program = Path(sys.argv[0])
    if program.name != "bouncekeeper" or shutil.which(program.name):
        return "bouncekeeper"
    relative = os.path.relpath(program)
    return str(program.absolute()) if from_anywhere or relative.startswith("..") else relative

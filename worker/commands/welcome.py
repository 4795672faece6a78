"""What `up` and `stack` say once everything listens: where to post, and what to look at."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from worker.commands.first_run import TOKEN_NAME
from worker.commands.output import print_json, print_line
from worker.errors import ImpossibleSetting
from worker.local_services.process import listens
from worker.providers.mail.imap_options import can_be_posted_to, imap_mailbox
from worker.settings_tree import Settings

_READY_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.05


async def require_free_ports(settings: Settings) -> None:
    """Raises ImpossibleSetting when somebody listens there: on Linux two receivers would share a port unseen."""
    for section, host, port in (
        ("receiver", settings.receiver.host, settings.receiver.port),
        ("api", settings.api.host, settings.api.port),
    ):
        if await listens(port, reachable_host(host)):
            raise ImpossibleSetting(
                f"another program listens on {host}, port {port}: end it, or choose another port with --{section}-port"
            )


async def wait_until_listening(settings: Settings) -> None:
    """Returns once receiver and API accept connections, or when they have had half a minute for it."""
    await asyncio.gather(
        _wait_for_port(settings.receiver.host, settings.receiver.port),
        _wait_for_port(settings.api.host, settings.api.port),
    )


async def _wait_for_port(host: str, port: int) -> bool:
    deadline = asyncio.get_running_loop().time() + _READY_TIMEOUT_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if await listens(port, reachable_host(host)):
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return False


def reachable_host(host: str) -> str:
    """Where to reach what listens on `host`, from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound


def base_url(host: str, port: int) -> str:
    """`http://host:port`, for this machine."""
    name = reachable_host(host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def tell_welcome(settings: Settings, *, config_file: Path | None, as_json: bool) -> None:
    """Prints it, and flushes: whoever reads a pipe waits for this line."""
    receiver, api = (
        base_url(settings.receiver.host, settings.receiver.port),
        base_url(settings.api.host, settings.api.port),
    )
    posts = {
        source.name: f"{receiver}/webhooks/{source.name}" for source in settings.sources if can_be_posted_to(source)
    }
    if as_json:
        print_json(
            {
                "ready": True,
                "sources": posts,
                "receiver": receiver,
                "api": api,
                "config_file": None if config_file is None else str(config_file),
                "data_directory": settings.data_directory,
            }
        )
    else:
        _tell_people(settings, posts, api, config_file)
    sys.stdout.flush()


def _program() -> str:
    """How the reader's shell finds this program: `make run` starts it from a folder that is on nobody's PATH."""
    called = Path(sys.argv[0])
    if called.name != "bouncekeeper" or shutil.which(called.name):
        return "bouncekeeper"
    return os.path.relpath(called)


def _tell_people(settings: Settings, posts: dict[str, str], api: str, config_file: Path | None) -> None:
    print_line()
    print_line("Bouncekeeper is running.", style="bold green")
    print_line()
    fetched = {source.name: mailbox.place for source in settings.sources if (mailbox := imap_mailbox(source))}
    for heading, places in (("Your ESPs post to", posts), ("Mail is fetched from", fetched)):
        if places:
            print_line(heading)
            width = max(len(name) for name in places)
            for name, place in places.items():
                print_line(f"  {name:<{width}}  {place}")
    if not settings.sources:
        print_line(f"No source is configured yet: add your ESPs to {config_file}, then start again.")
        print_line("To see it work first: `make demo` (or `bouncekeeper demo`) in another terminal.")
    print_line()
    print_line("Look at")
    print_line(f"  {api}/readyz     what is missing, if anything")
    print_line(f"  {api}/metrics    for Prometheus")
    program = _program()
    print_line(f"  {program} check jane@example.org      may I mail her?")
    print_line(f"  {program} doctor                      is all well?")
    token = Path(settings.data_directory) / TOKEN_NAME
    if token.exists():
        print_line(
            f'  curl -H "Authorization: Bearer $(cat {token})" '
            f"""-d '{{"addresses": ["jane@example.org"]}}' {api}/v1/check"""
        )
    print_line()
    if config_file is not None:
        print_line(f"Configuration: {config_file}    Data: {settings.data_directory}    End with Ctrl-C.")
    print_line()

"""`python -m tests.deploy.containers`: runs docker-compose.yml whole, with stand-in images, and keeps a ledger of it.

Posts webhooks throughout upgrades and the loss of each part, and compares what was answered with what is in effect.
Exit code 0 if every promise was kept, 1 if not, 77 where it cannot run (it says why). As root, on Debian or the like.
The first run takes some minutes more, to make a Debian for the images in the work folder.
"""

import argparse
import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

from tests.deploy.containers.engine import Engine, engine
from tests.deploy.containers.ledger import HEADINGS, Ledger
from tests.deploy.containers.machine import why_not_here
from tests.deploy.containers.posting import Esp
from tests.deploy.containers.scenes import LOOKS, LOSSES, UPGRADES, Happening
from tests.deploy.containers.stack import SOURCE, Stack
from tests.deploy.containers.stand_ins import build_images, fetch_wheels, make_compose_plugin, make_root
from tests.surroundings import REPOSITORY

DID_NOT_RUN = 77
_INSIDE = "--in-namespace"
_UPGRADE_POSTS = 1_500
_POSTS = 300
# A front that reads its configuration again, or dies, closes connections that callers keep open. So does HAProxy to
# the few whose receiver ends just then while no other is left.
_MAY_CUT = {
    "upgrade after an edited front",
    "loss of the front",
    "loss of all receivers",
    "plain up after an edited configuration",
}


def main() -> int:
    """Runs all, or says why not."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.containers", description=__doc__)
    parser.add_argument(
        "--work", type=Path, default=REPOSITORY / ".services" / "containers", help="what is made once is kept here"
    )
    parser.add_argument(_INSIDE, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if (reason := why_not_here()) is not None:
        print(f"docker-compose.yml was NOT run: {reason}", flush=True)
        return DID_NOT_RUN
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    root = make_root(work)
    plugin = make_compose_plugin(work, root)
    if not arguments.in_namespace:
        fetch_wheels(work)
        words = [sys.executable, "-m", "tests.deploy.containers", "--work", str(work), _INSIDE]
        return subprocess.run(["unshare", "--net", *words], check=False).returncode
    signal.signal(signal.SIGTERM, _end)  # so that what was started is ended
    with engine(work, plugin) as started:
        build_images(started, root, work / "wheels")
        return _run(started)


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _run(started: Engine) -> int:
    folder = Path(mkdtemp(prefix="checkout-", dir=started.work))
    folder.chmod(0o755)
    stack = Stack(started, folder)
    try:
        stack.check_out()
        for look in LOOKS:
            print(f"{look.__name__.replace('_', ' ')}: {look(stack)}", flush=True)
        esp = Esp(stack.sender, SOURCE, stack.api_token)
        print(HEADINGS, flush=True)
        broken = []
        for scenes, at_least in ((UPGRADES, _UPGRADE_POSTS), (LOSSES, _POSTS)):
            for name, happening in scenes.items():
                ledger = Ledger(
                    scene=name,
                    asks_once=scenes is UPGRADES,
                    may_refuse=name == "loss of the front",
                    may_cut=name in _MAY_CUT,
                )
                _play(stack, esp, ledger, happening, at_least)
                broken += ledger.broken
        print("\n".join(broken) if broken else "every promise was kept", flush=True)
        return 1 if broken else 0
    finally:
        stack.compose("down", "--volumes", "--timeout", "5", check=False)
        shutil.rmtree(folder)


def _play(stack: Stack, esp: Esp, ledger: Ledger, happening: Happening, at_least: int) -> None:
    asyncio.run(esp.post_during(ledger, lambda: happening(stack), at_least=at_least))
    print(ledger.row(), flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Stands in for the programs `docker` and `docker compose` as deploy/upgrade calls them; containers are in a file.

It reads and writes the JSON file that DOCKER_STATE names: `containers`, each with id, service, version and whether it
runs; `version`, which new ones are made of; and `next_up`, what happens to the next `up`.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

FILE = Path(os.environ["DOCKER_STATE"])


def main(words: list[str]) -> int:
    """Exit code of the command."""
    state = json.loads(FILE.read_text())
    code = compose(state, words[1:]) if words[0] == "compose" else engine(state, words)
    FILE.write_text(json.dumps(state))
    return code


def engine(state: dict[str, Any], words: list[str]) -> int:
    """`docker inspect`, `image inspect`, `stop` and `rm`."""
    containers = {container["id"]: container for container in state["containers"]}
    match words:
        case ["image", "inspect", *_]:
            print("image")
        case ["inspect", "--format", wanted, name]:
            print(f"{containers[name]['version']} image" if "config-hash" in wanted else "bouncekeeper:local")
        case ["stop", name]:
            containers[name]["runs"] = False
        case ["rm", *force, name] if force or not containers[name]["runs"]:
            state["containers"].remove(containers[name])
        case _:
            return 1
    return 0


def compose(state: dict[str, Any], words: list[str]) -> int:
    """`docker compose`, with or without the profile."""
    match words[2:] if words[:1] == ["--profile"] else words:
        case ["version"] | ["build" | "run", *_]:
            pass
        case ["config", "--hash", service]:
            print(service, state["version"] if service == "receiver" else "same")
        case ["ps", *options, service]:
            for container in state["containers"]:
                if container["service"] == service and (container["runs"] or "--all" in options):
                    print(container["id"])
        case ["exec", *_, "front", "sh", "-c", _]:
            pass
        case ["exec", *_, "front", "bash", "-c", _]:
            print(sum(container["runs"] for container in state["containers"] if container["service"] == "receiver"))
        case ["up", *_, "--scale", scale, "receiver"]:
            return up(state, int(scale.removeprefix("receiver=")))
        case _:
            return 1
    return 0


def up(state: dict[str, Any], wanted: int) -> int:
    """Starts what stands, and makes what lacks; then what `next_up` says."""
    receivers = [container for container in state["containers"] if container["service"] == "receiver"]
    for container in receivers:
        container["runs"] = True
    for _ in range(wanted - len(receivers)):
        state["made"] += 1
        made = {"id": f"made-{state['made']}", "service": "receiver", "version": state["version"], "runs": True}
        state["containers"].append(made)
    happening, state["next_up"] = state["next_up"], "works"
    if happening.startswith("SIG"):
        FILE.write_text(json.dumps(state))  # before the caller can end
        os.kill(os.getppid(), signal.Signals[happening])
        sys.exit(0)
    return 1 if happening == "fails" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What happens to the stack, scene by scene; each returns what it has seen, and raises AssertionError otherwise."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import yaml

from tests.deploy.containers.stack import SOURCE, Stack
from tests.waiting import wait_until

_OURS = ("receiver", "processor", "api")
_ALL = ("postgres", "rabbitmq", *_OURS, "front")
_READYZ_SECONDS = 6.0
_READYZ = "http://127.0.0.1:8026/readyz"

Happening = Callable[[Stack], None]


def unreadable_secret(stack: Stack) -> str:
    """A secret of mode 600 ends the start with one message, and nothing runs that would be restarted for ever."""
    done = stack.engine.tried("docker", "compose", "up", "--build", "--detach", folder=stack.folder)
    assert done.returncode != 0
    said = stack.compose("logs", "migrate")
    assert said.count(f"/run/secrets/{SOURCE}, which user 10001 may not read") == 1, said
    assert "deploy/make-secrets" in said
    (migrate,) = stack.containers("migrate", all_of_them=True)
    state = stack.engine.inspect(migrate)
    assert (state["State"]["ExitCode"], state["RestartCount"]) == (3, 0)
    assert not [service for service in _OURS if stack.containers(service)]
    assert set(stack.health("front")) <= {"starting", "unhealthy"}
    return "one message with the remedy, exit code 3, no restart, no service of ours started"


def start(stack: Stack) -> str:
    """After the remedy everything becomes healthy."""
    started = time.monotonic()
    stack.run("deploy/make-secrets")
    stack.run("docker", "compose", "up", "--detach", "--scale", "receiver=3")
    stack.wait_until_healthy(*_ALL)
    wait_until(lambda: stack.used_receivers() == 3, "the front to use three receivers", seconds=60)
    return f"everything is healthy after {time.monotonic() - started:.0f} s, three receivers are used"


def rights(stack: Stack) -> str:
    """Each container has its limits; ours and the front may do nothing that they need not."""
    memory = 0
    for service in (*_ALL, "migrate"):
        for container in stack.containers(service, all_of_them=True):
            host = stack.engine.inspect(container)["HostConfig"]
            assert host["Memory"] > 0, service
            assert host["PidsLimit"] > 0, service
            assert host["LogConfig"]["Config"]["max-size"], service
            assert host["CapDrop"] == ["ALL"], service
            assert host["SecurityOpt"] == ["no-new-privileges:true"], service
            assert host["ReadonlyRootfs"] or service in {"postgres", "rabbitmq"}, service
            memory += host["Memory"] if service != "migrate" else 0
    reach = "exec 3<>/dev/tcp/{}"
    stranger = (
        "docker",
        "run",
        "--rm",
        "--network",
        "bouncekeeper_consumers",
        "stand-in",
        "timeout",
        "5",
        "bash",
        "-c",
    )
    stack.run(*stranger, reach.format("rabbitmq/5672"))
    for place in ("postgres/5432", "receiver/8025", "api/8026"):
        assert stack.engine.tried(*stranger, reach.format(place)).returncode != 0, place
    return f"all limited, {memory >> 20} MiB together at most; readers of the changes reach RabbitMQ alone"


def doctor(stack: Stack) -> str:
    """In the API's container it finds the receiver, and no error is in the log of Postgres."""
    said = stack.compose("exec", "--no-TTY", "api", "bouncekeeper", "doctor")
    for what in ("receiver: ready at http://receiver:8025", "api: ready at http://api:8026"):
        assert f"✓ {what}" in said, said
    assert "✗" not in said, said
    errors = [line for line in stack.compose("logs", "postgres").splitlines() if "ERROR" in line]
    assert not errors, errors
    (migrate,) = stack.containers("migrate", all_of_them=True)
    for line in stack.run("docker", "logs", migrate).splitlines():
        assert json.loads(line)["event"]
    return "nothing is wrong; Postgres has logged no error, and migrate JSON lines alone"


def mailbox(stack: Stack) -> str:
    """Without a mailbox it waits."""
    stack.compose("up", "--detach", "--no-deps", "mailbox")
    stack.wait_until_healthy("mailbox")
    (container,) = stack.containers("mailbox")
    assert stack.engine.inspect(container)["RestartCount"] == 0
    assert stack.compose("logs", "mailbox").count("mailbox.not_configured") == 1
    return "healthy, never restarted, says once that there is nothing to fetch"


def hanging_postgres(stack: Stack) -> str:
    """The API's /readyz answers while Postgres takes connections and says nothing."""
    (postgres,) = stack.containers("postgres")
    stack.run("docker", "pause", postgres)
    try:
        started = time.monotonic()
        try:
            urllib.request.urlopen(_READYZ, timeout=30).close()
            status = 200
        except urllib.error.HTTPError as answer:
            status = answer.code
        seconds = time.monotonic() - started
    finally:
        stack.run("docker", "unpause", postgres)
    assert status == 503
    assert seconds < _READYZ_SECONDS, seconds
    return f"503 after {seconds:.1f} s"


def upgrade(stack: Stack) -> None:
    """The one command, with another image."""
    stack.make_new_version()
    services = (*_ALL, "mailbox")
    before = {service: set(stack.containers(service)) for service in services}
    stack.run("deploy/upgrade")
    after = {service: set(stack.containers(service)) for service in services}
    for service in (*_OURS, "mailbox"):
        assert not before[service] & after[service], f"an old {service} still runs"
        assert len(before[service]) == len(after[service]), service
    for service in ("front", "rabbitmq", "postgres"):
        assert before[service] == after[service], f"{service} was replaced"


def edited_configuration(stack: Stack) -> None:
    """The same command after an edit: every process of ours knows the new source."""
    stack.add_to_configuration('[sources.edited]\nprovider = "postmark"\nauthentication = "none"\n')
    stack.run("deploy/upgrade", "--no-build")
    listed = stack.compose("exec", "--no-TTY", "receiver", "bouncekeeper", "sources", "list")
    assert "edited" in listed, listed


def edited_front(stack: Stack) -> None:
    """The front reads its configuration again, and keeps its port."""
    path = stack.folder / "deploy" / "front" / "haproxy.cfg"
    edited = path.with_suffix(".edited")
    edited.write_text(path.read_text().replace("hdr Retry-After 10", "hdr Retry-After 11"))
    edited.replace(path)
    stack.run("deploy/upgrade", "--no-build")


def killed_upgrades(stack: Stack) -> None:
    """`kill -9` leaves receivers that never become ready, then processors half replaced; the next run mends both."""
    services = ("receiver", "processor", "api", "mailbox")
    before = {service: set(stack.containers(service)) for service in services}
    sound = stack.override.read_text()
    broken = yaml.safe_load(sound)
    broken["services"]["receiver"]["entrypoint"] = ["sleep", "600"]
    stack.override.write_text(yaml.safe_dump(broken))
    upgrade = stack.start_to_kill("deploy/upgrade", "--no-build")
    wait_until(lambda: before["receiver"] < set(stack.containers("receiver")), "receivers that do nothing", seconds=60)
    os.killpg(upgrade.pid, signal.SIGKILL)
    upgrade.wait()

    stack.override.write_text(sound)
    stack.make_new_version()
    upgrade = stack.start_to_kill("deploy/upgrade")
    wait_until(
        lambda: set(stack.containers("processor", all_of_them=True)) - before["processor"],
        "a new processor",
        seconds=120,
        every_seconds=0.05,
    )
    upgrade.kill()  # the script alone: `docker compose` goes on without it
    upgrade.wait()

    said = stack.run("deploy/upgrade", "--no-build")
    assert "an earlier run was cut short: receivers of 2 versions run; 3 of this one are to run" in said, said
    for service in services:
        after = set(stack.containers(service, all_of_them=True))
        assert not before[service] & after, f"an old {service} is still there"
        assert len(before[service]) == len(after), service
    stack.wait_until_healthy(*services)


def plain_up_after_an_edit(stack: Stack) -> None:
    """`docker compose up` sees an edit too, and puts all receivers in the place of the old ones at once."""
    before = set(stack.containers("receiver"))
    stack.add_to_configuration("# edited\n")
    stack.run("deploy/make-secrets")
    stack.run("docker", "compose", "up", "--detach")
    assert not before & set(stack.containers("receiver"))
    stack.wait_until_healthy(*_ALL)


def loss_of(service: str) -> Happening:
    """One container of the service crashes; the engine starts it again."""

    def happen(stack: Stack) -> None:
        container = stack.containers(service)[0]
        restarts = stack.engine.inspect(container)["RestartCount"]
        stack.crash(container)
        wait_until(
            lambda: stack.engine.inspect(container)["RestartCount"] > restarts, f"{service} to be restarted", seconds=60
        )
        stack.wait_until_healthy(service)

    return happen


def loss_of_all_receivers(stack: Stack) -> None:
    """The front says 503 until one is back, and is not healthy meanwhile."""
    stack.compose("stop", "receiver")
    wait_until(lambda: stack.health("front") == ["unhealthy"], "the front to be unhealthy", seconds=60)
    stack.compose("start", "receiver")
    stack.wait_until_healthy("receiver", "front")


# What only looks, in its order; then what happens while webhooks are posted.
LOOKS = (unreadable_secret, start, rights, doctor, mailbox, hanging_postgres)
UPGRADES = {
    "upgrade to another image, three receivers": upgrade,
    "upgrade after an edited configuration": edited_configuration,
    "upgrade after an edited front": edited_front,
    "upgrade after two that were killed": killed_upgrades,
}
LOSSES = {
    "loss of the front": loss_of("front"),
    **{f"loss of {service}": loss_of(service) for service in ("receiver", "processor", "api", "rabbitmq", "postgres")},
    "loss of all receivers": loss_of_all_receivers,
    "plain up after an edited configuration": plain_up_after_an_edit,
}

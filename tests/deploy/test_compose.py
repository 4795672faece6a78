"""docker-compose.yml says what the program understands, and gives no container more than it needs."""

import asyncio
import shutil
import stat
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.api.serving import serving
from tests.docs.pages import REPOSITORY
from worker.commands.catalogue import COMMANDS
from worker.local_services.process import free_port
from worker.settings.configuration import load_settings
from worker.settings.declarations import setting_declarations

OURS = {"receiver", "processor", "mailbox", "api"}
SERVICES = {*OURS, "front", "migrate", "rabbitmq", "postgres"}
# What images that start as root need until they have become another user.
CAPABILITIES = {
    "rabbitmq": {"CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"},
    "postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
}
KNOWN_VARIABLES = {
    name
    for declaration in setting_declarations()
    for name in (declaration.environment_name, *([declaration.file_environment_name] if declaration.secret else []))
}
Compose = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Compose:
    loaded: Compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What deploy/make-secrets needs of a checkout."""
    (tmp_path / "deploy" / "secrets").mkdir(parents=True)
    for name in ("make-secrets", "note-configuration", "bouncekeeper.toml"):
        shutil.copy(REPOSITORY / "deploy" / name, tmp_path / "deploy")
    return tmp_path


def make_secrets(checkout: Path) -> dict[str, str]:
    subprocess.run([checkout / "deploy" / "make-secrets"], check=True, capture_output=True)
    return {path.name: path.read_text() for path in (checkout / "deploy" / "secrets").iterdir()}


def memory_bytes(text: str) -> int:
    return int(text[:-1]) << {"m": 20, "g": 30}[text[-1]]


class TestTopology:
    def test_every_part_is_there(self, compose: Compose) -> None:
        services = compose["services"]
        assert {name for name in services if services[name].get("profiles") != ["observability"]} == SERVICES
        assert services["receiver"]["deploy"]["replicas"] == 2
        assert services["processor"]["deploy"]["replicas"] == 2

    def test_everything_that_runs_on_is_watched_and_started_again(self, compose: Compose) -> None:
        for name in SERVICES - {"migrate"}:
            service = compose["services"][name]
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"][0] == "CMD", name

    def test_a_migration_that_cannot_succeed_is_tried_once_and_nobody_starts_without_it(self, compose: Compose) -> None:
        migrate = compose["services"]["migrate"]
        assert migrate["restart"] == "no"
        # What is wrong with a secret of a source is said here, once, and not by every service again and again.
        assert migrate["command"] == ["migrate", "--require-whole-configuration"]
        for name in OURS:
            depends_on = compose["services"][name]["depends_on"]
            assert depends_on["migrate"] == {"condition": "service_completed_successfully"}, name

    def test_the_front_waits_for_nobody(self, compose: Compose) -> None:
        assert "depends_on" not in compose["services"]["front"]

    def test_commands_and_variables_are_ones_that_the_program_knows(self, compose: Compose) -> None:
        for name in (*OURS, "migrate"):
            service = compose["services"][name]
            assert service["command"][0] in COMMANDS
            assert set(service["environment"]) <= KNOWN_VARIABLES

    def test_mailboxes_are_fetched_only_if_their_profile_is_asked_for(self, compose: Compose) -> None:
        assert {name for name in SERVICES if "profiles" in compose["services"][name]} == {"mailbox"}
        assert compose["services"]["mailbox"]["profiles"] == ["mailbox"]

    def test_every_file_that_is_mounted_exists(self, compose: Compose) -> None:
        for source in mounted_paths(compose):
            if not source.startswith("./deploy/secrets/"):
                assert (REPOSITORY / source).exists(), source

    def test_no_folder_of_secrets_is_mounted_whole(self, compose: Compose) -> None:
        secrets = REPOSITORY / "deploy" / "secrets"
        for source in mounted_paths(compose):
            assert not secrets.is_relative_to((REPOSITORY / source).resolve()), source

    @pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
    def test_compose_itself_understands_it(self, compose: Compose) -> None:
        done = subprocess.run(
            ["docker-compose", "--profile", "mailbox", "config", "--services"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        # Some versions name the services of all profiles.
        assert SERVICES <= set(done.stdout.split()) <= set(compose["services"])


def mounted_paths(compose: Compose) -> Iterator[str]:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                yield source


class TestHealthChecks:
    def test_each_asks_where_its_service_listens(self, compose: Compose) -> None:
        ports = {"receiver": "8025", "api": "8026"}
        for name, section in (("processor", "PROCESSOR"), ("mailbox", "MAILBOX")):
            ports[name] = compose["services"][name]["environment"][f"BOUNCEKEEPER_{section}_PORT"]
        for name in OURS:
            assert compose["services"][name]["healthcheck"]["test"][-1] == ports[name], name

    async def test_a_process_of_ours_is_healthy_while_it_answers_and_unhealthy_else(self, compose: Compose) -> None:
        test = compose["services"]["processor"]["healthcheck"]["test"]
        unused = free_port()
        for status, expected in ((200, 0), (503, 1)):

            async def healthz(_request: web.Request, status: int = status) -> web.Response:
                return web.Response(status=status)

            app = web.Application()
            app.router.add_get("/healthz", healthz)
            async with serving(app) as url:
                assert await exit_status(test, url.rpartition(":")[2]) == expected
        assert await exit_status(test, str(unused)) != 0

    def test_postgres_is_asked_over_tcp_where_it_does_not_listen_while_its_image_makes_the_database(
        self, compose: Compose
    ) -> None:
        test = compose["services"]["postgres"]["healthcheck"]["test"]
        assert test[test.index("--host") + 1] == "127.0.0.1"

    def test_rabbitmq_is_asked_by_its_own_user_so_that_no_cookie_is_made_by_root(self, compose: Compose) -> None:
        assert compose["services"]["rabbitmq"]["healthcheck"]["test"][:4] == [
            "CMD",
            "gosu",
            "rabbitmq",
            "rabbitmq-diagnostics",
        ]

    def test_doctor_is_told_where_receiver_and_api_are_in_whichever_container_it_runs(self, compose: Compose) -> None:
        for name in (*OURS, "migrate"):
            environment = compose["services"][name]["environment"]
            for other, port in (("receiver", 8025), ("api", 8026)):
                assert environment[f"BOUNCEKEEPER_{other.upper()}_REACHED_AT"] == f"http://{other}:{port}"


async def exit_status(test: list[str], port: str) -> int:
    """Of the check, as the engine runs it, at another port."""
    assert test[0] == "CMD"
    words = [*(word.replace("$$", "$") for word in test[1:-1]), port]
    check = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
    return await asyncio.wait_for(check.wait(), timeout=20)


class TestRights:
    def test_no_container_has_rights_that_it_need_not_have(self, compose: Compose) -> None:
        for name, service in compose["services"].items():
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert set(service.get("cap_add", ())) <= CAPABILITIES.get(name, set()), name
            assert not service.get("privileged"), name
        for name in {*OURS, "migrate", "front"}:
            assert compose["services"][name]["read_only"] is True, name

    def test_every_container_has_a_limit_of_memory_of_processes_and_of_its_log(self, compose: Compose) -> None:
        for name, service in compose["services"].items():
            assert memory_bytes(service["mem_limit"]) <= memory_bytes("4g"), name
            assert service["pids_limit"] <= 1024, name
            assert service["logging"] == {"driver": "json-file", "options": {"max-size": "50m", "max-file": "5"}}, name
            # Without a size it may take half of the machine's memory, and what it takes counts as the container's.
            (mount,) = service["tmpfs"]
            assert "size=64m" in mount.partition(":")[2].split(","), name

    def test_rabbitmq_stops_publishers_before_its_container_has_no_memory_left(self, compose: Compose) -> None:
        (line,) = (
            line
            for line in (REPOSITORY / "deploy" / "rabbitmq.conf").read_text().splitlines()
            if line.startswith("vm_memory_high_watermark")
        )
        name, _, value = line.partition(" = ")
        assert name == "vm_memory_high_watermark.absolute"
        assert value.endswith("MiB")
        share = (int(value.removesuffix("MiB")) << 20) / memory_bytes(compose["services"]["rabbitmq"]["mem_limit"])
        assert 0.4 <= share <= 0.7


class TestNetworks:
    def test_the_receivers_believe_the_front_alone_about_the_callers_address(self, compose: Compose) -> None:
        front, receiver = compose["services"]["front"], compose["services"]["receiver"]
        address = front["networks"]["edge"]["ipv4_address"]
        assert receiver["environment"]["BOUNCEKEEPER_RECEIVER_TRUSTED_PROXIES"] == address
        assert members(compose, "edge") == {"front", "receiver"}
        edge = compose["networks"]["edge"]
        (addresses,) = edge["ipam"]["config"]
        assert edge["internal"] is True
        assert ip_address(address) in ip_network(addresses["subnet"])
        # Nobody is given the front's address while it is away.
        assert ip_address(address) not in ip_network(addresses["ip_range"])
        assert ip_network(addresses["ip_range"]).subnet_of(ip_network(addresses["subnet"]))  # type: ignore[arg-type]

    def test_postgres_is_in_an_inner_network_alone_and_the_front_is_not_in_it(self, compose: Compose) -> None:
        assert compose["networks"]["stores"] == {"internal": True}
        assert compose["services"]["postgres"]["networks"] == ["stores"]
        assert {*OURS, "migrate", "rabbitmq", "postgres"} <= members(compose, "stores")
        assert "front" not in members(compose, "stores")

    def test_readers_of_the_status_changes_reach_the_broker_and_nothing_else(self, compose: Compose) -> None:
        assert members(compose, "consumers") == {"rabbitmq"}
        assert not (compose["networks"]["consumers"] or {}).get("internal")

    def test_the_receivers_port_is_published_by_the_front_alone(self, compose: Compose) -> None:
        published = {name: compose["services"][name].get("ports") for name in SERVICES}
        assert {name: ports for name, ports in published.items() if ports} == {
            "front": ["8025:8025"],
            "api": ["127.0.0.1:8026:8026"],
        }

    def test_the_front_lets_nothing_but_webhooks_and_unsubscribe_links_through(self) -> None:
        configuration = (REPOSITORY / "deploy" / "front" / "haproxy.cfg").read_text()
        frontend = configuration.partition("frontend webhooks")[2].partition("frontend ")[0]
        rules = [line.strip() for line in frontend.splitlines()]
        assert "http-request deny deny_status 404 unless { path_beg /webhooks/ /u/ }" in rules

    def test_the_front_has_room_for_twice_the_receivers(self, compose: Compose) -> None:
        configuration = (REPOSITORY / "deploy" / "front" / "haproxy.cfg").read_text()
        (line,) = (line for line in configuration.splitlines() if "server-template" in line)
        assert int(line.split()[2]) >= 2 * 10
        assert compose["services"]["receiver"]["deploy"]["replicas"] <= 10


def members(compose: Compose, network: str) -> set[str]:
    return {name for name, service in compose["services"].items() if network in service.get("networks", ["default"])}


class TestSecrets:
    def test_they_come_from_files_that_make_secrets_makes_once(self, compose: Compose, checkout: Path) -> None:
        made = make_secrets(checkout)
        secrets = checkout / "deploy" / "secrets"
        for name, secret in compose["secrets"].items():
            assert secret == {"file": f"./deploy/secrets/{name}"}
            assert made[name]
        assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
        assert make_secrets(checkout) == made
        settings = load_settings(
            config_file=REPOSITORY / "deploy" / "bouncekeeper.toml",
            environment={
                "BOUNCEKEEPER_POSTGRES_URL_FILE": str(secrets / "postgres_url"),
                "BOUNCEKEEPER_QUEUE_URL_FILE": str(secrets / "queue_url"),
                "BOUNCEKEEPER_API_TOKENS_FILES": str(secrets / "api_token"),
            },
            overrides={},
        )
        assert settings.receiver.host == settings.api.host == "0.0.0.0"  # noqa: S104 - compared, not bound

    def test_make_secrets_lets_the_containers_read_a_secret_that_somebody_else_has_put_there(
        self, checkout: Path
    ) -> None:
        own = checkout / "deploy" / "secrets" / "sendgrid"
        own.write_text("whsec")
        own.chmod(0o600)
        make_secrets(checkout)
        assert stat.S_IMODE(own.stat().st_mode) == 0o644
        assert own.read_text() == "whsec"

    def test_none_is_ever_committed(self) -> None:
        assert (REPOSITORY / "deploy" / "secrets" / ".gitignore").read_text() == "*\n!.gitignore\n"


class TestConfiguration:
    """An edited configuration makes another label, so that `docker compose up` makes the containers anew."""

    def test_the_label_of_ours_holds_its_checksum(self, compose: Compose) -> None:
        for name in (*OURS, "migrate"):
            labels = compose["services"][name]["labels"]
            assert "${BOUNCEKEEPER_CONFIGURATION_CHECKSUM:-" in labels["bouncekeeper.configuration"], name

    @pytest.mark.parametrize("edited", ["bouncekeeper.toml", "secrets/api_token", "secrets/sendgrid"])
    def test_an_edit_changes_the_checksum_and_nothing_else_does(self, checkout: Path, edited: str) -> None:
        make_secrets(checkout)
        before = (checkout / ".env").read_text()
        make_secrets(checkout)
        assert (checkout / ".env").read_text() == before
        with (checkout / "deploy" / edited).open("a") as file:
            file.write("# edited")
        make_secrets(checkout)
        assert (checkout / ".env").read_text() != before

    def test_what_else_is_in_the_environment_file_stays(self, checkout: Path) -> None:
        (checkout / ".env").write_text("COMPOSE_PROFILES=mailbox\nBOUNCEKEEPER_CONFIGURATION_CHECKSUM=old\n")
        make_secrets(checkout)
        profile, checksum = (checkout / ".env").read_text().splitlines()
        assert profile == "COMPOSE_PROFILES=mailbox"
        assert checksum.startswith("BOUNCEKEEPER_CONFIGURATION_CHECKSUM=")
        assert not checksum.endswith("=old")

    def test_what_is_the_operators_own_is_not_seen_by_git(self) -> None:
        for name in (".env", "docker-compose.override.yml", "deploy/secrets/sendgrid"):
            subprocess.run(["git", "check-ignore", "--quiet", name], cwd=REPOSITORY, check=True)

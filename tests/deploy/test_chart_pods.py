"""The pods of the Helm chart: what they may do, and that the program starts with what they are given."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.commands.readiness_server import readiness_server
from tests.commands.warm_start import run_command
from tests.deploy.helm_binaries import HelmBinaries
from tests.deploy.rendered_chart import (
    CHART,
    CONFIGURATION,
    EVERYTHING,
    VALUE_SETS,
    Render,
    RenderedChart,
    environment_of,
    render,
    secret_files_of,
)
from tests.docs.pages import REPOSITORY
from worker.commands.catalogue import COMMANDS
from worker.commands.support.exit_code import ExitCode
from worker.samples.sendgrid import SendGridSamples
from worker.settings.configuration import load_settings
from worker.settings.declarations import setting_declarations
from worker.settings.tree import ReceiverSettings

PRE_STOP_SECONDS = 5
RELEASE = {"app.kubernetes.io/name": "bouncekeeper", "app.kubernetes.io/instance": "shop"}
NEEDS = {
    "receiver": {"postgres", "queue", "receiver", "logs", "sources", "unsubscribe"},
    "processor": {"postgres", "queue", "processor", "logs", "sources", "endpoints"},
    "api": {"postgres", "api", "logs", "unsubscribe"},
    "mailbox": {"postgres", "queue", "mailbox", "logs", "sources"},
    "migrate": {"postgres"},
}
SECRETS = {
    "postgres_url": "postgresql://bouncekeeper:pw@postgres:5432/bouncekeeper",
    "queue_url": "amqp://bouncekeeper:pw@rabbitmq:5672/",
    "sendgrid": next(secret.reveal() for secret in SendGridSamples().secrets_for_source()),
    "crm": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


MAILBOX = """
[sources.reports]
provider = "mail"
imap_host = "imap.example.org"
imap_user = "bounces@example.org"
imap_password_file = "/run/secrets/bouncekeeper/imap_password"
"""
SUMMARY = """
[summary]
smtp_user = "bouncekeeper"
smtp_password_file = "/run/secrets/bouncekeeper/summary"
"""
TRACES = """
[traces]
headers_file = "/run/secrets/bouncekeeper/traces"
"""


class TestRights:
    def test_no_pod_has_rights_that_it_does_not_need(self, chart: RenderedChart) -> None:
        for process, pod, container in chart.pods():
            assert pod["enableServiceLinks"] is False, process
            assert pod["automountServiceAccountToken"] is False, process
            assert pod["securityContext"] == {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            }
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }

    def test_every_container_has_requests_and_limits(self, chart: RenderedChart) -> None:
        for process, _, container in chart.pods():
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"]["requests"]), process
            assert {"memory", "ephemeral-storage"} <= set(container["resources"]["limits"]), process

    def test_secrets_are_files_that_only_the_pods_group_reads(self, chart: RenderedChart) -> None:
        for _, pod, container in chart.pods():
            (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "secrets")
            assert volume["projected"]["defaultMode"] == 0o440
            assert all(mount["readOnly"] for mount in container["volumeMounts"] if mount["name"] != "tmp")

    def test_no_secret_is_in_a_config_map_a_variable_or_the_chart(self, chart: RenderedChart) -> None:
        assert not chart.of_kind("Secret")
        for _, _, container in chart.pods():
            for name, value in environment_of(container).items():
                declared = [one for one in setting_declarations() if one.environment_name == name]
                assert not any(one.secret for one in declared), name
                assert "@" not in value, name  # as in a URL with a password
                assert "://" not in value or name.endswith("_REACHED_AT"), name
        for kept in chart.of_kind("ConfigMap"):
            assert set(kept["data"]) == {"bouncekeeper.toml"}

    def test_each_process_is_given_the_secrets_that_it_reads_and_no_others(self, rendered: Render) -> None:
        chart = rendered("everything")
        own = {"postgres_url", "queue_url"}
        assert {process: set(secret_files_of(pod)) for process, pod, _ in chart.pods()} == {
            "receiver": {*own, "sendgrid", "imap_password", "unsubscribe"},
            "processor": {*own, "sendgrid", "imap_password", "crm", "unsubscribe"},
            "api": {*own, "api_token_0", "api_token_1", "unsubscribe"},
            "mailbox": {*own, "sendgrid", "imap_password", "unsubscribe"},
            "migrate": {"postgres_url", "unsubscribe"},
        }

    def test_a_process_may_have_users_of_its_own(self, rendered: Render) -> None:
        chart = rendered("everything")
        urls = {process: secret_files_of(pod)["postgres_url"] for process, pod, _ in chart.pods()}
        assert urls == {
            "receiver": ("postgres-receiver", "url"),
            "processor": ("postgres-processor", "url"),
            "api": ("postgres", "url"),
            "mailbox": ("postgres", "url"),
            "migrate": ("postgres-owner", "url"),
        }
        assert secret_files_of(chart.pod("receiver")[0])["queue_url"] == ("rabbitmq-receiver", "url")

    def test_receivers_believe_nobody_about_the_callers_address_until_somebody_is_named(self, rendered: Render) -> None:
        for _, _, container in rendered("minimal").pods():
            assert "BOUNCEKEEPER_RECEIVER_TRUSTED_PROXIES" not in environment_of(container)
        _, receiver = rendered("everything").pod("receiver")
        assert environment_of(receiver)["BOUNCEKEEPER_RECEIVER_TRUSTED_PROXIES"] == "10.244.0.0/16,fd00::/8"

    def test_who_may_call_is_who_is_named(self, rendered: Render) -> None:
        chart = rendered("everything")
        callers = {
            process: chart.one("NetworkPolicy", f"-{process}")["spec"]["ingress"][0]["from"]
            for process in ("receiver", "processor", "api", "mailbox")
        }
        policy = EVERYTHING["networkPolicy"]
        metrics = policy["metrics"]["from"]
        ours = [{"podSelector": {"matchLabels": RELEASE}}]  # in whichever of them `doctor` runs
        assert callers == {
            "receiver": policy["receiver"]["from"] + metrics + ours,
            "api": policy["api"]["from"] + metrics + ours,
            "processor": metrics,
            "mailbox": metrics,
        }
        minimal = rendered("minimal")
        assert minimal.one("NetworkPolicy", "-processor")["spec"]["ingress"] == []
        assert minimal.one("NetworkPolicy", "-api")["spec"]["ingress"][0]["from"] == [{"podSelector": {}}]
        assert "from" not in minimal.one("NetworkPolicy", "-receiver")["spec"]["ingress"][0]

    def test_doctor_is_told_where_receivers_and_the_api_are_in_whichever_pod_it_runs(
        self, binaries: HelmBinaries, rendered: Render, tmp_path: Path
    ) -> None:
        chart = rendered("everything")
        for process, _, container in chart.pods():
            assert reached(container) == {
                "BOUNCEKEEPER_RECEIVER_REACHED_AT": "http://shop-bouncekeeper-receiver:8025",
                "BOUNCEKEEPER_API_REACHED_AT": "http://shop-bouncekeeper-api:8026",
            }, process
        for url in reached(chart.pod("migrate")[1]).values():
            name, _, port = url.removeprefix("http://").partition(":")
            assert [one["port"] for one in chart.one("Service", name)["spec"]["ports"]] == [int(port)]
        _, processor = rendered("small").pod("processor")
        assert set(reached(processor)) == {"BOUNCEKEEPER_RECEIVER_REACHED_AT"}, "there is no API"
        elsewhere = {"processor": {"settings": {"BOUNCEKEEPER_API_REACHED_AT": "http://api.example.org"}}}
        _, processor = render(binaries, tmp_path, "shop", elsewhere).pod("processor")
        assert reached(processor)["BOUNCEKEEPER_API_REACHED_AT"] == "http://api.example.org"
        names = [variable["name"] for variable in processor["env"]]
        assert len(names) == len(set(names))

    def test_a_restricted_pod_may_still_call_the_receivers_and_the_api(self, rendered: Render) -> None:
        egress = rendered("everything").one("NetworkPolicy", "-egress")["spec"]["egress"]
        assert {
            "to": [{"podSelector": {"matchLabels": RELEASE}}],
            "ports": [{"port": 8025, "protocol": "TCP"}, {"port": 8026, "protocol": "TCP"}],
        } in egress


def documented_processes(section: str) -> list[str]:
    """Which processes the page on values gives a secret of this section."""
    page = (REPOSITORY / "docs" / "kubernetes-values.md").read_text()
    (processes,) = re.findall(rf"`\[([a-z, ]+)\]` for `\[{section}\]`", page)
    return str(processes).split(", ")


def reached(container: dict[str, Any]) -> dict[str, str]:
    """The variables that say where a process is reached."""
    return {name: url for name, url in environment_of(container).items() if name.endswith("_REACHED_AT")}


class TestTheProgramStartsWithIt:
    def test_commands_exist_and_every_part_is_there(self, rendered: Render) -> None:
        chart = rendered("everything")
        assert {process for process, _, _ in chart.pods()} == set(NEEDS)
        for process, _, container in chart.pods():
            assert container["args"] == [process]
            assert process in COMMANDS
        assert {process for process, _, _ in rendered("minimal").pods()} == set(NEEDS) - {"mailbox"}

    @pytest.mark.parametrize("name", VALUE_SETS)
    def test_each_process_reads_its_settings(self, rendered: Render, name: str, tmp_path: Path) -> None:
        """With the files, variables and configuration that its pod has; an unknown one would be a mistake."""
        chart = rendered(name)
        for process, pod, container in chart.pods():
            mounted = tmp_path / process
            mounted.mkdir()
            for file in secret_files_of(pod):
                (mounted / file).write_text(SECRETS.get(file, "a-secret-that-is-long-enough-for-anybody"))
            (configuration,) = (
                one["data"]["bouncekeeper.toml"]
                for one in chart.of_kind("ConfigMap")
                if one["metadata"]["name"] == _config_map_of(pod)
            )
            (mounted / "bouncekeeper.toml").write_text(_moved(configuration, mounted))
            environment = {variable: _moved(value, mounted) for variable, value in environment_of(container).items()}
            settings = load_settings(
                config_file=mounted / "bouncekeeper.toml",
                environment=environment,
                overrides={},
                needs=NEEDS[process],
            )
            assert settings.data_directory == "/tmp"  # noqa: S108 - the pod's own
            if name == "everything" and process == "api":
                assert settings.api.max_bytes_under_way == 67108864
                assert len(settings.api.tokens) == 2
                assert len(settings.unsubscribe.secrets) == 1
            if name == "everything" and process == "processor":
                assert settings.processor.batch_max_events == 100000
                assert settings.logs.show_addresses is True
                assert {source.name for source in settings.sources} == {"sendgrid", "reports"}
            if name == "everything" and process == "receiver":
                assert settings.receiver.drain_seconds == 15.5

    async def test_doctor_finds_nothing_wrong_in_the_pod_that_the_notes_name(
        self, binaries: HelmBinaries, tmp_path: Path, database_dsn: str, rabbitmq_url: str
    ) -> None:
        """With the processes for each secret that the page on values names."""
        values = {
            "config": f"{CONFIGURATION.replace(MAILBOX, '')}{SUMMARY}{TRACES}",
            "secrets": {
                "files": [
                    {"file": "sendgrid", "name": "sendgrid", "key": "public_key"},
                    {"file": "crm", "name": "crm", "key": "secret"},
                    *(
                        {"file": section, "name": section, "key": "secret", "processes": documented_processes(section)}
                        for section in ("unsubscribe", "summary", "traces")
                    ),
                ]
            },
        }
        chart = render(binaries, tmp_path, "shop", values)
        installed = ("install", "shop", CHART, "--dry-run=client", "--values", tmp_path / "values.yaml")
        notes = binaries.run(*installed).stdout.partition("NOTES:")[2]
        ((process, words),) = re.findall(r"exec deploy/shop-bouncekeeper-(\w+) -- bouncekeeper (doctor.*)", notes)
        pod, container = chart.pod(process)
        mounted = secret_files_of(pod)
        assert "unsubscribe" not in mounted
        for file in mounted:
            (tmp_path / file).write_text(
                {**SECRETS, "postgres_url": database_dsn, "queue_url": rabbitmq_url, "traces": "x-key=abc"}.get(
                    file, "a-secret-that-is-long-enough-for-anybody"
                )
            )
        (tmp_path / "bouncekeeper.toml").write_text(
            _moved(chart.one("ConfigMap", "-config")["data"]["bouncekeeper.toml"], tmp_path)
        )
        with readiness_server() as ready:
            environment = {
                **os.environ,
                **{name: _moved(value, tmp_path) for name, value in environment_of(container).items()},
                **dict.fromkeys(reached(container), ready),
                "BOUNCEKEEPER_CONFIG": str(tmp_path / "bouncekeeper.toml"),
                "BOUNCEKEEPER_DATA_DIRECTORY": str(tmp_path),
            }
            done = await asyncio.to_thread(
                run_command, (*words.split(), "--json"), folder=tmp_path, environment=environment
            )
        findings = json.loads(done.output)["findings"]
        assert [finding for finding in findings if finding["level"] == "wrong"] == []
        assert done.status == ExitCode.OK
        (unread,) = (finding for finding in findings if finding["what"] == "secret file")
        assert unread["detail"].startswith("unsubscribe.secrets ")
        assert {"source sendgrid", "receiver", "rabbitmq", "schema", "api"} <= {finding["what"] for finding in findings}

    def test_the_shipped_configuration_fits(self, binaries: HelmBinaries, tmp_path: Path) -> None:
        shipped = (REPOSITORY / "deploy" / "bouncekeeper.toml").read_text()
        chart = render(binaries, tmp_path, "bouncekeeper", {"config": shipped})
        assert chart.one("ConfigMap", "-config")["data"]["bouncekeeper.toml"] == shipped

    def test_another_configuration_makes_other_pods(self, binaries: HelmBinaries, tmp_path: Path) -> None:
        sums = []
        for config in (CONFIGURATION, CONFIGURATION, f"{CONFIGURATION}# changed\n"):
            chart = render(binaries, tmp_path, "bouncekeeper", {"config": config})
            sums.append(
                [
                    one["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
                    for one in chart.of_kind("Deployment")
                ]
            )
        assert sums[0] == sums[1]
        assert not set(sums[0]) & set(sums[2])

    def test_the_migration_comes_first_with_the_configuration_of_the_others(self, rendered: Render) -> None:
        chart = rendered("everything")
        job = chart.one("Job", "-migrate")
        hooks = {one["kind"]: one["metadata"]["annotations"] for one in (job, chart.one("ConfigMap", "-migrate"))}
        for annotations in hooks.values():
            assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
            assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"
        weights = {kind: int(annotations["helm.sh/hook-weight"]) for kind, annotations in hooks.items()}
        assert weights["ConfigMap"] < weights["Job"]
        assert chart.one("ConfigMap", "-migrate")["data"] == chart.one("ConfigMap", "-config")["data"]
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"

    def test_a_pod_is_given_the_time_that_its_process_may_take_to_stop(self, chart: RenderedChart) -> None:
        defaults = ReceiverSettings()
        for process, pod, container in chart.pods():
            if process == "migrate":
                continue
            sleeps = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
            assert sleeps == (["sleep", str(PRE_STOP_SECONDS)] if process in {"receiver", "api"} else [])
            least = PRE_STOP_SECONDS + defaults.drain_seconds + defaults.answer_timeout_seconds
            assert pod["terminationGracePeriodSeconds"] >= least, process

    def test_of_the_mailbox_there_is_never_more_than_one(self, rendered: Render) -> None:
        spec = rendered("everything").one("Deployment", "-mailbox")["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})

    def test_a_drain_takes_one_pod_at_a_time_and_is_never_held_up(self, rendered: Render) -> None:
        budgets = rendered("minimal").of_kind("PodDisruptionBudget")
        assert [one["spec"]["maxUnavailable"] for one in budgets] == [1, 1, 1]


def _config_map_of(pod: dict[str, Any]) -> str:
    (name,) = (volume["configMap"]["name"] for volume in pod["volumes"] if volume["name"] == "config")
    return str(name)


def _moved(text: str, folder: Path) -> str:
    return text.replace("/run/secrets/bouncekeeper", str(folder))

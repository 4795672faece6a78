"""The Helm chart: helm and Kubernetes' own schemas take it, and its parts fit together."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.helm_binaries import NEWEST, OLDEST, HelmBinaries
from tests.deploy.rendered_chart import (
    CHART,
    EVERYTHING,
    VALUE_SETS,
    Render,
    RenderedChart,
    environment_of,
    render,
)
from tests.docs.chart_values import chart_values
from tests.docs.pages import snippets
from tests.properties import few
from worker.process.probes import PROBE_ROUTES
from worker.settings.declarations import setting_declarations

LONGEST_NAME = 63


class TestWhatToolsSay:
    @pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["minimal", "everything"])
    def test_helm_lint_has_nothing_to_say(self, binaries: HelmBinaries, tmp_path: Path, values: dict[str, Any]) -> None:
        (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
        done = binaries.run("lint", "--strict", CHART, "--values", tmp_path / "values.yaml")
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.parametrize("version", [OLDEST, NEWEST])
    @pytest.mark.parametrize("name", few(VALUE_SETS, 2))
    def test_kubernetes_schemas_take_it(
        self, binaries: HelmBinaries, rendered: Render, name: str, version: str
    ) -> None:
        done = binaries.validate(rendered(name).file, version=version)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_a_manifest_with_a_wrong_field_is_refused(
        self, binaries: HelmBinaries, rendered: Render, tmp_path: Path
    ) -> None:
        text = rendered("minimal").file.read_text()
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text(text.replace("terminationGracePeriodSeconds", "terminationGraceSeconds"))
        assert text != wrong.read_text()
        assert binaries.validate(wrong, version=NEWEST).returncode != 0

    @pytest.mark.parametrize(
        ("values", "says"),
        [
            ({"reciever": {}}, "reciever"),
            ({"receiver": {"replicas": "two"}}, "got string, want integer"),
            ({"receiver": {"resources": {"limits": None}}}, "limits"),
            ({"api": {"settings": {"LOG_LEVEL": "debug"}}}, "LOG_LEVEL"),
            ({"receiver": {"settings": {"BOUNCEKEEPER_RECEIVER_PORT": 80}}}, "BOUNCEKEEPER_RECEIVER_PORT"),
            ({"migrate": {"settings": {"BOUNCEKEEPER_POSTGRES_URL": "…"}}}, "BOUNCEKEEPER_POSTGRES_URL"),
            ({"secrets": {"files": [{"file": "../etc", "name": "a", "key": "b"}]}}, "file"),
            ({"secrets": {"postgresUrl": {"value": "postgresql://…"}}}, "value"),
            ({"ingress": {"enabled": True}}, "hosts"),
            ({"receiver": {"trustedProxies": ["10.0.0.0/8"]}}, "networkPolicy.receiver.from"),
            ({"podMonitor": {"enabled": True}}, "networkPolicy.metrics.from"),
            ({"processor": {"autoscaling": {"by": "keda"}}}, "processor.autoscaling.prometheusUrl"),
        ],
    )
    def test_values_that_cannot_be_meant_are_refused(
        self, binaries: HelmBinaries, tmp_path: Path, values: dict[str, Any], says: str
    ) -> None:
        (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
        done = binaries.run("template", "bouncekeeper", CHART, "--values", tmp_path / "values.yaml")
        assert done.returncode != 0
        assert says in done.stderr

    def test_the_notes_name_where_to_post_and_commands_that_exist(self, binaries: HelmBinaries, tmp_path: Path) -> None:
        (tmp_path / "values.yaml").write_text(yaml.safe_dump(EVERYTHING))
        done = binaries.run(
            "install", "shop", CHART, "--dry-run=client", "--namespace", "mail", "--values", tmp_path / "values.yaml"
        )
        assert done.returncode == 0, done.stderr
        notes = done.stdout.partition("NOTES:")[2]
        assert "https://bounces.example.com/webhooks/SOURCE" in notes
        assert "exec deploy/shop-bouncekeeper-api -- bouncekeeper tokens create" in notes
        assert "There is no source yet" not in notes


class TestValues:
    def test_every_value_says_what_it_is(self) -> None:
        silent = [value.path for value in chart_values() if not value.says]
        assert not silent

    def test_the_schema_knows_the_values_and_no_others(self) -> None:
        schema = json.loads((CHART / "values.schema.json").read_text())

        def known(part: dict[str, Any], values: Any, path: str) -> None:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
            if "properties" not in part or not values:
                return
            assert part["additionalProperties"] is False, path
            assert set(part["properties"]) - {"global"} == set(values), path
            for key, inner in values.items():
                known(part["properties"][key], inner, f"{path}.{key}")

        known(schema, yaml.safe_load((CHART / "values.yaml").read_text()), "values")

    def test_the_values_that_the_page_shows_are_taken(self, binaries: HelmBinaries, tmp_path: Path) -> None:
        shown = [one.text for one in snippets("yaml") if one.page == "docs/kubernetes.md" and "rules:" not in one.text]
        assert len(shown) == 2
        for text in shown:
            render(binaries, tmp_path, "bouncekeeper", yaml.safe_load(text))


class TestNames:
    def test_every_name_begins_with_the_release_and_is_short_enough(self, rendered: Render) -> None:
        for name, begins in (
            ("long names", "r" * 53),
            ("everything", "shop-bouncekeeper"),
            ("minimal", "bouncekeeper"),
        ):
            for manifest in rendered(name).manifests:
                named = manifest["metadata"]["name"]
                assert named.startswith(begins), named
                assert len(named) <= LONGEST_NAME, named

    def test_every_name_is_given_once(self, chart: RenderedChart) -> None:
        names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in chart.manifests]
        assert len(names) == len(set(names))
        assert all(len(name) <= LONGEST_NAME for _, name in names)

    def test_a_release_with_a_dot_has_names_that_a_service_may_have(
        self, binaries: HelmBinaries, tmp_path: Path
    ) -> None:
        chart = render(binaries, tmp_path, "mail.eu", {})
        assert chart.one("Service", "-receiver")["metadata"]["name"] == "mail-eu-bouncekeeper-receiver"

    def test_no_secret_may_be_given_as_a_setting(self) -> None:
        refused = json.loads((CHART / "values.schema.json").read_text())["$defs"]["settings"]["propertyNames"]["not"]
        for declaration in setting_declarations():
            if declaration.secret:
                assert re.search(refused["pattern"], declaration.environment_name), declaration.path

    def test_two_releases_beside_each_other_share_nothing(self, binaries: HelmBinaries, tmp_path: Path) -> None:
        shops = []
        for release in ("shop-a", "shop-b"):
            folder = tmp_path / release
            folder.mkdir()
            shops.append(render(binaries, folder, release, EVERYTHING))
        names = [{(one["kind"], one["metadata"]["name"]) for one in shop.manifests} for shop in shops]
        assert not names[0] & names[1]
        selectors = [[one["spec"]["selector"]["matchLabels"] for one in shop.of_kind("Deployment")] for shop in shops]
        for mine in selectors[0]:
            assert mine not in selectors[1]
            assert mine["app.kubernetes.io/instance"] == "shop-a"


class TestSelectorsAndPorts:
    def test_each_selector_finds_the_pods_of_its_process_alone(self, chart: RenderedChart) -> None:
        labels = {
            one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
            for one in chart.of_kind("Deployment")
        }
        for kind in ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"):
            for manifest in chart.of_kind(kind):
                name, spec = manifest["metadata"]["name"], manifest["spec"]
                selector = spec.get("podSelector") or spec["selector"]
                selector = selector.get("matchLabels", selector)
                found = {pod for pod, its in labels.items() if selector.items() <= its.items()}
                assert found == (set(labels) if name.endswith("-egress") else {name}), (kind, name)

    def test_pods_are_spread_with_their_own_kind(self, chart: RenderedChart) -> None:
        for deployment in chart.of_kind("Deployment"):
            for constraint in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]:
                assert constraint["labelSelector"] == deployment["spec"]["selector"]

    def test_what_is_scaled_is_there_and_says_no_number_itself(self, rendered: Render) -> None:
        for name in VALUE_SETS:
            chart = rendered(name)
            scaled = {
                one["spec"]["scaleTargetRef"]["name"]
                for one in (*chart.of_kind("HorizontalPodAutoscaler"), *chart.of_kind("ScaledObject"))
            }
            for deployment in chart.of_kind("Deployment"):
                assert ("replicas" not in deployment["spec"]) == (deployment["metadata"]["name"] in scaled)
            assert scaled <= {one["metadata"]["name"] for one in chart.of_kind("Deployment")}

    def test_services_policies_and_monitors_name_the_port_on_which_the_process_listens(
        self, chart: RenderedChart
    ) -> None:
        for process, _, container in chart.pods():
            if process == "migrate":
                continue
            (port,) = container["ports"]
            assert port["name"] == "http"
            assert environment_of(container)[f"BOUNCEKEEPER_{process.upper()}_PORT"] == str(port["containerPort"])
            assert environment_of(container)[f"BOUNCEKEEPER_{process.upper()}_HOST"] == "0.0.0.0"  # noqa: S104
        for service in chart.of_kind("Service"):
            assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
        for policy in chart.of_kind("NetworkPolicy"):
            for rule in policy["spec"].get("ingress", []):
                assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
        for monitor in chart.of_kind("PodMonitor"):
            assert [point["port"] for point in monitor["spec"]["podMetricsEndpoints"]] == ["http"]

    def test_probes_ask_what_the_processes_answer(self, chart: RenderedChart) -> None:
        for process, _, container in chart.pods():
            if process == "migrate":
                continue
            asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
            assert {kind: get["path"] for kind, get in asked.items()} == {
                "startup": "/healthz",
                "readiness": "/readyz",
                "liveness": "/healthz",
            }
            assert all(get["path"] in PROBE_ROUTES and get["port"] == "http" for get in asked.values())
            assert container["startupProbe"]["failureThreshold"] == (60 if process in {"receiver", "api"} else 600)
            # A probe that gave up before readiness.py does would call a waiting process dead.
            assert container["readinessProbe"]["timeoutSeconds"] > 2

    def test_the_ingress_leads_to_webhooks_and_unsubscribe_links_and_nothing_else(self, rendered: Render) -> None:
        ingress = rendered("everything").one("Ingress", "-receiver")["spec"]
        assert [rule["host"] for rule in ingress["rules"]] == ["bounces.example.com", "bounces.example.org"]
        for rule in ingress["rules"]:
            assert [path["path"] for path in rule["http"]["paths"]] == ["/webhooks/", "/u/"]
            assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} == {
                "shop-bouncekeeper-receiver"
            }
        assert ingress["tls"] == [
            {"hosts": ["bounces.example.com", "bounces.example.org"], "secretName": "bounces-tls"}
        ]

    def test_processors_are_scaled_by_a_metric_that_they_tell(self, rendered: Render) -> None:
        adapter = rendered("adapter").one("HorizontalPodAutoscaler", "-processor")["spec"]
        (metric,) = adapter["metrics"]
        assert metric["pods"]["metric"]["name"] == "bouncekeeper_oldest_age_seconds"
        assert metric["pods"]["target"] == {"type": "AverageValue", "averageValue": "60"}
        (trigger,) = rendered("everything").one("ScaledObject", "-processor")["spec"]["triggers"]
        assert trigger["metadata"]["query"] == (
            'max(bouncekeeper_oldest_age_seconds{namespace="mail",pod=~"shop-bouncekeeper-processor-.*"})'
        )

"""The profile `observability` of the compose file: its services, and what each of them reads."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dashboards.generator.log_query import LABELS
from schemas.log_events import LOG_EVENTS
from tests.dashboards.board_files import FOLDER, boards
from tests.dashboards.logql import grammar
from tests.dashboards.promtool import promtool
from tests.docs.pages import REPOSITORY

STACK = REPOSITORY / "deploy" / "observability"
NAMES = {"grafana", "loki", "alloy", "prometheus"}
ALLOY = (STACK / "alloy.config").read_text()
ALLOY_JOURNAL = (STACK / "alloy-journal.config").read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return {name: one for name, one in compose["services"].items() if "observability" in one.get("profiles", ())}


def read(*path: str) -> Any:
    return yaml.safe_load(STACK.joinpath(*path).read_text())


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """What of the machine is mounted, by its place in the container."""
    parts = [volume.split(":") for volume in service["volumes"]]
    return {place: source for source, place, *_ in parts if source.startswith((".", "/"))}


class TestServices:
    def test_they_are_started_only_if_their_profile_is_asked_for(self, services: dict[str, Any]) -> None:
        assert set(services) == NAMES
        assert all(service["profiles"] == ["observability"] for service in services.values())

    def test_they_are_hardened_watched_and_of_one_version(self, services: dict[str, Any]) -> None:
        for name, service in services.items():
            assert service["read_only"] is True, name
            assert "cap_add" not in service, name
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"]), name

    def test_grafana_alone_has_a_port_and_for_this_machine_alone(self, services: dict[str, Any]) -> None:
        assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
            "grafana": ["127.0.0.1:3000:3000"]
        }

    def test_nobody_is_given_dockers_socket_and_what_is_mounted_cannot_be_written(
        self, services: dict[str, Any]
    ) -> None:
        for name, service in services.items():
            for volume in service["volumes"]:
                assert "docker.sock" not in volume, name
                if volume.startswith((".", "/")):
                    assert volume.endswith(":ro"), f"{name}: {volume}"

    def test_every_file_that_a_command_names_is_mounted(self, services: dict[str, Any]) -> None:
        for name, file in (
            ("loki", "/etc/loki/config/loki.yaml"),
            ("alloy", "/etc/alloy/config/alloy.config"),
            ("prometheus", "/etc/prometheus/config/prometheus.yaml"),
        ):
            assert any(file in word for word in services[name]["command"]), name
            folder, _, base = file.rpartition("/")
            assert (REPOSITORY / mounts(services[name])[folder] / base).is_file(), name

    def test_the_collectors_folder_is_none_that_its_image_has(self, services: dict[str, Any]) -> None:
        """Root without capabilities cannot enter the image's own, which belongs to another user, mode 770."""
        alloy = services["alloy"]
        (path,) = [word.partition("=")[2] for word in alloy["command"] if word.startswith("--storage.path=")]
        assert [volume for volume in alloy["volumes"] if volume.startswith("alloy:")] == [f"alloy:{path}"]
        assert not path.startswith("/var/lib/alloy")


class TestCollector:
    def test_it_makes_the_labels_that_the_queries_count_on_and_no_others(self) -> None:
        (kept,) = re.findall(r"stage\.label_keep \{\s*values = \[([^\]]*)\]", ALLOY)
        assert set(re.findall(r'"(\w+)"', kept)) == LABELS
        assert ALLOY.rindex("stage.label_keep") > max(
            ALLOY.rindex("stage.labels"), ALLOY.rindex("stage.static_labels"), ALLOY.rindex("stage.match")
        )

    def test_it_lets_every_declared_event_through(self) -> None:
        (form,) = re.findall(r'event!~\\"([^"\\]+)\\"', ALLOY)
        assert [name for name in LOG_EVENTS if not re.fullmatch(form, name)] == []
        for other in ("", "started", "GET /", "Server listening."):
            assert not re.fullmatch(form, other)

    def test_its_selectors_are_logql_that_loki_accepts(self) -> None:
        selectors = [json.loads(f'"{text}"') for text in re.findall(r'selector = "((?:[^"\\]|\\.)*)"', ALLOY)]
        assert len(selectors) == 3
        for tree in grammar().parse(selectors):
            assert tree.is_logql
            matchers = list(tree.every("Matcher"))
            # One of them must not be true of a label that is missing.
            assert any(
                one.children[1].text in {"=", "=~"} and one.children[2].string not in {"", ".*"} for one in matchers
            )

    @pytest.mark.parametrize("text", [ALLOY, ALLOY_JOURNAL], ids=["files", "journal"])
    def test_its_parts_are_there_and_its_brackets_close(self, text: str) -> None:
        code = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
        without_texts = re.sub(r'"(?:[^"\\]|\\.)*"', '""', code)
        for opening, closing in ("{}", "[]", "()"):
            assert without_texts.count(opening) == without_texts.count(closing)
        made = {f"{kind}.{name}" for kind, name in re.findall(r'^([a-z_.]+) "(\w+)" \{', code, re.MULTILINE)}
        named = re.findall(
            r"\b(loki(?:\.source)?\.\w+\.\w+|local\.\w+\.\w+)\.(?:receiver|targets|rules)\b", without_texts
        )
        assert named
        assert set(named) <= made
        assert made - set(named) == {next(one for one in made if one.startswith("loki.source."))}, "all are used"

    def test_lines_of_the_journal_get_the_same_labels_as_those_of_files(self) -> None:
        """Neither its source nor its rules make a label that stays: what follows is the same text."""
        files, journal = (text[text.index("loki.process ") :] for text in (ALLOY, ALLOY_JOURNAL))
        assert files == journal

    def test_of_the_journal_the_lines_of_our_units_are_kept_and_no_others(self) -> None:
        (keep,) = [rule for rule in re.findall(r"rule \{([^}]*)\}", ALLOY_JOURNAL) if '"keep"' in rule]
        assert '["__journal__systemd_unit"]' in keep
        (units,) = re.findall(r'regex\s+= "([^"]+)"', keep)
        ours = [path.name for path in (REPOSITORY / "deploy" / "systemd").glob("*.service")]
        assert len(ours) == 5
        for unit in (*(name.replace("@.", "@1.") for name in ours), "bouncekeeper.service"):
            assert re.fullmatch(units, unit), unit
        for other in ("ssh.service", "bouncekeeper.target", "bouncekeepers.service", "not-bouncekeeper.service", ""):
            assert not re.fullmatch(units, other), other
        assert "format_as_json" not in ALLOY_JOURNAL, "the line would be wrapped"

    def test_the_end_of_life_collector_is_not_used(self, services: dict[str, Any]) -> None:
        assert not any("promtail" in service["image"] for service in services.values())


class TestLoki:
    def test_its_ruler_reads_the_alerts(self, services: dict[str, Any]) -> None:
        directory = read("loki.yaml")["ruler"]["storage"]["local"]["directory"]
        assert (REPOSITORY / mounts(services["loki"])[f"{directory}/fake"] / "bouncekeeper.yaml").is_file()

    def test_it_keeps_what_the_alerts_look_back_at(self) -> None:
        limits = read("loki.yaml")["limits_config"]
        assert int(limits["retention_period"].removesuffix("h")) >= 48

    def test_it_answers_what_panels_of_all_domains_ask(self) -> None:
        assert read("loki.yaml")["limits_config"]["max_query_series"] == 5000


class TestPrometheus:
    def test_promtool_accepts_its_configuration_with_the_alerts(self, tmp_path: Path) -> None:
        rules = REPOSITORY / "deploy" / "alerts" / "prometheus" / "*.yaml"
        text = (STACK / "prometheus.yaml").read_text()
        assert "/etc/prometheus/alerts/*.yaml" in text
        (tmp_path / "prometheus.yaml").write_text(text.replace("/etc/prometheus/alerts/*.yaml", str(rules)))
        done = subprocess.run(
            [promtool(), "check", "config", str(tmp_path / "prometheus.yaml")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 rule files" in done.stdout

    def test_it_asks_each_process_where_that_listens(self) -> None:
        compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
        for job in read("prometheus.yaml")["scrape_configs"]:
            (places,) = job["dns_sd_configs"]
            assert places["names"] == [job["job_name"]]
            health = compose["services"][job["job_name"]]["healthcheck"]["test"][-1]
            assert health == str(places["port"])


class TestGrafana:
    def test_it_finds_the_boards_and_nothing_else(self, services: dict[str, Any]) -> None:
        (provider,) = read("grafana", "provisioning", "dashboards", "bouncekeeper.yaml")["providers"]
        assert REPOSITORY / mounts(services["grafana"])[provider["options"]["path"]] == FOLDER
        found = {path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.json")}
        assert found == set(boards())

    def test_its_first_page_is_a_board(self, services: dict[str, Any]) -> None:
        first = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        assert (FOLDER / first.removeprefix("/etc/grafana/boards/")).is_file()

    def test_its_data_sources_are_the_services(self, services: dict[str, Any]) -> None:
        for source in read("grafana", "provisioning", "datasources", "bouncekeeper.yaml")["datasources"]:
            assert source["type"] in {"loki", "prometheus"}
            assert re.fullmatch(rf"http://{source['type']}:\d+", source["url"])
            assert source["type"] in services

    def test_links_in_lines_lead_to_the_board_of_one_delivery(self) -> None:
        loki, _ = read("grafana", "provisioning", "datasources", "bouncekeeper.yaml")["datasources"]
        board = boards()["logs/delivery"]
        asked = {variable["name"] for variable in board["templating"]["list"]}
        *fields, trace = loki["jsonData"]["derivedFields"]
        for field in fields:
            uid, _, variable = field["url"].removeprefix("/d/").partition("?var-")
            assert uid == board["uid"]
            assert variable.partition("=")[0] in asked
        line = (
            '{"contact_id":5,"delivery_id":"01a20126-e86d-7964-b8cd-90966af067f9",'
            '"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}'
        )
        found = [re.findall(field["matcherRegex"], line) for field in (*fields, trace)]
        assert found == [["01a20126-e86d-7964-b8cd-90966af067f9"], ["5"], ["4bf92f3577b34da6a3ce929d0e0e4736"]]
        assert (trace["datasourceUid"], trace["url"]) == ("tempo", "$${__value.raw}")

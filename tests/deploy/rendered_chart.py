"""The chart as helm renders it, for several sets of values."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from tests.deploy.helm_binaries import HelmBinaries
from tests.docs.pages import REPOSITORY

CHART = REPOSITORY / "deploy" / "helm" / "bouncekeeper"
# Kinds that come with operators: kubernetes-validate has no schema of theirs.
OPERATORS_KINDS = {"PodMonitor", "ScaledObject"}

CONFIGURATION = """\
[sources.sendgrid]
provider = "sendgrid"
secrets_files = ["/run/secrets/bouncekeeper/sendgrid"]

[sources.reports]
provider = "mail"
imap_host = "imap.example.org"
imap_user = "bounces@example.org"
imap_password_file = "/run/secrets/bouncekeeper/imap_password"

[endpoints.crm]
url = "https://crm.example.com/hooks"
secrets_files = ["/run/secrets/bouncekeeper/crm"]

[unsubscribe]
secrets_files = ["/run/secrets/bouncekeeper/unsubscribe"]
url = "https://bounces.example.com"
"""

_INGRESS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
_MONITORING = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
_EVERY_PROCESS = ["receiver", "processor", "api", "mailbox", "migrate"]

EVERYTHING: dict[str, Any] = {
    "config": CONFIGURATION,
    "image": {
        "repository": "registry.example.org/bouncekeeper",
        "digest": f"sha256:{'a' * 64}",
        "pullPolicy": "Always",
        "pullSecrets": ["registry"],
    },
    "secrets": {
        "postgresUrl": {"name": "postgres", "key": "url"},
        "queueUrl": {"name": "rabbitmq", "key": "url"},
        "apiTokens": [{"name": "api", "key": "one"}, {"name": "api", "key": "two"}],
        "files": [
            {"file": "sendgrid", "name": "sendgrid", "key": "public_key"},
            {"file": "imap_password", "name": "mailbox", "key": "password"},
            {"file": "crm", "name": "crm", "key": "secret", "processes": ["processor"]},
            {"file": "unsubscribe", "name": "unsubscribe", "key": "secret", "processes": _EVERY_PROCESS},
        ],
    },
    "pods": {
        "annotations": {"example.org/team": "mail"},
        "labels": {"team": "mail"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "mail", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
        "serviceAccountName": "bouncekeeper",
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
    },
    "receiver": {
        "autoscaling": {"enabled": True},
        "trustedProxies": ["10.244.0.0/16", "fd00::/8"],
        "settings": {"BOUNCEKEEPER_LOGS_LEVEL": "debug", "BOUNCEKEEPER_RECEIVER_DRAIN_SECONDS": 15.5},
        "postgresUrl": {"name": "postgres-receiver", "key": "url"},
        "queueUrl": {"name": "rabbitmq-receiver", "key": "url"},
        "service": {"type": "LoadBalancer", "annotations": {"example.org/kind": "internal"}},
        "pods": {"nodeSelector": {"edge": "yes"}},
    },
    "processor": {
        "autoscaling": {"by": "keda", "prometheusUrl": "http://prometheus.monitoring:9090"},
        "settings": {"BOUNCEKEEPER_PROCESSOR_BATCH_MAX_EVENTS": 100000, "BOUNCEKEEPER_LOGS_SHOW_ADDRESSES": True},
        "postgresUrl": {"name": "postgres-processor", "key": "url"},
    },
    "api": {"settings": {"BOUNCEKEEPER_API_MAX_BYTES_UNDER_WAY": 67108864}},
    "mailbox": {"enabled": True},
    "migrate": {"postgresUrl": {"name": "postgres-owner", "key": "url"}, "activeDeadlineSeconds": 2592000},
    "networkPolicy": {
        "receiver": {"from": _INGRESS},
        "api": {"from": [{"podSelector": {"matchLabels": {"app": "shop"}}}]},
        "metrics": {"from": _MONITORING},
        "egress": {"enabled": True, "rules": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
    },
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
        "hosts": ["bounces.example.com", "bounces.example.org"],
        "tlsSecretName": "bounces-tls",
    },
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
}

# What helm is given: the name of the release, and the values.
VALUE_SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "minimal": ("bouncekeeper", {}),
    "everything": ("shop", EVERYTHING),
    "small": (
        "bouncekeeper",
        {
            "queue": {"adapter": "postgres"},
            "api": {"enabled": False},
            "migrate": {"enabled": False},
            "networkPolicy": {"enabled": False},
            "podDisruptionBudget": {"enabled": False},
            "receiver": {"trustedProxies": ["10.1.2.3"]},
        },
    ),
    "adapter": ("bouncekeeper", {"processor": {"autoscaling": {"by": "prometheus-adapter", "queueAgeSeconds": 60}}}),
    "long names": ("r" * 53, {"mailbox": {"enabled": True}}),
    "long override": ("a", {"fullnameOverride": "o" * 70}),
}


class RenderedChart(Struct, frozen=True, kw_only=True):
    """The manifests of one release, and the file that they are in."""

    file: Path
    manifests: list[dict[str, Any]]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """All manifests of the kind."""
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def one(self, kind: str, ending: str) -> dict[str, Any]:
        """The one manifest of the kind whose name ends so."""
        (found,) = (one for one in self.of_kind(kind) if one["metadata"]["name"].endswith(ending))
        return found

    def pods(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Of each process its name, its pod's specification and its container."""
        for manifest in self.manifests:
            if "template" in manifest.get("spec", {}):
                pod = manifest["spec"]["template"]["spec"]
                (container,) = pod["containers"]
                yield container["name"], pod, container

    def pod(self, process: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The pod and the container of one process."""
        ((pod, container),) = ((pod, container) for name, pod, container in self.pods() if name == process)
        return pod, container


Render = Callable[[str], RenderedChart]  # gives the chart of a set of values


def render(binaries: HelmBinaries, folder: Path, release: str, values: dict[str, Any]) -> RenderedChart:
    """The chart with these values, as a cluster would be given it. Raises AssertionError with what helm says."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = binaries.run("template", release, CHART, "--namespace", "mail", "--values", file)
    assert done.returncode == 0, done.stderr
    manifests = [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]
    known = folder / "manifests.yaml"
    known.write_text(yaml.safe_dump_all([one for one in manifests if one["kind"] not in OPERATORS_KINDS]))
    return RenderedChart(file=known, manifests=manifests)


def environment_of(container: dict[str, Any]) -> dict[str, str]:
    """The variables that the container is given."""
    return {variable["name"]: variable["value"] for variable in container["env"]}


def secret_files_of(pod: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The Secret and the key behind each file that the pod is given."""
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "secrets")
    return {
        item["path"]: (source["secret"]["name"], item["key"])
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }

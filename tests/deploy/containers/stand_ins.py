"""Stand-ins for the images that are named in docker-compose.yml and the Dockerfile, made from Debian 13.

It has the very majors: PostgreSQL 17, RabbitMQ 4, HAProxy 3. Nothing is pulled from a registry of images. What the real
images' own entry points do is repeated in images/; all else of them is untested here.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.deploy.containers.engine import Engine
from tests.deploy.containers.machine import debian_mirror
from tests.surroundings import REPOSITORY

_SUITE = "trixie"
_PACKAGES = ("python3-venv", "python-is-python3", "postgresql-17", "rabbitmq-server", "haproxy")
_NOT_IN_IMAGES = ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./usr/share/doc/*", "./proc/*", "./sys/*", "./tmp/*")
_IMAGES = Path(__file__).parent / "images"
_NAMES = {"python": "python:3.12-slim", "postgres": "postgres:17", "rabbitmq": "rabbitmq:4", "haproxy": "haproxy:3.0"}
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux1_x86_64", "any")


def make_root(work: Path) -> Path:
    """A Debian with all that the images need, made once: it takes minutes, and what is there already is used."""
    root = work / "root"
    if (root / "ready").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    _log(work, "debootstrap", "--variant=minbase", "--include=ca-certificates,gosu", _SUITE, str(root), _mirror())
    policy = root / "usr/sbin/policy-rc.d"  # no service is started while it is made
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    clusters = root / "etc/postgresql-common"
    clusters.mkdir(parents=True)
    (clusters / "createcluster.conf").write_text("create_main_cluster = false\n")
    _in_root(work, root, "install", "--yes", "--no-install-recommends", *_PACKAGES)
    (root / "var/lib/rabbitmq/.erlang.cookie").unlink(missing_ok=True)
    (root / "ready").touch()
    return root


def make_compose_plugin(work: Path, root: Path) -> Path:
    """Debian 13's `docker compose`, taken out of its package: older Debians have only its predecessor."""
    plugin = work / "docker-compose"
    if not plugin.exists():
        _log(work, "chroot", str(root), "sh", "-c", "cd /tmp && apt-get --quiet download docker-compose")
        (package,) = (root / "tmp").glob("docker-compose_*.deb")
        _log(work, "dpkg-deb", "--extract", str(package), str(work / "compose-package"))
        shutil.copy(work / "compose-package/usr/libexec/docker/cli-plugins/docker-compose", plugin)
    return plugin


def fetch_wheels(work: Path) -> Path:
    """What requirements.lock names, for the Python of the root, by its hashes."""
    wheels = work / "wheels"
    _log(
        work,
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--require-hashes"),
        *("--python-version", "3.13", "--implementation", "cp", "--abi", "cp313", "--abi", "abi3", "--abi", "none"),
        *(word for platform in _PLATFORMS for word in ("--platform", platform)),
        *("--only-binary", ":all:", "--no-binary", "dkimpy"),
        *("--dest", str(wheels), "--requirement", str(REPOSITORY / "requirements.lock")),
    )
    return wheels


def build_images(engine: Engine, root: Path, wheels: Path) -> None:
    """The images, by the names of docker-compose.yml and the Dockerfile, as far as they are not there."""
    if engine.tried("docker", "image", "inspect", "stand-in").returncode != 0:
        archive = engine.work / "root.tar"
        excluded = [f"--exclude={pattern}" for pattern in _NOT_IN_IMAGES]
        engine.run("tar", "-C", str(root), "--numeric-owner", *excluded, "-cf", str(archive), ".")
        engine.run("docker", "import", str(archive), "stand-in")
        archive.unlink()
    context = engine.work / "images"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(_IMAGES, context)
    shutil.copytree(wheels, context / "wheels")
    for name, tag in _NAMES.items():
        engine.run("docker", "build", "--quiet", "--tag", tag, "--file", f"{name}.Dockerfile", ".", folder=context)


def _mirror() -> str:
    mirror = debian_mirror()
    assert mirror is not None, "why_not_here() tells of this"
    return mirror


def _in_root(work: Path, root: Path, *words: str) -> None:
    _log(work, "env", "DEBIAN_FRONTEND=noninteractive", "chroot", str(root), "apt-get", "--quiet", *words)


def _log(work: Path, *words: str) -> None:
    """Runs the program; what it says goes into a file. Raises AssertionError with its end if it fails."""
    path = work / "preparing.log"
    with path.open("ab") as log:
        done = subprocess.run(words, stdout=log, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, f"{' '.join(words[:4])} … failed:\n{path.read_text()[-2000:]}"

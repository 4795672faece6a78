"""The installation takes what the lock names, file by file, and nothing that an index offers beside it."""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.package_index import PackageIndex
from tests.surroundings import REPOSITORY

pytestmark = pytest.mark.slow

LOCK = REPOSITORY / "requirements.lock"
BUILD_TOOLS = ("setuptools", "wheel")
NEWER = "999.0"


def entries(lock: Path) -> dict[str, str]:
    """The lines of each entry of a lock, by name."""
    found = re.findall(r"^(([a-z0-9-]+)==[^\n]*\n(?: [^\n]*\n)+)", lock.read_text(), re.MULTILINE)
    return {name: text for text, name in found}


def hashes(text: str) -> set[str]:
    return set(re.findall(r"sha256:([0-9a-f]{64})", text))


def run_pip(*words: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pip", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lock of the build tools, and of all that may come as source only: a single file is known of it."""
    chosen = [text for name, text in entries(LOCK).items() if name in BUILD_TOOLS or len(hashes(text)) == 1]
    path = tmp_path_factory.mktemp("lock") / "small.lock"
    path.write_text("".join(chosen))
    return path


@pytest.fixture(scope="module")
def index(lock: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageIndex]:
    """An index with the files of the lock, and with newer build tools that mark the folder in which they are used."""
    folder = tmp_path_factory.mktemp("files")
    options = ("--quiet", "--no-deps", "--require-hashes", "--no-build-isolation", "--requirement")
    fetched = run_pip("download", "--dest", str(folder), *options, str(lock))
    if fetched.returncode != 0:
        pytest.skip(f"no package index can be reached from here: {fetched.stderr[-300:]}")
    for tool in BUILD_TOOLS:
        write_poisoned_wheel(folder, tool)
    with PackageIndex(folder) as serving:
        yield serving


def write_poisoned_wheel(folder: Path, name: str) -> None:
    """A newer version of a build tool, as somebody would put it who can write to an index."""
    info = f"{name}-{NEWER}.dist-info"
    files = {
        f"{name}/__init__.py": "",
        f"{name}/build_meta.py": "raise SystemExit('built with a tool that no lock names')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {NEWER}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{NEWER}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)


def test_nothing_is_fetched_that_the_lock_does_not_name(index: PackageIndex, lock: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=60)
    python = tmp_path / "venv" / "bin" / "python"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(
        [REPOSITORY / "deploy" / "install-locked", python, lock],
        env={
            **kept,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": index.url,
            "PIP_NO_CACHE_DIR": "1",
            "NO_PROXY": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert index.fetched
    named = hashes(lock.read_text())
    for name in index.fetched:
        assert hashlib.sha256((index.folder / name).read_bytes()).hexdigest() in named, name
    listed = subprocess.run([python, "-m", "pip", "freeze", "--all"], capture_output=True, text=True, check=True)
    installed = {line.partition("==")[0].lower() for line in listed.stdout.splitlines()} - {"pip"}
    assert installed == set(entries(lock))


def test_the_lock_names_all_that_an_install_needs_to_build() -> None:
    for path in sorted(REPOSITORY.glob("requirements*.lock")):
        assert set(BUILD_TOOLS) <= set(entries(path)), path.name


def test_every_installation_of_a_lock_goes_the_same_way() -> None:
    for path in (REPOSITORY / "deploy" / "install", REPOSITORY / "deploy" / "Dockerfile"):
        assert "install-locked" in path.read_text(), path.name
        assert "--require-hashes" not in path.read_text(), path.name

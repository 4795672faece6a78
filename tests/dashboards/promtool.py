"""Prometheus' own tool for rules, out of Debian's package: nothing of it is installed, and no server is started."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.docs.pages import REPOSITORY

_PACKAGE = "prometheus"


@cache
def promtool() -> str:
    """The program: the machine's own, or one that is unpacked once."""
    if (own := shutil.which("promtool")) is not None:
        return own
    folder = REPOSITORY / ".services" / "promtool"
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        making = Path(mkdtemp(prefix="promtool-", dir=folder.parent))
        making.chmod(0o755)
        if subprocess.run(
            ["apt-get", "download", "-q", _PACKAGE], cwd=making, capture_output=True, check=False
        ).returncode:
            subprocess.run(["apt-get", "update", "-q"], check=True, capture_output=True)
            subprocess.run(["apt-get", "download", "-q", _PACKAGE], cwd=making, check=True, capture_output=True)
        (package,) = making.glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", str(package), str(making / "all")], check=True)
        (making / "bin").mkdir()
        (making / "all" / "usr" / "bin" / "promtool").rename(making / "bin" / "promtool")
        shutil.rmtree(making / "all")
        package.unlink()
        try:
            making.rename(folder)
        except OSError:  # another process of tests was faster
            shutil.rmtree(making)
    return str(folder / "bin" / "promtool")

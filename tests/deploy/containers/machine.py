"""What this machine has for running containers, read from the machine itself."""

import os
import re
import shutil
import subprocess
from pathlib import Path

_PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "unshare": "util-linux",
}
_SOURCES = Path("/etc/apt")


def why_not_here() -> str | None:
    """The reason why no containers can be run on this machine, with the remedy; None if they can."""
    if os.geteuid() != 0:
        return "this needs root: it starts a Docker engine of its own"
    if missing := sorted({package for program, package in _PROGRAMS.items() if shutil.which(program) is None}):
        return f"programs are missing: apt-get install --no-install-recommends {' '.join(missing)}"
    if debian_mirror() is None:
        return "this machine has no Debian sources in /etc/apt, so there is nothing to make the stand-in images from"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"a network namespace cannot be made here: {tried.stderr.strip()}"
    return None


def debian_mirror() -> str | None:
    """The URL of the first Debian archive among the machine's own apt sources."""
    for path in sorted([*_SOURCES.glob("sources.list.d/*.sources"), *_SOURCES.glob("sources.list*")]):
        if not path.is_file():
            continue
        for url in re.findall(r"^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(\S+)", path.read_text(), re.MULTILINE):
            if url.rstrip("/").endswith("/debian"):
                return str(url)
    return None

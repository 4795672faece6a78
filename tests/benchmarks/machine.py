"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def describe_machine() -> list[str]:
    """One line each: processor, cores, memory, system, Python and the libraries that matter."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "aio-pika", "asyncpg"))
    return [
        f"{os.cpu_count()} cores, {_processor()}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, {libraries}",
    ]


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def peak_memory_mib(pid: int) -> float | None:
    """The most memory the process ever had resident (VmHWM), or None where /proc does not tell."""
    return _status_mib(pid, "VmHWM:")


def _status_mib(pid: int, name: str) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), None)


def child_processes(pid: int) -> list[int]:
    """The ids of the processes that this one has started, and of theirs."""
    try:
        own = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [child for started in own for child in (started, *child_processes(started))]

"""Django with django-anymail behind gunicorn: the ordinary way to do what this program does."""

import asyncio
import sys
from pathlib import Path

from msgspec import Struct

from tests.benchmarks.benchmark import Bench
from tests.benchmarks.servers import REPOSITORY, Server
from worker.local_services.process import free_port
from worker.samples.sample import SampleSender

# Where django-anymail takes a provider's webhooks, and which of its settings holds the secret.
WEBHOOK_PATHS = {"postmark": "/anymail/postmark/tracking/", "sendgrid": "/anymail/sendgrid/tracking/"}
_SECRET_SETTINGS = {
    "postmark": "WEBHOOK_SECRET",
    "sendgrid": "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY",
}
_PROJECT = Path(__file__).parent / "peers" / "django_anymail"
_ENVIRONMENT = REPOSITORY / ".venv-peers"
_LOCK = REPOSITORY / "requirements-peers.lock"


class PeerConfiguration(Struct, frozen=True, kw_only=True):
    """One way to run gunicorn and to cut transactions. The fastest of them is measured against."""

    workers: int
    threads: int = 1  # more than one: the gthread worker, with keep-alive
    transaction: str = "event"  # or "request": one for all events of a webhook

    def __str__(self) -> str:
        kind = f"gthread ({self.threads} threads)" if self.threads > 1 else "sync"
        return f"{self.workers} {kind} workers, one transaction per {self.transaction}"


CONFIGURATIONS = (
    PeerConfiguration(workers=2),
    PeerConfiguration(workers=3),
    PeerConfiguration(workers=4),
    PeerConfiguration(workers=2, threads=4),
    PeerConfiguration(workers=3, threads=4),
    PeerConfiguration(workers=2, threads=16),
)
BATCH_CONFIGURATIONS = (
    *CONFIGURATIONS,
    PeerConfiguration(workers=2, transaction="request"),
    PeerConfiguration(workers=4, transaction="request"),
)


async def ensure_environment(bench: Bench) -> None:
    """`.venv-peers` holds exactly what requirements-peers.lock says; made when it does not."""
    stamp = _ENVIRONMENT / "installed.lock"
    if stamp.exists() and stamp.read_bytes() == _LOCK.read_bytes():
        return
    bench.progress("making .venv-peers: Django, django-anymail, gunicorn")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT)],
        [str(REPOSITORY / "deploy" / "install-locked"), str(_ENVIRONMENT / "bin" / "python"), str(_LOCK)],
    ):
        process = await asyncio.create_subprocess_exec(*command, stdout=sys.stderr)
        if await process.wait() != 0:
            raise RuntimeError(f"`{' '.join(command)}` failed: what it said stands above")
    stamp.write_bytes(_LOCK.read_bytes())


async def start_peer(bench: Bench, configuration: PeerConfiguration, *, dsn: str, sender: SampleSender) -> Server:
    """Gunicorn with the peer's project, ready."""
    port = free_port()
    command = [str(_ENVIRONMENT / "bin" / "gunicorn"), "bounce_site:application"]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", str(configuration.workers)]
    if configuration.threads > 1:
        command += ["--worker-class", "gthread", "--threads", str(configuration.threads), "--keep-alive", "60"]
    command += ["--backlog", "2048", "--log-level", "warning", "--no-control-socket"]
    return await Server.start(
        "peer",
        command,
        folder=bench.folder,
        ports=[port],
        working_directory=_PROJECT,
        environment={
            "PEER_DSN": dsn,
            f"PEER_{_SECRET_SETTINGS[sender.provider]}": sender.secrets_for_source()[0].reveal(),
            "PEER_TRANSACTION": configuration.transaction,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
        },
    )

"""What `doctor` says of the server of Postgres that its session has come to."""

from worker.commands.support.finding import Finding, note, well, wrong
from worker.store.server_state import ServerState

_OLDEST_POSTGRES = 15


def look_at_server(state: ServerState) -> list[Finding]:
    """Its version, whether it takes writes, and its replicas."""
    if state.version < _OLDEST_POSTGRES:
        told = f"version {state.version} at {state.place} is too old"
        return [wrong("postgres", told, f"use Postgres {_OLDEST_POSTGRES} or newer")]
    if state.is_standby or state.is_read_only:
        kind = "a standby" if state.is_standby else "read-only (default_transaction_read_only)"
        remedy = (
            "let postgres.url lead to the primary: name all hosts and add ?target_session_attrs=read-write "
            "(docs/failover-and-restore.md)"
        )
        return [wrong("postgres", f"version {state.version} at {state.place} is {kind} and takes no writes", remedy)]
    findings = [well("postgres", f"version {state.version} at {state.place}, which takes writes")]
    if state.wants_synchronous and not state.waits_for_synchronous:
        findings.append(
            note(
                "replicas",
                "synchronous_standby_names is set, and synchronous_commit lets commits not wait for a replica's disk",
                "set synchronous_commit = on, or what was answered may be lost with this server",
            )
        )
    elif state.wants_synchronous and state.sees_replicas and not state.synchronous_replicas:
        findings.append(
            note(
                "replicas",
                "no synchronous replica is connected, so every write waits for one",
                "start the replica, or take it out of synchronous_standby_names",
            )
        )
    elif state.replicas:
        findings.append(well("replicas", _replicas(state)))
    return findings


def _replicas(state: ServerState) -> str:
    """How many are connected, and whether commits wait for them."""
    if not state.wants_synchronous:
        return f"{state.replicas} connected, none synchronous: this server's last commits may be lost with it"
    return f"{state.replicas} connected, commits wait for a synchronous one"

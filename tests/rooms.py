"""The plan of the house: its rooms, and what each may import."""

# What a room may import of the others, schemas apart, which everybody may. A room stands above all that it names.
EDGES = {"receiver", "mailbox", "processor", "api", "jobs"}
CORE = {"errors", "process", "policy", "providers", "queue", "store", "contacts", "settings", "connections", "tracing"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "process": set(),
    "policy": {"errors", "process.spelling"},
    "providers": {"errors", "process.spelling"},
    "queue": {"errors", "process", "settings", "store.admission", "store.named_statement", "store.servers"},
    "store": {"errors", "process"},
    "local_services": {"errors", "process"},
    "contacts": {"errors", "process", "policy", "store"},
    "settings": {"errors", "process", "policy", "providers", "local_services"},
    "connections": {"errors", "process", "settings"},
    "tracing": {"errors", "process", "settings"},
    "samples": {"providers"},
    **dict.fromkeys(EDGES, CORE),
    "commands": CORE | EDGES | {"samples", "local_services"},
    "cli": {"commands", "process"},
    "__main__": {"cli", "process"},
}
MOST_ROOMS = 20
# Of a room that may not be imported as a whole, these modules may.
SINGLE_MODULES = {room: tuple(name for name in names if "." in name) for room, names in MAY_IMPORT.items()}

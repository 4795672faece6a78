"""The house rules that no linter knows: which way imports point, how long a file may be, what is never written."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from schemas.log_events import LOG_EVENTS, LOG_EVENTS_BY_PART
from tests.rooms import EDGES, MAY_IMPORT, MOST_ROOMS, SINGLE_MODULES

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(REPOSITORY / "worker").rglob("*.py"), *(REPOSITORY / "schemas").rglob("*.py")])
TESTS = REPOSITORY / "tests"
TEST_SOURCES = sorted(TESTS.rglob("*.py"))
MAX_LINES = 400
FORBIDDEN_STEMS = {"utils", "util", "helpers", "helper", "common", "base", "misc", "shared", "tools"}
PURE_ROOMS = {"providers", "policy"}
IMPURE_MODULES = {"asyncio", "socket", "aiohttp", "asyncpg", "aio_pika", "psycopg", "subprocess", "urllib.request"}


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    paths = [REPOSITORY / name.decode() for name in listed.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


def room_of(path: Path) -> str:
    """The room: `providers` for worker/providers/registry.py, `cli` for worker/cli.py, `schemas` for all of schemas."""
    inside = path.relative_to(REPOSITORY).with_suffix("").parts
    return "schemas" if inside[0] == "schemas" else inside[1]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def calls_of(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]


@cache
def imported_modules(path: Path, *, for_types: bool = True) -> tuple[tuple[int, str], ...]:
    """Each import's line and module; without `for_types` not those of `if TYPE_CHECKING:`."""
    return tuple(_imported_modules(path, for_types=for_types))


def _imported_modules(path: Path, *, for_types: bool) -> Iterator[tuple[int, str]]:
    body = tree_of(path).body
    if not for_types:
        body = [node for node in body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")]
    for node in ast.walk(ast.Module(body=body, type_ignores=[])):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_imports_point_one_way() -> None:
    wrong = [
        f"{path.relative_to(REPOSITORY)}:{line} imports {module}"
        for path in SOURCES
        for line, module in imported_modules(path)
        if not may_import(room_of(path), module)
    ]
    assert not wrong


def may_import(room: str, module: str) -> bool:
    """What tests/rooms.py says of the module in this room."""
    place = module.partition(".")[0]
    if room == "schemas" or place != "worker":
        return place not in ({"tests", "worker"} if room == "schemas" else {"tests"})
    inside = module.partition(".")[2]
    other = inside.partition(".")[0]
    return other in {"", room, *MAY_IMPORT[room]} or inside.startswith(SINGLE_MODULES[room])


def test_rooms_are_few_and_stand_one_above_the_other() -> None:
    rooms = {room_of(path) for path in SOURCES if path.name != "__init__.py" or path.parent.name != "worker"}
    assert rooms == {*MAY_IMPORT, "schemas"}
    assert len(rooms - {"cli", "__main__", "errors"}) <= MOST_ROOMS
    TopologicalSorter({room: {name.split(".")[0] for name in below} for room, below in MAY_IMPORT.items()}).prepare()


def test_no_module_imports_itself_over_others() -> None:
    """Imports inside functions count as well, for they would only hide a circle; what only mypy reads does not."""
    modules = {".".join(path.relative_to(REPOSITORY).with_suffix("").parts): path for path in SOURCES}
    below = {
        name: {module for _, module in imported_modules(path, for_types=False)} & modules.keys()
        for name, path in modules.items()
    }
    TopologicalSorter(below).prepare()


def test_errors_of_the_database_are_translated_in_the_store_alone() -> None:
    """Who imports the translator elsewhere does a statement's work there. The queue has a database of its own."""
    own = {"store", "queue", "local_services"}
    found = [
        f"{path.relative_to(REPOSITORY)}:{line} imports {module}"
        for path in SOURCES
        if room_of(path) not in own
        for line, module in imported_modules(path)
        if module.split(".")[0] == "asyncpg" or module.endswith((".store_errors", ".opening_errors"))
    ]
    assert not found


def test_the_store_names_what_goes_into_a_statement_and_what_comes_out() -> None:
    """Of four parameters two have the same type: neither Postgres nor mypy sees that they are swapped."""
    numbered = [
        f"{path.relative_to(REPOSITORY)}: {match[0]}"
        for path in SOURCES
        if room_of(path) in {"store", "queue"}
        for match in re.finditer(r"\$([4-9]|[0-9]{2})\b|\b(row|record)\[[0-9]+\]", path.read_text())
    ]
    assert not numbered, "use worker.store.named_statement and worker.store.row"


def test_the_store_takes_no_two_parameters_of_one_type_by_position() -> None:
    """Two texts, ids, times or places beside each other can be swapped, and mypy would not see it."""
    swappable = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}: {', '.join(of_one_type)}"
        for path in SOURCES
        if room_of(path) == "store"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
        for of_one_type in _by_type(node.args.args)
    ]
    assert not swappable, "make them keyword-only"


def _by_type(parameters: list[ast.arg]) -> list[list[str]]:
    """The names of parameters that have a type in common, with or without None."""
    names: dict[str, list[str]] = {}
    for parameter in parameters:
        if parameter.annotation is not None:
            kind = ast.unparse(parameter.annotation).removesuffix(" | None")
            names.setdefault(kind, []).append(parameter.arg)
    return [same for same in names.values() if len(same) > 1]


def test_settings_tree_knows_only_the_records_of_policy_and_classification() -> None:
    ours = {
        module for _, module in imported_modules(REPOSITORY / "worker" / "settings" / "tree.py") if "worker" in module
    }
    assert ours == {
        "worker.policy.rule",
        "worker.policy.rule.Policy",
        "worker.providers.classification.operator_rules",
        "worker.providers.classification.operator_rules.OperatorRule",
    }


def test_providers_and_policy_do_no_input_or_output_and_read_no_clock() -> None:
    impure = re.compile(r"datetime\.now\(|time\.time\(|\bopen\(")
    found = [
        str(path.relative_to(REPOSITORY))
        for path in SOURCES
        if room_of(path) in PURE_ROOMS
        if {module for _, module in imported_modules(path)} & IMPURE_MODULES or impure.search(path.read_text())
    ]
    assert not found


def test_nobody_outside_the_providers_asks_which_provider_it_is() -> None:
    asked = re.compile(r"""\bprovider(\.name)? *([!=]=|(not )?in *[({\[]|: *case) *["'(]?""")
    found = [
        str(path.relative_to(REPOSITORY))
        for path in SOURCES
        if room_of(path) in EDGES | {"commands", "settings", "contacts"} and asked.search(path.read_text())
    ]
    assert not found, "let the provider say it: worker/providers/provider.py"


def test_no_file_is_too_long() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in (*SOURCES, *TEST_SOURCES)
        if (lines := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not long


def test_no_file_is_named_for_nothing() -> None:
    assert not [path for path in (*SOURCES, *TEST_SOURCES) if path.stem in FORBIDDEN_STEMS]


def test_every_property_can_be_tried_in_short() -> None:
    bare = re.compile(r"max_examples=(?!examples\()")
    found = [path.name for path in TEST_SOURCES if path.name != "properties.py" and bare.search(path.read_text())]
    assert not [name for name in found if name != Path(__file__).name], "say max_examples=examples(…)"


def test_tests_wait_for_states_and_sleep_in_one_place_only() -> None:
    places = (TESTS / "waiting.py", TESTS / "faults" / "attack.py")  # an attack's slowness is its own
    found = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in TEST_SOURCES
        if path not in places and TESTS / "benchmarks" not in path.parents
        if "sleep" in path.read_text()  # to read all as Python takes seconds
        for node in calls_of(path)
        if isinstance(node.func, ast.Name | ast.Attribute)
        if (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) == "sleep"
        if [ast.unparse(word) for word in node.args] != ["0"]  # which gives up one turn of the loop
    ]
    assert not found, "wait for a state with tests/waiting.py"


def test_classes_of_tests_are_made_by_pytest_alone() -> None:
    """What several tests need is a function beside them, as in tests/providers/reading.py."""
    classes = {
        name for path in TEST_SOURCES for name in re.findall(r"^ *class (Test\w*)", path.read_text(), re.MULTILINE)
    }
    calls = re.compile(rf"(?<!class )\b(?:{'|'.join(classes)})\s*\(")
    made = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} makes a {name}"
        for path in TEST_SOURCES
        if calls.search(path.read_text())  # to read all as Python takes seconds
        for node in calls_of(path)
        if isinstance(node.func, ast.Name | ast.Attribute)
        if (name := node.func.id if isinstance(node.func, ast.Name) else node.func.attr) in classes
    ]
    assert not made


def logged_names(path: Path) -> Iterator[tuple[int, str, set[str] | None]]:
    """Each `log.info("noun.verb_past", field=…)`: line, name, fields; None for fields that come as **mapping."""
    for node in calls_of(path):
        if not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in {"debug", "info", "warning", "error", "exception", "critical"} or not node.args:
            continue
        if not (
            isinstance(node.func.value, ast.Name | ast.Attribute | ast.Call) and "log" in ast.unparse(node.func.value)
        ):
            continue
        for name in ast.walk(node.args[0]):
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                fields = {word.arg for word in node.keywords if word.arg}
                yield node.lineno, name.value, None if any(not word.arg for word in node.keywords) else fields


def test_every_log_event_is_declared_with_its_fields_and_every_declared_one_is_used() -> None:
    used = set()
    for path in SOURCES:
        for line, name, fields in logged_names(path):
            where = f"{path.relative_to(REPOSITORY)}:{line} logs {name}"
            assert name in LOG_EVENTS, where
            unknown = (fields or set()) - LOG_EVENTS[name].fields - {"exc_info", "delivery_id", "event"}
            assert not unknown, f"{where} with {unknown}"
            used.add(name)
    # A name may also be handed on as a value, as in a table of outcomes.
    code = "".join(path.read_text() for path in SOURCES if not path.name.endswith("log_events.py"))
    unused = {name for name in LOG_EVENTS if name not in used and f'"{name}"' not in code}
    assert not unused


def test_log_events_are_sorted_and_named_as_nouns_and_past_verbs() -> None:
    assert [list(part) for part in LOG_EVENTS_BY_PART] == [sorted(part) for part in LOG_EVENTS_BY_PART]
    assert len(LOG_EVENTS) == sum(map(len, LOG_EVENTS_BY_PART))
    for name, event in LOG_EVENTS.items():
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", name), name
        assert event.says.endswith("."), name


# Where packages and images come from is the installer's and the machine's affair: no host is named, whichever it is.
SOURCES_AND_MACHINES = {
    "an option of an installer": re.compile(r"--(?:[a-z]+-)?(?:index-url|find-links|trusted-host)\b"),
    "a page of a package index": re.compile(r"https?://[\w.-]+\.[a-z]+(?:/[\w.-]+)*/simple\b"),
    "a package's file": re.compile(r"https?://[\w.-]+\.[a-z]+/\S*\.whl\b"),
    "an image of a registry": re.compile(
        r"(?:^\s*(?:- )?[Ii]mage:|^FROM|\bdocker (?:pull|run))\s[^#\n]*?\b[\w-]+(?:\.[\w-]+)+/"
    ),
    "somebody's folder": re.compile(r"/(?:root|home/[a-z][\w-]*)/"),
}


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("an option of an installer", ["pip install --", "index-url x"]),
        ("an option of an installer", ["--extra-", "index-url=x"]),
        ("a page of a package index", ["at https://index.example/", "simple/"]),
        ("a package's file", ["https://files.example/ab/cd/thing-1.0-py3-none-any.", "whl"]),
        ("an image of a registry", ["    image: registry.", "example/postgres:17"]),
        ("an image of a registry", ["FROM --platform=linux registry.", "example/python"]),
        ("somebody's folder", ["/home/", "jane/work"]),
    ],
)
def test_what_names_a_source_of_packages_or_a_machine_is_found(what: str, words: list[str]) -> None:
    assert [name for name, pattern in SOURCES_AND_MACHINES.items() if pattern.search("".join(words))] == [what]


def test_nothing_names_a_source_of_packages_or_a_machine() -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(REPOSITORY)}:{number}: {what}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            for what, pattern in SOURCES_AND_MACHINES.items()
            if pattern.search(line)
        ]
    assert not found


def test_every_lock_is_hashed() -> None:
    for lock in REPOSITORY.glob("requirements*.lock"):
        entries = re.findall(
            r"^[a-z0-9][^\n]*?==[^\n]*\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", lock.read_text(), re.MULTILINE
        )
        names = re.findall(r"^[a-zA-Z0-9][^\s]*==", lock.read_text(), re.MULTILINE)
        assert len(entries) == len(names) > 0, lock.name

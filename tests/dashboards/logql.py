"""LogQL as Grafana's own grammar reads it: every query as a tree."""

import atexit
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import msgspec
from msgspec import Struct

from tests.docs.pages import REPOSITORY
from worker.local_services.debian_package import install_package

_GRAMMAR = Path(__file__).parent / "grammar"
_NO_LOGQL = "⚠"
# What Grafana puts into a query before it is sent: here, what is as good for the grammar.
_VARIABLES = {"$__auto": "5m", "$__range": "1h", "$__rate_interval": "5m"}


class Tree(Struct, frozen=True, array_like=True):
    """A node of the grammar, and what stands in it."""

    name: str
    text: str
    children: tuple["Tree", ...]

    def every(self, name: str) -> Iterator["Tree"]:
        """The nodes of this name, this one included."""
        if self.name == name:
            yield self
        for child in self.children:
            yield from child.every(name)

    def child(self, *names: str) -> "Tree | None":
        """The first child of one of these names."""
        return next((child for child in self.children if child.name in names), None)

    @property
    def is_logql(self) -> bool:
        """False if any part of it is not."""
        return not any(self.every(_NO_LOGQL))

    @property
    def string(self) -> str:
        """What a String means: in backticks as it stands, in double quotes with its escapes resolved."""
        return self.text[1:-1] if self.text.startswith("`") else str(json.loads(self.text))


def without_variables(query: str, **chosen: str) -> str:
    """The query with Grafana's variables replaced; `chosen` are those of the reader, and others mean anything."""
    for name, value in _VARIABLES.items():
        query = query.replace(name, chosen.get(name.lstrip("$"), value))
    return re.sub(r"\$(\w+)", lambda variable: chosen.get(variable[1], ".+"), query)


class Grammar:
    """Parses by a program of node's, which runs until the tests end, for node takes a while to start."""

    def __init__(self, node: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [node, str(_GRAMMAR / "parse.cjs")],
            env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def parse(self, queries: Sequence[str]) -> list[Tree]:
        """A tree for each query; `is_logql` says whether it is one."""
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None
        assert answers is not None
        print(json.dumps(queries), file=questions, flush=True)
        return msgspec.json.decode(answers.readline(), type=list[Tree])

    def close(self) -> None:
        """Ends the program."""
        self._process.communicate()


@cache
def grammar() -> Grammar:
    """The grammar, installed once on this machine at the versions of its lock."""
    node, npm = _program("node", "nodejs"), _program("npm", "npm")
    lock = (_GRAMMAR / "package-lock.json").read_bytes()
    folder = REPOSITORY / ".services" / f"logql-grammar-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        making = Path(mkdtemp(prefix="logql-grammar-", dir=folder.parent))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_GRAMMAR / name, making)
        subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=making, check=True, timeout=300
        )
        try:
            making.rename(folder)
        except OSError:  # another process of tests was faster
            shutil.rmtree(making)
    made = Grammar(node, folder)
    atexit.register(made.close)
    return made


def _program(name: str, package: str) -> str:
    if shutil.which(name) is None:
        install_package(package)
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: install the Debian package {package}"
    return found

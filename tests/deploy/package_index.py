"""A package index on loopback: it serves the files of a folder, and remembers which of them were fetched."""

import html
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote


class PackageIndex:
    """Wheels and source archives by name, as the "simple repository" of PEP 503 offers them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched: list[str] = []  # names of files, in the order in which they were asked for
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, name = unquote(self.path).strip("/").split("/", 1)
                body = index._page(name) if kind == "simple" else index._file(name)
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html" if kind == "simple" else "application/octet-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """What a package installer is given."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/simple/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _page(self, project: str) -> bytes:
        names = sorted(path.name for path in self.folder.iterdir() if _project_of(path.name) == project)
        return "".join(f'<a href="/files/{html.escape(name)}">{html.escape(name)}</a>\n' for name in names).encode()

    def _file(self, name: str) -> bytes:
        self.fetched.append(name)
        path = self.folder / Path(name).name
        return path.read_bytes() if path.is_file() else b""


def _project_of(file_name: str) -> str:
    """`flufl-bounce` of `flufl_bounce-6.0.0-py3-none-any.whl`."""
    name = file_name.split("-", maxsplit=1)[0] if file_name.endswith(".whl") else file_name.rpartition("-")[0]
    return re.sub(r"[-_.]+", "-", name).lower()

"""Asks an API what happens now, and tells what stands in the way."""

from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from msgspec import Struct

from worker.commands.support.board import shown_text
from worker.contacts.overview import Overview
from worker.errors import ImpossibleSetting, StopTheProcess, TryAgainLater, WrongUsage

_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 1024 * 1024
_LONGEST = 512

_OTHER_ONE = "make one with `bouncekeeper tokens create NAME --role reader --all-accounts`, or for one --account"
# Waiting does not help against these.
_REMEDIES = {
    HTTPStatus.UNAUTHORIZED: f"the token in --token-file is not known there, or was revoked: {_OTHER_ONE}",
    HTTPStatus.FORBIDDEN: f"the token in --token-file may not ask that: {_OTHER_ONE}",
    HTTPStatus.NOT_FOUND: "it is no API of Bouncekeeper, or an older one: correct --url, or upgrade the API",
}


class _Problem(Struct):
    detail: str = ""


class NoAnswer(TryAgainLater):
    """The API gave no answer now."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy


def read_token(path: str) -> str:
    """The token in a file. Raises ImpossibleSetting if there is none, OSError if it cannot be read."""
    token = Path(path).read_text(encoding="utf-8", errors="replace").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token or len(token) > _LONGEST:
        raise ImpossibleSetting(f"{path} holds no token of the API: {_OTHER_ONE}, and write it into that file")
    return token


def base_of(url: str) -> str:
    """The URL without a slash at its end. Raises WrongUsage if it is none."""
    scheme, separator, rest = url.partition("://")
    if scheme not in {"http", "https"} or not separator or not rest or any(mark in rest for mark in "@?# "):
        raise WrongUsage("--url is the API's own, such as https://bouncekeeper.example or http://127.0.0.1:8026")
    return url.rstrip("/")


class OverviewClient:
    """One connection to an API, inside the block."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url}/v1/overview"
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"}, timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        )

    async def overview(self) -> Overview:
        """What happens now. Raises NoAnswer while asking again may help, StopTheProcess if a person must act."""
        try:
            # The token must not follow a redirect to somebody else.
            async with self._session.get(self._url, allow_redirects=False) as response:
                body = await _start_of(response.content, _MOST_BYTES)
        except aiohttp.InvalidURL as error:
            raise WrongUsage(f"--url cannot be used: {error}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            said = shown_text(error) or f"no answer within {_TIMEOUT_SECONDS:g} s"
            raise NoAnswer(said, "See whether the API runs and --url leads to it; it is asked again") from error
        if response.status == HTTPStatus.OK:
            return self._decoded(body)
        raise self._refusal(response.status, _detail(body), response.headers.get("Retry-After", ""))

    def _refusal(self, status: int, detail: str, wait: str) -> NoAnswer | StopTheProcess:
        what = f"{self._url} answers {status}{f': {detail}' if detail else ''}"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            seconds = f", and it wants {wait} s" if wait.isdecimal() else ""
            return NoAnswer(what, f"Too many ask at once{seconds}: ask less often, by --every; it is asked again")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return NoAnswer(what, "See the log of the API and whether Postgres runs; it is asked again")
        remedy = next((says for one, says in _REMEDIES.items() if one == status), "correct --url: it is not the API's")
        return StopTheProcess(f"{what.rstrip('.')}. Remedy: {remedy}")

    def _decoded(self, body: bytes) -> Overview:
        try:
            return msgspec.json.decode(body, type=Overview)
        except msgspec.DecodeError as error:
            raise StopTheProcess(
                f"{self._url} answers something else than an overview: {_REMEDIES[HTTPStatus.NOT_FOUND]}"
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()


async def _start_of(stream: aiohttp.StreamReader, most_bytes: int) -> bytes:
    body = bytearray()
    while len(body) < most_bytes and (more := await stream.read(most_bytes - len(body))):
        body += more
    return bytes(body)


def _detail(problem: bytes) -> str:
    try:
        return shown_text(msgspec.json.decode(problem, type=_Problem).detail)
    except msgspec.DecodeError:
        return ""

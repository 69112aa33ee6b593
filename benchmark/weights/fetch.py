"""Downloading a weight file on request: short timeouts, and no file before its digest is right."""

from __future__ import annotations

import bz2
import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import IO, Any
from urllib.parse import urlsplit

from benchmark.errors import WeightsError
from benchmark.files import atomic_file
from benchmark.weights.base import WEIGHTS, WeightFile
from benchmark.weights.store import Located, WeightStore

CONNECT_SECONDS = 5.0
STALL_SECONDS = 30.0
_CHUNK = 1 << 20
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


def fetch(
    name: str,
    store: WeightStore | None = None,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Located:
    """Download a weight file into the store; a file that is already there and right is kept.

    Args:
        name: in the catalogue.
        store: where to; the default store if None.
        progress: called with (bytes so far, bytes in all or 0 if unknown).

    Raises:
        WeightsError: without a network, for a wrong digest, or if there is no address.
    """
    store = store or WeightStore()
    present = store.status(name)
    if present.path is not None and present.state == "ok":
        return Located(present.weight, present.path, present.sha256)
    weight = WEIGHTS.get(name)
    if not weight.url:
        raise WeightsError(
            f"there is no address to fetch {name!r} from",
            mend=f"python -m benchmark weights add {name} FILE",
        )
    _refuse_plain_http(weight.url)
    digest = hashlib.sha256()
    try:
        response = _OPENER.open(weight.url, timeout=CONNECT_SECONDS)
    except (OSError, http.client.HTTPException) as error:
        raise _failed(weight, error) from error
    with response, atomic_file(store.folder / weight.file) as target:
        for chunk in _content(response, weight, progress or _silent):
            digest.update(chunk)
            target.write(chunk)
        store.check(weight, digest.hexdigest(), source=weight.url)
    return store.remember(weight, digest.hexdigest())


def _content(
    response: Any, weight: WeightFile, progress: Callable[[int, int], object]
) -> Iterator[bytes]:
    """The file, unpacked; errors of the network are told apart from those of the disk here."""
    total, done = int(response.headers.get("Content-Length") or 0), 0
    unpack = bz2.BZ2Decompressor() if weight.packed == "bz2" else None
    try:
        while chunk := response.read(_CHUNK):
            done += len(chunk)
            progress(done, total)
            yield unpack.decompress(chunk) if unpack else chunk
        if done < total or (unpack and not unpack.eof):
            raise EOFError(f"the connection ended after {done} of {total or 'unknown'} bytes")
    except (OSError, http.client.HTTPException, EOFError) as error:
        raise _failed(weight, error) from error


def _silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


def _failed(weight: WeightFile, error: Exception) -> WeightsError:
    answered = isinstance(error, urllib.error.HTTPError)
    reason = error if answered else getattr(error, "reason", error)
    return WeightsError(
        f"cannot download {weight.name!r}: {reason}",
        where=weight.url,
        mend=f"without a network: get the file elsewhere, then "
        f"python -m benchmark weights add {weight.name} FILE",
    )


def _refuse_plain_http(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise WeightsError("refused: weights come over https only", where=url)


class _PatientConnection(http.client.HTTPSConnection):
    """Gives up connecting early, but lets a slow server pause between two packets."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL_SECONDS)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PatientConnection, req)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0917 - the signature is urllib's
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _refuse_plain_http(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_Https, _SafeRedirects)

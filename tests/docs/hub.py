"""A Hugging Face Hub on this machine, with one data set and one model, and published files."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

#: What ``owner/name`` is at, whether a page asks for data or for a model.
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serving(published: Path, data: Path, model: Path) -> Iterator[str]:
    """The address of a server.

    Args:
        published: files at ``/published/NAME``.
        data: the folder that is the data set ``owner/name``.
        model: the folder that is the model ``owner/name``.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).strip("/")
            folder = data if "datasets/" in path else model
            if path.startswith("published/"):
                self._file(published / Path(path).name)
            elif path.startswith("api/"):
                self._json(_about(folder, path))
            elif f"/resolve/{COMMIT}/" in path:
                self._file(folder / path.partition(f"/resolve/{COMMIT}/")[2])
            else:
                self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - its name in http.server

        def _file(self, path: Path) -> None:
            if not path.is_file():
                self.send_error(404)
                return
            content = path.read_bytes()
            self._answer(content, {"ETag": f'"{_sha1(content)}"', "X-Repo-Commit": COMMIT})

        def _json(self, content: Any) -> None:
            self._answer(json.dumps(content).encode(), {"Content-Type": "application/json"})

        def _answer(self, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _about(folder: Path, path: str) -> Any:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    if path.endswith("/refs"):
        return {"branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": COMMIT}],
                "tags": [], "converts": []}  # fmt: skip
    if "/tree/" in path:
        return [
            {"type": "file", "path": p.relative_to(folder).as_posix(), "size": p.stat().st_size,
             "oid": _sha1(p.read_bytes())}
            for p in files
        ]  # fmt: skip
    siblings = [{"rfilename": p.relative_to(folder).as_posix()} for p in files]
    return {"id": "owner/name", "sha": COMMIT, "private": False, "tags": [], "siblings": siblings}


def _sha1(content: bytes) -> str:
    """As git names a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

"""A folder as a data set of a hub on this machine: what Hugging Face's library asks of one, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "5" * 40
NAME = "owner/name"


@dataclass
class Hub:
    """What a hub has been asked, and how it answers.

    Attributes:
        folder: The files of its only data set, ``owner/name``.
        gated: Whether only those may read the files who have asked its owner.
        asked: The files that were asked for, with the first byte of each part.
    """

    folder: Path
    port: int = 0
    gated: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def hub_of(folder: Path) -> Iterator[Hub]:
    """A hub that has the files of the folder, until the end of the block."""
    hub = Hub(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Answer", (_Answer,), {"hub": hub})) as server:
        hub.port = server.server_port
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()


class _Answer(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if re.fullmatch(rf"/api/datasets/{NAME}(/revision/({COMMIT}|main))?", path):
            self._json({"id": NAME, "sha": COMMIT, "siblings": [], "private": False, "tags": []})
        elif found := re.fullmatch(rf"/api/datasets/{NAME}/tree/(?:{COMMIT}|main)/?(.*)", path):
            self._tree(found[1], "recursive=true" in self.path.lower())
        elif found := re.fullmatch(rf"/datasets/{NAME}/resolve/(?:{COMMIT}|main)/(.+)", path):
            self._file(found[1])
        else:
            self._json({"error": "Repository not found"}, 404, "RepoNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_form = self.headers["Content-Type"].startswith("application/x-www-form-urlencoded")  # before version 2
        asked = parse_qs(body) if is_form else json.loads(body)
        paths = [self.hub.folder / path for path in asked["paths"]]
        self._json([self._entry(path) for path in paths if path.exists()])

    def _tree(self, folder: str, recursive: bool) -> None:
        path = self.hub.folder / folder
        if not path.is_dir():
            self._json({"error": f"{folder} does not exist"}, 404, "EntryNotFound")
            return
        self._json([self._entry(entry) for entry in sorted(path.rglob("*") if recursive else path.iterdir())])

    def _entry(self, path: Path) -> dict[str, object]:
        kind, size = ("directory", 0) if path.is_dir() else ("file", path.stat().st_size)
        return {"type": kind, "path": str(path.relative_to(self.hub.folder)), "size": size, "oid": "0" * 40}

    def _file(self, name: str) -> None:
        path = self.hub.folder / name
        if self.hub.gated:
            self._json({"error": f"Access to dataset {NAME} is restricted"}, 403, "GatedRepo")
            return
        if not path.is_file():
            self._json({"error": "Entry not found"}, 404, "EntryNotFound")
            return
        content, first = path.read_bytes(), 0
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        total = len(content)
        if part:
            first, last = int(part[1]), int(part[2] or total - 1)
            content = content[first : last + 1]
        self.hub.asked.append((name, first))
        self.send_response(206 if part else 200)
        self.send_header("Content-Length", str(len(content)))
        if part:
            self.send_header("Content-Range", f"bytes {first}-{first + len(content) - 1}/{total}")
        self.end_headers()
        self.wfile.write(content)

    def _json(self, content: object, status: int = 200, code: str = "") -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""

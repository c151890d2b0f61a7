"""Shards as WebDataset has them, and a server of them that can break connections, give whole files only, or be away."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
from PIL import Image


def png(value, size=6):
    buffer = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), value, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def members(i, classes=4, padding=0):
    """Sample i: a picture of the grey i, a text, a class, a speaker; and noise, to make a shard large."""
    found = {"png": png(i % 256), "txt": f"text {i}\n".encode(), "cls": str(i % classes).encode()}
    found["json"] = json.dumps({"speaker": f"s{i % 5}", "kind": f"kind {i % classes}"}).encode()
    if padding:
        found["noise"] = np.random.default_rng(i).bytes(padding)
    return {f"{i:05}.{ending}": content for ending, content in found.items()}


def write_shards(folder, sizes, *, first=0, said=True, **how):
    """A tar file of each size, and the file that says how many samples each has."""
    for number, size in enumerate(sizes):
        files = {}
        for i in range(first, first + size):
            files |= members(i, **how)
        first += size
        write_tar(folder / f"{number:03}.tar", files)
    if said:
        sizes_of = {f"{number:03}.tar": size for number, size in enumerate(sizes)}
        (folder / "sizes.json").write_text(json.dumps(sizes_of))
    return folder


@dataclass
class Server:
    """What a server has been asked, and how it answers.

    Attributes:
        folder: What it serves.
        ranges: Whether it knows parts of files.
        breaks: After how many bytes the next answers end, one after the other; those of one file three times at most,
            since a reader gives up after four in a row.
        away: Whether it breaks every connection.
        asked: The files that were asked for, with the first byte of each part.
        broken: How often the answers of a file were.
    """

    folder: Path
    port: int = 0
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    away: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(folder, **how):
    """A server of a folder."""
    server = Server(folder, **how)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self._answer(only_head=True)

        def do_GET(self):
            self._answer(only_head=False)

        def _answer(self, *, only_head):
            path = folder / self.path.lstrip("/")
            if server.away:
                self.close_connection = True
                return
            if not path.is_file():
                self.send_error(404)
                return
            content = path.read_bytes()
            asked = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if server.ranges else None
            first, last = (int(asked[1]), min(int(asked[2]), len(content) - 1)) if asked else (0, len(content) - 1)
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            self.send_header("Content-Length", str(last - first + 1))
            self.end_headers()
            if only_head:
                return
            server.asked.append((path.name, first))
            part = content[first : last + 1]
            if server.breaks and path.suffix == ".tar" and server.broken[path.name] < 3:
                server.broken[path.name] += 1
                self.wfile.write(part[: server.breaks.pop(0)])
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(part)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", server.port), Handler) as found:
        found.daemon_threads = True
        found.handle_error = lambda *_: None
        server.port = found.server_address[1]
        thread = Thread(target=found.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            found.shutdown()


def taken(folder):
    """Bytes of all files below a folder at one moment: one look takes time, so two have to find the same."""
    before, now = None, _sizes(folder)
    while now != before:
        before, now = now, _sizes(folder)
    return sum(now.values())


def _sizes(folder):
    sizes = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            try:
                sizes[path] = os.stat(path).st_size
            except FileNotFoundError:
                continue
    return sizes

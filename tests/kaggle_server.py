"""A Kaggle of our own on the loopback, which speaks what the official client expects, and fails as it is told.

Protocol: every call is `POST .../v1/{service}/{Method}` with JSON; a submission is `StartSubmissionUpload`, a PUT to
the address it names, and `CreateSubmission`; a download is a call answered by a redirect.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import threading
import time
import zipfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tests import kaggle_shelf

TOKEN = "KGAT_0123456789abcdef0123456789abcdef"
USER, KEY = kaggle_shelf.USER, "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SLUG = "planet-understanding-the-amazon-from-space"
MEGABYTE = 2**20
SIGNATURE = "X-Signature=5ecre7"  # of the addresses for uploads and downloads


@dataclass
class Fault:
    """What is to go wrong with a call, a PUT or a GET.

    Attributes:
        kind: "status", "drop" (before anything is done), "drop after", "half" (of the body is read, or sent), "late",
            "malformed", "redirect", "size" (announce one byte less and send as many), "whole" (instead of a part), or
            "again" (done, and redirected to the same address).
        status: of the answer.
        message: in the answer.
        headers: of the answer.
        seconds: by which the answer is late.
        times: how often; 0: always.
    """

    kind: str = "status"
    status: int = 500
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    times: int = 1


class KaggleServer:
    """The server's state, and what went over the wire.

    Attributes:
        files: content of each file of the competition.
        listed: sizes in the list that differ from the content's.
        packed: files that are sent as a zip without a word.
        submissions: what was accepted, the first one first, as JSON.
        blobs: content of what was uploaded, by token.
        calls: what was asked: the method of the API, "PUT" or "GET", in order.
        ranges: the Range headers of the GETs.
        left: submissions left today.
        scored_after: looks at a submission until it has a score.
        listed_after: seconds until a submission is in the list.
        with_tokens: the list of submissions is turned by tokens, not by numbers of pages.
        is_spent: no more submissions in all.
        takes_notebooks_only: it is a code competition, which refuses files without a word.
        shelf: its notebooks and data sets.
        score: public and private score, as Kaggle writes them.
        stop_at: point at which the server holds still, such as "CreateSubmission received"; each once.
        reached: is set when it does.
        go_on: set to go on.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = files or {}
        self.listed: dict[str, int] = {}
        self.packed: set[str] = set()
        self.submissions: list[dict[str, Any]] = []
        self.blobs: dict[str, bytes] = {}
        self.names: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.calls: list[str] = []
        self.points: list[str] = []
        self.ranges: list[str] = []
        self.left, self.made = 5, 0
        self.scored_after, self.listed_after = 0, 0.0
        self.with_tokens, self.is_spent = True, False
        self.score = ("0.93001", "0.92800")
        self.with_names = True
        self.takes_notebooks_only = False
        self.shelf = kaggle_shelf.Shelf(self)
        self.faults: dict[str, deque[Fault]] = {}
        self.stop_at = ""
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"kaggle": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, what: str, kind: str = "status", **options: Any) -> None:
        """Let the next calls of `what` go wrong."""
        self.faults.setdefault(what, deque()).append(Fault(kind, **options))

    def fault(self, what: str) -> Fault | None:
        with self._lock:
            waiting = self.faults.get(what)
            if not waiting:
                return None
            fault = waiting[0]
            if fault.times == 1:
                waiting.popleft()
            elif fault.times:
                fault.times -= 1
            return fault

    def pass_by(self, point: str) -> None:
        self.points.append(point)
        if point == self.stop_at:
            self.stop_at = ""
            self.reached.set()
            self.go_on.wait(60)

    def content(self, name: str) -> bytes | None:
        """Return the bytes that are served under a name; None if there are none."""
        inner = name.removesuffix(".zip")
        if inner in self.packed:
            return zipped(inner, self.files[inner])
        return self.files.get(name, self.shelf.files.get(name))

    def start_upload(self, name: str, size: int) -> tuple[int, dict[str, Any]]:
        """Name a place for a file."""
        token = f"blob-token-{len(self.names)}-secret"
        self.names[token], self.sizes[token] = name, size
        return 200, {"token": token, "createUrl": f"{self.url}/upload/{token}?{SIGNATURE}"}

    def accept(self, token: str, message: str) -> dict[str, Any]:
        """Make a submission of what was uploaded."""
        return self.submit(self.names[token], len(self.blobs[token]), message)

    def submit(self, file_name: str, size: int, message: str) -> dict[str, Any]:
        """Make a submission."""
        with self._lock:
            ref = 1000 + len(self.submissions)
            date = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
            name = {"fileName": file_name} if self.with_names else {}
            about = {"ref": ref, "date": date, "description": message, "status": "PENDING", **name}
            made = {"totalBytes": size, "looks": 0, "made": time.monotonic()}
            self.submissions.append({**about, **made})
            self.left, self.made = self.left - 1, self.made + 1
            return {"message": "Successfully submitted", "ref": ref}

    def shown(self, submission: dict[str, Any]) -> dict[str, Any]:
        """Return a submission as Kaggle shows it; with every look the score comes nearer."""
        submission["looks"] += 1
        if submission["status"] == "PENDING" and submission["looks"] > self.scored_after:
            submission["status"] = "COMPLETE"
            submission["publicScore"], submission["privateScore"] = self.score
        return {key: value for key, value in submission.items() if key not in ("looks", "made")}

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment of a process that is signed in here, talkative, and has the server as its proxy."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        ours = {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": self.url, "KAGGLE_API_TOKEN": TOKEN}
        return {**kept, **ours, "HOME": str(home), "VERBOSE": "1"}

    @contextmanager
    def running(self) -> Iterator[KaggleServer]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.go_on.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    kaggle: KaggleServer

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        method = urlsplit(self.path).path.rsplit("/", 1)[-1]
        self._serve(method, lambda: self._answer(method, json.loads(body or b"{}")))

    def do_PUT(self) -> None:
        size, token = int(self.headers["Content-Length"]), urlsplit(self.path).path.rsplit("/", 1)[-1]
        assert size == self.kaggle.sizes[token]
        self.kaggle.pass_by("PUT begun")
        fault = self.kaggle.fault("PUT body")
        half = self.rfile.read(size // 2)
        self.kaggle.pass_by("PUT half")
        if fault:
            self.close_connection = True
            self.connection.close()
            return

        def store() -> tuple[int, Any]:
            self.kaggle.blobs[token] = half + self.rfile.read(size - size // 2)
            return 200, {}

        self._serve("PUT", store)

    def do_GET(self) -> None:
        name = unquote(urlsplit(self.path).path).removeprefix("/files/")
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fault = (asked and self.kaggle.fault("Range")) or self.kaggle.fault("GET")
        self.kaggle.calls.append("GET")
        if fault and fault.kind == "status":
            self._send(fault.status, {"message": fault.message}, fault.headers)
            return
        content = self.kaggle.content(name)
        if content is None:
            self._send(200, "<html>Please sign in</html>")
            return
        tag, begin = f'"{hashlib.sha256(content).hexdigest()[:8]}"', 0
        if asked and self.headers.get("If-Range") == tag and not (fault and fault.kind == "whole"):
            begin = int(asked[1])
            self.kaggle.ranges.append(asked[0])
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", tag)
        self.send_header("Last-Modified", "Thu, 20 Apr 2017 10:00:00 GMT")
        part = content[begin:]
        if fault and fault.kind == "size":
            part = part[:-1]
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if fault and fault.kind == "half":
            part = part[: len(part) // 2]
        with suppress(ConnectionError):
            for sent in range(0, len(part), MEGABYTE):
                self.kaggle.pass_by(f"GET {name} from {begin} after {sent // MEGABYTE} MB")
                self.wfile.write(part[sent : sent + MEGABYTE])

    def _serve(self, what: str, act: Any) -> None:
        """Answer, with the fault that is due; a point is passed before, between and after."""
        kaggle = self.kaggle
        kaggle.calls.append(what)
        kaggle.pass_by(f"{what} received")
        fault = kaggle.fault(what) or Fault("none")
        if fault.kind == "drop":
            self.connection.close()
            return
        if fault.kind == "status":
            self._send(fault.status, {"code": fault.status, "message": fault.message}, fault.headers)
            return
        if fault.kind == "redirect":
            self._send(302, None, {"Location": f"{kaggle.url}/login"})
            return
        if fault.kind == "again":
            act()
            self._send(307, None, {"Location": f"{kaggle.url}{self.path}"})
            return
        status, answer = act()
        kaggle.pass_by(f"{what} done")
        if fault.kind == "late":
            time.sleep(fault.seconds)
        with suppress(OSError):  # the client may be gone
            if fault.kind == "drop after":
                self.connection.close()
            elif fault.kind == "malformed":
                self._send(200, "<html>{oops")
            else:
                self._send(status, answer)
        kaggle.pass_by(f"{what} answered")

    def _answer(self, method: str, asked: dict[str, Any]) -> tuple[int, Any]:
        if method == "IntrospectToken":
            is_right = asked.get("token") == TOKEN
            return 200, {"active": is_right, "username": USER if is_right else ""}
        basic = "Basic " + base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        if self.headers.get("Authorization") not in (f"Bearer {TOKEN}", basic):
            return 401, {"code": 401, "message": "Unauthorized"}
        if asked.get("competitionName", SLUG) != SLUG:
            return 404, {"code": 404, "message": "Not found"}
        answer = getattr(self, f"_{method}", None) or getattr(self.kaggle.shelf, method)
        return answer(asked)

    def _ListDataFiles(self, asked: dict[str, Any]) -> tuple[int, Any]:
        names, begin = list(self.kaggle.files), int(asked.get("pageToken") or 0)
        page = names[begin : begin + 4]  # as if Kaggle's pages were small
        files = [{"name": n, "totalBytes": self.kaggle.listed.get(n, len(self.kaggle.files[n]))} for n in page]
        more = {"nextPageToken": str(begin + 4)} if begin + 4 < len(names) else {}
        return 200, {"files": files, **more}

    def _DownloadDataFile(self, asked: dict[str, Any]) -> tuple[int, Any]:
        name = asked["fileName"]
        if name not in self.kaggle.files:
            return 404, {"code": 404, "message": "No such file"}
        path = name + (".zip" if name in self.kaggle.packed else "")
        return 302, f"{self.kaggle.url}/files/{quote(path)}?{SIGNATURE}"

    def _ListSubmissions(self, asked: dict[str, Any]) -> tuple[int, Any]:
        kaggle, size = self.kaggle, asked.get("pageSize", 20)
        begin = int(asked.get("pageToken") or 0) if kaggle.with_tokens else size * (asked.get("page", 1) - 1)
        since = time.monotonic() - kaggle.listed_after
        listed = [each for each in kaggle.submissions[::-1] if each["made"] <= since]
        has_more = kaggle.with_tokens and begin + size < len(listed)
        more = {"nextPageToken": str(begin + size)} if has_more else {}
        return 200, {"submissions": [kaggle.shown(each) for each in listed[begin : begin + size]], **more}

    def _GetSubmission(self, asked: dict[str, Any]) -> tuple[int, Any]:
        found = [each for each in self.kaggle.submissions if each["ref"] == asked["ref"]]
        return (200, self.kaggle.shown(found[0])) if found else (404, {"code": 404, "message": "Not found"})

    def _GetSubmissionLimits(self, _: dict[str, Any]) -> tuple[int, Any]:
        kaggle = self.kaggle
        total = {"limitedByTotal": True} if kaggle.is_spent else {}
        left = 0 if kaggle.is_spent else kaggle.left
        return 200, {"numToday": kaggle.made, "numTotal": kaggle.made, "numAllowedNow": left, **total}

    def _StartSubmissionUpload(self, asked: dict[str, Any]) -> tuple[int, Any]:
        return self.kaggle.start_upload(asked["fileName"], asked["contentLength"])

    def _GetCompetition(self, asked: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"ref": asked["competitionName"], "isKernelsSubmissionsOnly": self.kaggle.takes_notebooks_only}

    def _CreateSubmission(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if self.kaggle.takes_notebooks_only:
            return 400, {"code": 400, "message": ""}
        if asked["blobFileTokens"] not in self.kaggle.blobs:
            return 400, {"code": 400, "message": "The file was not uploaded"}
        return 200, self.kaggle.accept(asked["blobFileTokens"], asked.get("submissionDescription", ""))

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        headers = dict(headers or {})
        is_json = isinstance(answer, dict)
        body = json.dumps(answer).encode() if is_json else str(answer or "").encode()
        if status == 302 and answer:
            headers["Location"], body = answer, b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if is_json else "text/html")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def zipped(name: str, content: bytes) -> bytes:
    """Return a zip of one file, always the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()

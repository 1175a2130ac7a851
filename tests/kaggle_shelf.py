"""The notebooks and data sets of our own Kaggle, as `kagglesdk` asks for them.

What is not there, or somebody else's, is answered by 403. A data set is processed for a while after each version, and
there is no second version before the first is processed. A notebook runs with the versions of its data sets that are
processed when it is made. A version is asked for as "v3"; as "3" there is none.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from tests.kaggle_server import KaggleServer

USER = "user"
Answer = tuple[int, Any]


@dataclass
class Made:
    """A version of a data set or notebook.

    Attributes:
        asked: the request that made it.
        files: of a data set, names of the files that were uploaded.
        reads: of a notebook, the version of each data set that it runs with.
        looks: at its state.
        since: when it was made, by `time.monotonic`.
    """

    asked: dict[str, Any]
    files: list[str] = field(default_factory=list)
    reads: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    since: float = field(default_factory=time.monotonic)


class Shelf:
    """The notebooks and data sets, by "owner/name", each with its versions.

    Attributes:
        processed_after: looks at a data set's state until a version is processed.
        shown_after: seconds until a version is shown at all.
        fails: data sets cannot be processed.
        ends_after: looks at a notebook's state until it has ended.
        end: its state then, and why.
        left: content of what notebooks leave, by name.
        log: what they print.
        files: content of all that is served, by address.
    """

    def __init__(self, kaggle: KaggleServer) -> None:
        self.kaggle = kaggle
        self.datasets: dict[str, list[Made]] = {}
        self.notebooks: dict[str, list[Made]] = {}
        self.processed_after, self.shown_after, self.fails = 1, 0.0, False
        self.ends_after, self.end = 1, ("COMPLETE", "")
        self.left: dict[str, bytes] = {"submission.csv": b""}
        self.log = json.dumps([{"stream_name": "stdout", "time": 1.5, "data": "Done.\n"}])
        self.files: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def StartBlobUpload(self, asked: dict[str, Any]) -> Answer:
        assert asked["type"] == "DATASET"
        return self.kaggle.start_upload(asked["name"], asked["contentLength"])

    def CreateDataset(self, asked: dict[str, Any]) -> Answer:
        ref = f"{asked['ownerSlug']}/{asked['slug']}"
        if asked["ownerSlug"] != USER:
            return _denied("datasets.create")
        assert asked["isPrivate"]
        assert 6 <= len(asked["title"]) <= 50
        if ref in self.datasets:
            return 200, {"status": "error", "error": "The requested title is already in use by a dataset."}
        return self._add_data(ref, asked, asked["files"])

    def CreateDatasetVersion(self, asked: dict[str, Any]) -> Answer:
        ref = f"{asked['ownerSlug']}/{asked['datasetSlug']}"
        if ref not in self.datasets or self._state(self.datasets[ref][0]) == "INDIVIDUAL_BLOBS_COMPRESSED":
            return _denied("datasets.update")
        assert not asked["body"].get("deleteOldVersions")
        return self._add_data(ref, asked["body"], asked["body"]["files"])

    def GetDatasetStatus(self, asked: dict[str, Any]) -> Answer:
        versions = self._shown(self.datasets, f"{asked['ownerSlug']}/{asked['datasetSlug']}")
        if not versions:
            return _denied("datasets.get")
        versions[-1].looks += 1
        return 200, {"status": self._state(versions[-1])}

    def GetDataset(self, asked: dict[str, Any]) -> Answer:
        ref = f"{asked['ownerSlug']}/{asked['datasetSlug']}"
        versions = self._shown(self.datasets, ref)
        return (200, {"ref": ref, "currentVersionNumber": len(versions)}) if versions else _denied("datasets.get")

    def ListDatasetFiles(self, asked: dict[str, Any]) -> Answer:
        versions = self._shown(self.datasets, f"{asked['ownerSlug']}/{asked['datasetSlug']}")
        ready = [made for made in versions if self._state(made) == "READY"]
        if not ready:
            return _denied("datasets.get")
        names, begin = ready[-1].files, int(asked.get("pageToken") or 0)
        more = {"nextPageToken": str(begin + 2)} if begin + 2 < len(names) else {}
        return 200, {"datasetFiles": [{"name": name} for name in names[begin : begin + 2]], **more}

    def GetKernel(self, asked: dict[str, Any]) -> Answer:
        ref = f"{asked['userName']}/{asked['kernelSlug']}"
        versions = self._shown(self.notebooks, ref)
        if not versions:
            return _denied("kernels.get")
        notebook = json.dumps(json.loads(versions[-1].asked["text"]), indent=4)  # in other bytes, with the same cells
        about = {"ref": ref, "currentVersionNumber": len(versions)}
        return 200, {"metadata": about, "blob": {"source": notebook, "language": "python"}}

    def SaveKernel(self, asked: dict[str, Any]) -> Answer:
        ref = asked["slug"]
        if ref.split("/")[0] != USER:
            return _denied("kernels.create")
        if not 5 <= len(asked["newTitle"]) <= 50:
            return 200, {"error": "The title must be between 5 and 50 characters"}
        given = asked.get("datasetDataSources") or []
        with self._lock:
            ready = {
                name: sum(self._state(made) == "READY" for made in self.datasets[name])
                for name in given
                if name in self.datasets
            }
            versions = self.notebooks.setdefault(ref, [])
            versions.append(Made(asked, reads=ready))
        unknown = {"invalidDatasetSources": [name for name in given if name not in ready]}
        where = f"https://www.kaggle.com/code/{ref}"
        return 200, {"ref": f"/code/{ref}", "url": where, "versionNumber": len(versions), **unknown}

    def GetKernelSessionStatus(self, asked: dict[str, Any]) -> Answer:
        made = self._version(asked)
        if isinstance(made, tuple):
            return made
        made.looks += 1
        if made.looks <= self.ends_after:
            return 200, {"status": "QUEUED" if made.looks == 1 else "RUNNING"}
        status, failure = self.end
        return 200, {"status": status, **({"failureMessage": failure} if failure else {})}

    def ListKernelSessionOutput(self, asked: dict[str, Any]) -> Answer:
        made = self._version(asked)
        if isinstance(made, tuple):
            return made
        if made.looks <= self.ends_after:
            return 404, {"code": 404, "message": "Not found"}
        number, listed = len(self.files), []
        for name, content in self.left.items():
            path = f"output/{number}/{name.rsplit('/', 1)[-1]}"
            self.files[path] = content
            listed.append({"fileName": name, "url": f"{self.kaggle.url}/files/{quote(path)}?X-Signature=5ecre7"})
        return 200, {"files": listed, "log": self.log}

    def CreateCodeSubmission(self, asked: dict[str, Any]) -> Answer:
        label = {"versionLabel": f"v{asked['kernelVersion']}"}
        made = self._version({"userName": asked["kernelOwner"], "kernelSlug": asked["kernelSlug"], **label})
        if isinstance(made, tuple) or made.looks <= self.ends_after:
            return 400, {"code": 400, "message": "Could not find provided notebook"}
        return 200, self.kaggle.submit(asked["fileName"], 100, asked.get("submissionDescription", ""))

    def _add_data(self, ref: str, asked: dict[str, Any], files: list[dict[str, Any]]) -> Answer:
        with self._lock:
            if not all(file["token"] in self.kaggle.blobs for file in files):
                return 400, {"code": 400, "message": "A file was not uploaded"}
            names = [self.kaggle.names[file["token"]] for file in files]
            self.datasets.setdefault(ref, []).append(Made(asked, names))
        return 200, {"status": "ok", "ref": ref, "url": f"https://www.kaggle.com/datasets/{ref}"}

    def _state(self, made: Made) -> str:
        if made.looks <= self.processed_after:
            return "INDIVIDUAL_BLOBS_COMPRESSED"
        return "FAILED" if self.fails else "READY"

    def _shown(self, things: dict[str, list[Made]], ref: str) -> list[Made]:
        since = time.monotonic() - self.shown_after
        return [made for made in things.get(ref, []) if made.since <= since]

    def _version(self, asked: dict[str, Any]) -> Made | Answer:
        """Return the version of a notebook that is asked for, or the answer that there is none."""
        versions = self._shown(self.notebooks, f"{asked['userName']}/{asked['kernelSlug']}")
        labels = {f"v{number}": made for number, made in enumerate(versions, 1)}
        if not versions:
            return _denied("kernels.get")
        label = asked.get("versionLabel") or f"v{len(versions)}"
        return labels.get(label, (404, {"code": 404, "message": "Not found"}))


def _denied(what: str) -> Answer:
    return 403, {"code": 403, "message": f"Permission '{what}' was denied"}

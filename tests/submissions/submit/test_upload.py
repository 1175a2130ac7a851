"""A submission reaches Kaggle once, whatever goes wrong: the real client against a Kaggle on the loopback."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from competition.workspace import Workspace
from submissions.submit import parcel, upload
from submissions.submit.ledger import Ledger
from submissions.submit.parcel import pack
from submissions.submit.provenance import read_provenance
from tests.kaggle_server import KEY, SLUG, TOKEN, USER, KaggleServer
from tests.submissions.on_kaggle import check_no_secret_in, run
from tests.submissions.samples import blend_of

AGAIN = "Run the same command again"


def stages(workspace: Workspace) -> list[str]:
    """Return how far each entry of the ledger has come."""
    return [entry.stage for entry in Ledger.of(workspace).entries()]


def send(workspace: Workspace, *arguments: str, code: int = 0) -> str:
    return run(workspace, "submit", "first", "--message", "a mean", *arguments, code=code)


def test_a_submission_is_uploaded_confirmed_scored_and_noted(kaggle: KaggleServer, submittable: Workspace) -> None:
    kaggle.scored_after = 2
    shown = send(submittable, "--wait")
    content = (submittable.submissions / "first.csv").read_bytes()
    (submission,) = kaggle.submissions
    assert list(kaggle.blobs.values()) == [content]
    assert re.fullmatch(r"first-[0-9a-f]{16}\.csv", submission["fileName"])
    assert submission["description"] == "a mean"
    assert "first.csv is valid: 40 rows" in shown
    assert "Submissions today: 0 made, 5 left." in shown
    assert "Kaggle has accepted it as submission 1000; 4 left today." in shown
    assert re.search(
        r"1000: public 0.93001, private 0.92800, cross-fitted F2 0\.\d{4} \(0\.\d{4} to .*; complete", shown
    )
    assert kaggle.calls.count("GetSubmission") == 3
    (entry,) = Ledger.of(submittable).entries()
    provenance = read_provenance(submittable.submissions / "first.csv")
    assert (entry.stage, entry.ref, entry.status, entry.message) == ("confirmed", 1000, "complete", "a mean")
    assert (entry.public, entry.private) == (0.93001, 0.928)
    assert (entry.digest, entry.size, entry.members) == (provenance["sha256"], len(content), ("a", "b"))
    assert (entry.cross_fitted, entry.metric) == (provenance["figures"][0]["cross_fitted"], "F2")
    assert [entry.low, entry.high] == provenance["figures"][0]["interval"]
    assert entry.provenance == provenance
    assert entry.begun <= entry.sent <= entry.confirmed <= entry.scored


START = "take the file first-{marker}.csv"
# name: what fails, exit code, a line that is shown, what the ledger says, submissions on Kaggle
FAULTS: dict[str, tuple[list[tuple[str, dict]], int, str, list[str], int]] = {
    "start refused": (
        [("StartSubmissionUpload", {"status": 400, "message": "The deadline\n has passed."})],
        1,
        f"Error: Kaggle refuses to {START} (400). Kaggle says: The deadline has passed.",
        ["ended"],
        0,
    ),
    "rules not accepted": (
        [("StartSubmissionUpload", {"status": 403, "message": "You must accept the rules"})],
        1,
        f"Error: Kaggle refuses to {START} (403): are the competition's rules accepted? Kaggle says: You must "
        f"accept the rules. Open https://www.kaggle.com/competitions/{SLUG}/rules, accept them, and run the same "
        "command again. If there is no such page, correct `slug` in the competition file.",
        ["ended"],
        0,
    ),
    "closed": (
        [("CreateSubmission", {"status": 403, "message": "Late submissions are not allowed"})],
        1,
        "Error: Kaggle refuses to accept the submission (403). Kaggle says: Late submissions are not allowed.",
        ["ended"],
        0,
    ),
    "start busy": (
        [("StartSubmissionUpload", {"status": 503, "times": 2})],
        0,
        "Kaggle answers 503; next attempt in 0 s (3 of 5).",
        ["confirmed"],
        1,
    ),
    "start malformed, always": (
        [("StartSubmissionUpload", {"kind": "malformed", "times": 0})],
        1,
        f"Error: Kaggle's answer cannot be read: asked to {START}, expected JSON, received '<html>{{oops'. "
        f"Is there a proxy or a login page between? {AGAIN}.",
        ["ended"],
        0,
    ),
    "storage fails once": (
        [("PUT", {"status": 500})],
        0,
        "Kaggle answers 500 where the file is kept; next attempt in 0 s (2 of 5).",
        ["confirmed"],
        1,
    ),
    "storage fails always": (
        [("PUT", {"status": 503, "times": 0})],
        1,
        f"Error: Kaggle's storage answers 503, asked to {START}. {AGAIN} later.",
        ["ended"],
        0,
    ),
    "storage redirects": (
        [("PUT", {"kind": "redirect", "times": 0})],
        1,
        f"Error: Kaggle's storage answers 302, asked to {START}. {AGAIN} later.",
        ["ended"],
        0,
    ),
    "storage does not answer once": (
        [("PUT", {"kind": "late", "seconds": 1.5})],
        0,
        "Kaggle is not reached; next attempt in 0 s (2 of 5).",
        ["confirmed"],
        1,
    ),
    "the upload breaks off once": (
        [("PUT body", {"kind": "drop"})],
        0,
        "Kaggle is not reached; next attempt in 0 s (2 of 5).",
        ["confirmed"],
        1,
    ),
    "the upload breaks off always": (
        [("PUT body", {"kind": "drop", "times": 0})],
        1,
        f"Error: No connection to Kaggle, asked to {START}: the connection broke. Check the network. {AGAIN}.",
        ["ended"],
        0,
    ),
    "accepted, answered late": (
        [("CreateSubmission", {"kind": "late", "seconds": 1.3})],
        0,
        "No connection to Kaggle, asked to accept the submission: it does not answer.",
        ["confirmed"],
        1,
    ),
    "accepted, and dropped": (
        [("CreateSubmission", {"kind": "drop after"})],
        0,
        "Asking Kaggle whether it has the submission.",
        ["confirmed"],
        1,
    ),
    "accepted, answered in HTML": (
        [("CreateSubmission", {"kind": "malformed"})],
        0,
        "as submission 1000",
        ["confirmed"],
        1,
    ),
    "dropped before it was accepted": (
        [("CreateSubmission", {"kind": "drop"})],
        0,
        "Kaggle does not list it yet; looking for another",
        ["ended", "confirmed"],
        1,
    ),
    "dropped before it was accepted, always": (
        [("CreateSubmission", {"kind": "drop", "times": 0})],
        1,
        "Error: Kaggle has not confirmed first.csv in 2 attempts, and does not list it. "
        "Run the same command again later; it asks Kaggle first.",
        ["ended", "ended"],
        0,
    ),
    "an error in the middle": (
        [("CreateSubmission", {"status": 500})],
        0,
        "as submission 1000",
        ["ended", "confirmed"],
        1,
    ),
    "accepting is redirected": (
        [("CreateSubmission", {"kind": "redirect"})],
        0,
        "received '<html>Please sign in</html>'",
        ["ended", "confirmed"],
        1,
    ),
    "a conflict, of which nobody knows": (
        [("CreateSubmission", {"status": 409})],
        0,
        "Asking Kaggle whether it has the submission.",
        ["ended", "confirmed"],
        1,
    ),
    "accepted, and to be told again": (
        [("CreateSubmission", {"kind": "again", "times": 0})],
        0,
        "as submission 1000",
        ["confirmed"],
        1,
    ),
    "not accepted": (
        [("CreateSubmission", {"status": 400, "message": "Wrong columns"})],
        1,
        "Error: Kaggle refuses to accept the submission (400). Kaggle says: Wrong columns.",
        ["ended"],
        0,
    ),
    "not accepted, without a word": (
        [("CreateSubmission", {"status": 400}), ("GetCompetition", {"status": 404})],
        1,
        "Error: Kaggle refuses to accept the submission (400).\n",
        ["ended"],
        0,
    ),
    "too many calls, for a while": (
        [("CreateSubmission", {"status": 429, "headers": {"Retry-After": "0.01"}})],
        0,
        "Kaggle answers 429; next attempt in 0 s (2 of 5).",
        ["confirmed"],
        1,
    ),
    "too many calls": (
        [("CreateSubmission", {"status": 429, "headers": {"Retry-After": "900"}})],
        1,
        f"Error: Kaggle asks for fewer calls (429), unable to accept the submission. {AGAIN} in 900 s.",
        ["ended"],
        0,
    ),
    "unknown competition": (
        [("ListSubmissions", {"status": 404})],
        1,
        f"Error: Kaggle answers that there is no such thing (404), asked to list the submissions. Is there a "
        f"competition https://www.kaggle.com/competitions/{SLUG}? If not, correct `slug` in the competition file.",
        [],
        0,
    ),
    "the list is not to be had": (
        [("ListSubmissions", {"kind": "drop", "times": 0})],
        1,
        "Error: No connection to Kaggle, asked to list the submissions: the connection broke. Check the network. "
        f"{AGAIN}.",
        [],
        0,
    ),
    "the limits are not to be had": (
        [("GetSubmissionLimits", {"status": 500, "times": 0})],
        0,
        "How many submissions are left today is not known",
        ["confirmed"],
        1,
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_goes_wrong_is_said_and_noted(case: str, kaggle: KaggleServer, submittable: Workspace) -> None:
    faults, failed, line, expected, count = FAULTS[case]
    for what, options in faults:
        kaggle.fail(what, **options)
    shown = send(submittable, code=2 * failed)
    marker = pack("first", submittable).marker
    assert line.replace("{marker}", marker) in shown
    if failed:
        assert shown.splitlines()[-1].startswith("Error: ")
        assert shown.count("Error: ") == 1
    assert stages(submittable) == expected
    assert len(kaggle.submissions) == count
    for entry in Ledger.of(submittable).entries():
        assert (entry.stage == "ended") == bool(entry.error)
    check_no_secret_in(submittable.root)


@pytest.mark.parametrize("case", [case for case in FAULTS if FAULTS[case][1]])
def test_the_same_command_succeeds_when_the_fault_has_passed(
    case: str, kaggle: KaggleServer, submittable: Workspace
) -> None:
    for what, options in FAULTS[case][0]:
        kaggle.fail(what, **options)
    send(submittable, code=2)
    kaggle.faults.clear()
    assert "accepted it as submission 1000" in send(submittable)
    assert len(kaggle.submissions) == 1
    assert stages(submittable) == [*FAULTS[case][3], "confirmed"]


def test_a_file_is_submitted_once_unless_asked_for_again(kaggle: KaggleServer, submittable: Workspace) -> None:
    send(submittable, "--wait")
    path = submittable.submissions / "first.csv"
    (submittable.submissions / "other.csv").write_bytes(path.read_bytes())
    for name in ("first", "other", str(path)):
        calls = len(kaggle.calls)
        shown = run(submittable, "submit", name, "--message", "b", code=2)
        assert re.search(
            r"was submitted already, on \d{4}-\d\d-\d\d \d\d:\d\d as 1000 \('a mean', public 0.93001\)", shown
        )
        assert f'To see its score, run "python run.py submissions sync --workspace {submittable.root}".' in shown
        assert "Give --again to submit the same once more." in shown
        assert ("other.csv, with the content of first, was" in shown) == (name == "other")
        assert len(kaggle.calls) == calls
    assert "accepted it as submission 1001" in send(submittable, "--again")
    assert [entry.ref for entry in Ledger.of(submittable).entries()] == [1000, 1001]


def test_a_file_that_another_machine_submitted_is_known(kaggle: KaggleServer, submittable: Workspace) -> None:
    """The ledger is lost, or in another workspace: the name of the file on Kaggle says what it is."""
    send(submittable, "--gzip")
    submittable.ledger.unlink()
    assert "submissions sync" in send(submittable, code=2)  # it is known that there was one
    submittable.ledger.with_suffix(".json").unlink()
    assert "first.csv was submitted already, on" in send(submittable, code=2)
    (entry,) = Ledger.of(submittable).entries()  # the provenance tells what it was
    provenance = read_provenance(submittable.submissions / "first.csv")
    assert (entry.name, entry.digest, entry.provenance) == ("first", provenance["sha256"], provenance)
    assert entry.cross_fitted == provenance["figures"][0]["cross_fitted"]
    assert len(kaggle.submissions) == 1
    assert "StartSubmissionUpload" in kaggle.calls[: kaggle.calls.index("CreateSubmission")]
    assert kaggle.calls.count("StartSubmissionUpload") == 1


def test_an_unanswered_submission_is_found_by_its_message_where_kaggle_keeps_no_names(
    kaggle: KaggleServer, submittable: Workspace
) -> None:
    kaggle.with_names = False
    send(submittable, "--again")
    kaggle.fail("CreateSubmission", "drop after")
    assert "as submission 1001" in send(submittable, "--again")
    assert len(kaggle.submissions) == 2


@pytest.mark.parametrize("message", ["a  mean", "a" * 1001])
def test_it_is_found_by_any_message(message: str, kaggle: KaggleServer, submittable: Workspace) -> None:
    kaggle.with_names = False
    kaggle.fail("CreateSubmission", "drop after")
    assert "as submission 1000" in run(submittable, "submit", "first", "--message", message)
    assert len(kaggle.submissions) == 1


def test_what_is_listed_late_is_waited_for(kaggle: KaggleServer, submittable: Workspace) -> None:
    kaggle.listed_after = 1.0
    kaggle.fail("CreateSubmission", "drop after")
    assert "as submission 1000" in send(submittable)
    assert len(kaggle.submissions) == 1


def test_another_submission_is_not_taken_for_the_unanswered_one(kaggle: KaggleServer, submittable: Workspace) -> None:
    kaggle.blobs["x"], kaggle.names["x"] = b"x", "first-0123456789abcdef.csv"
    kaggle.fail("CreateSubmission", "drop")
    threading.Timer(0.3, lambda: kaggle.accept("x", "a mean")).start()
    assert "as submission 1001" in send(submittable)
    assert sorted(entry.ref or 0 for entry in Ledger.of(submittable).entries()) == [0, 1000, 1001]


def test_a_submission_is_compressed_on_request(kaggle: KaggleServer, submittable: Workspace) -> None:
    send(submittable, "--gzip")
    (content,) = kaggle.blobs.values()
    assert gzip.decompress(content) == (submittable.submissions / "first.csv").read_bytes()
    assert kaggle.submissions[0]["fileName"].endswith(".csv.gz")


def test_a_dry_run_asks_nobody(kaggle: KaggleServer, submittable: Workspace) -> None:
    shown = send(submittable, "--dry-run")
    assert f"to {SLUG} would be submitted with the message 'a mean'. Nothing has left this machine." in shown
    assert kaggle.calls == []
    assert not submittable.ledger.exists()
    assert "first-" in run(submittable, "submit", "first.csv", "--message", "x", "--dry-run")


def test_an_invalid_file_is_not_sent(kaggle: KaggleServer, submittable: Workspace) -> None:
    path = submittable.submissions / "mine.csv"
    path.write_text("image_name,tags\n")
    assert "mine.csv is not a valid submission. missing ids: 40" in run(
        submittable, "submit", "mine", "--message", "x", code=2
    )
    (submittable.submissions / "first.csv").write_text("image_name,tags\n")
    assert "was changed after it was written" in send(submittable, code=2)
    assert kaggle.calls == []


def test_a_file_that_changes_while_it_is_checked_is_not_sent(
    kaggle: KaggleServer, submittable: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = submittable.submissions / "mine.csv"
    path.write_text((submittable.submissions / "first.csv").read_text())
    validate = parcel.validate_submission

    def change(*arguments: object, **options: object) -> object:
        report = validate(*arguments, **options)  # type: ignore[arg-type]
        path.write_text(path.read_text().replace("primary", "clear"))
        return report

    monkeypatch.setattr(parcel, "validate_submission", change)
    shown = run(submittable, "submit", "mine", "--message", "x", code=2)
    assert "mine.csv is changing while it is read." in shown
    assert kaggle.calls == []


def test_without_a_name_the_latest_is_submitted(kaggle: KaggleServer, submittable: Workspace) -> None:
    assert "accepted it as" in run(submittable, "submit", "--message", "x")
    for path in submittable.submissions.iterdir():
        path.unlink()
    missing = run(submittable, "submit", "frist", "--message", "x", code=2)
    assert missing.endswith(f"In {submittable.submissions} there are: none.\n")
    assert "No submissions in" in run(submittable, "submit", "--message", "x", code=2)


def test_a_file_that_is_older_than_its_blend_is_not_sent_unsaid(
    kaggle: KaggleServer, submittable: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(submittable.submissions)
    blend_of("first", ["b"], submittable, rule="fixed")  # and its submission was not written
    for name in ("first", "first.csv", None):  # the second is a path
        told = f"submit {name} --as-is" if name else "submit --as-is"
        shown = run(submittable, *filter(None, ["submit", name]), code=2)
        assert "first.csv is of another 'first' than there is now: that was made anew, or pulled, since." in shown
        assert 'To write the submission again, run "python run.py blend --members b --name first' in shown
        assert f'to submit it as it is, run "python run.py {told} --workspace' in shown
    for suffix in ("csv", "json"):  # a copy that was kept on purpose
        shutil.copy(submittable.submissions / f"first.{suffix}", submittable.submissions / f"kept.{suffix}")
    assert "Dry run" in run(submittable, "submit", "kept", "--dry-run")
    assert kaggle.calls == []
    assert "submission 1000" in send(submittable, "--as-is")
    (entry,) = Ledger.of(submittable).entries()
    assert entry.members == ("a", "b")


def test_a_message_with_the_token_is_refused(kaggle: KaggleServer, submittable: Workspace) -> None:
    shown = run(submittable, "submit", "first", "--message", f"my {TOKEN}", code=2)
    assert "--message holds a Kaggle token" in shown
    assert kaggle.calls == []


def test_no_submission_is_left_today(kaggle: KaggleServer, submittable: Workspace) -> None:
    kaggle.made, kaggle.left = 5, 0
    shown = send(submittable, code=2)
    assert re.search(r"No submissions are left today: 5 were made. Counting .* at 00:00 UTC, in \d+ h \d+ min\.", shown)
    assert "StartSubmissionUpload" not in kaggle.calls
    kaggle.made = 0  # who has never submitted is in no team, and Kaggle says 0 of 0
    send(submittable)


def test_no_submission_is_left_at_all(kaggle: KaggleServer, submittable: Workspace) -> None:
    kaggle.is_spent = True
    assert "The competition allows the team no more submissions. Nothing was uploaded." in send(submittable, code=2)


def test_a_submission_that_cannot_be_scored_ends_with_why(kaggle: KaggleServer, submittable: Workspace) -> None:
    send(submittable)
    kaggle.submissions[0] |= {"status": "ERROR", "errorDescription": "Evaluation\x1b[2J exception"}
    kaggle.made = 0
    kaggle.fail("CreateSubmission", "drop after")
    send(submittable, "--again")
    kaggle.submissions[1] |= {"status": "ERROR", "errorDescription": "Evaluation\x1b[2J exception"}
    run(submittable, "submissions", "sync")
    assert [(entry.state, entry.error) for entry in Ledger.of(submittable).entries()] == [
        ("error", "Evaluation [2J exception")
    ] * 2
    shown = run(submittable, "submissions", "list")
    assert shown.count("was not scored: Evaluation [2J exception") == 2


def test_a_score_that_does_not_come_is_not_waited_for_for_ever(
    kaggle: KaggleServer, submittable: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PATIENCE", 0.2)
    kaggle.scored_after = 10**6
    shown = send(submittable, "--wait", code=2)
    assert "Error: Kaggle has accepted submission 1000, but its score is not known yet: 0 min have passed. To" in shown
    assert "1 submission not scored when last seen" in run(submittable, "submissions", "list")
    assert stages(submittable) == ["confirmed"]


def test_stopped_while_it_waits_the_submission_is_with_kaggle(
    kaggle: KaggleServer, submittable: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(upload, "_look", lambda *_: press_ctrl_c(None))
    shown = send(submittable, "--wait", code=130)
    assert "Stopped waiting. Kaggle has accepted submission 1000. To see its score later, run" in shown
    assert f'"python run.py submissions sync --workspace {submittable.root}"' in shown


def test_a_score_that_cannot_be_asked_for_leaves_the_submission_confirmed(
    kaggle: KaggleServer, submittable: Workspace
) -> None:
    kaggle.fail("GetSubmission", status=404, times=0)
    shown = send(submittable, "--wait", code=2)
    assert "Error: Kaggle has accepted submission 1000, but its score is not known yet: Kaggle answers that" in shown
    assert f'later, run "python run.py submissions sync --workspace {submittable.root}".' in shown
    assert stages(submittable) == ["confirmed"]


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"KAGGLE_API_TOKEN": "KGAT_not_the_right_one"}, "Kaggle does not accept the credentials in KAGGLE_API_TOKEN"),
        (
            {"KAGGLE_API_TOKEN": "", "KAGGLE_USERNAME": USER, "KAGGLE_KEY": "another key"},
            "Kaggle does not accept the credentials in KAGGLE_USERNAME and KAGGLE_KEY: expired, revoked or mistyped.",
        ),
        ({"KAGGLE_API_TOKEN": ""}, "No Kaggle credentials. Looked for KAGGLE_API_TOKEN (a token, or the path of"),
        ({"KAGGLE_API_TOKEN": "x" * 300}, "Error: "),
    ],
)
def test_credentials_that_do_not_serve_are_named(
    environment: dict[str, str],
    line: str,
    kaggle: KaggleServer,
    submittable: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shown = send(submittable, code=2)
    assert line in shown
    assert not [value for name, value in environment.items() if value and "USER" not in name and value in shown]
    assert kaggle.submissions == []


def test_a_key_of_the_old_kind_serves(
    kaggle: KaggleServer, submittable: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "")
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    send(submittable)


def test_a_token_that_others_may_read_is_warned_of(
    kaggle: KaggleServer, submittable: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "home" / ".kaggle" / "access_token"
    path.parent.mkdir()
    path.write_text(TOKEN)
    path.chmod(0o644)
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    assert f'Warning: other users of this machine may read {path}. Run "chmod 600 {path}".' in send(submittable)
    path.chmod(0o600)
    assert "Warning" not in send(submittable, "--again")


def test_no_network_is_one_line(kaggle: KaggleServer, submittable: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from kagglesdk import kaggle_env

    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://127.0.0.1:9")
    shown = send(submittable, code=2)
    assert (
        f"Error: No connection to Kaggle, asked to sign in: it cannot be reached. Check the network. {AGAIN}." in shown
    )


@pytest.mark.parametrize("spoilt", [{"ref": 0}, {"ref": -1}, {"ref": 2**64}, {"status": "MAYBE"}, {"date": "now"}])
def test_a_list_that_cannot_be_is_one_line(spoilt: dict, kaggle: KaggleServer, submittable: Workspace) -> None:
    send(submittable)
    kaggle.submissions[0] |= spoilt
    assert "Error: Kaggle's answer cannot be read: asked to list the submissions" in run(
        submittable, "submissions", "sync", code=2
    )


@pytest.mark.parametrize("with_tokens", [True, False])
def test_sync_pulls_what_was_submitted_elsewhere(
    with_tokens: bool, kaggle: KaggleServer, submittable: Workspace
) -> None:
    kaggle.with_tokens = with_tokens
    send(submittable, "--wait")
    kaggle.score = ("", "")
    for number in range(120):
        kaggle.names[str(number)], kaggle.blobs[str(number)] = f"notebook {number}.csv", b"x"
        kaggle.accept(str(number), f"from a team mate, {number}")
    shown = run(submittable, "submissions", "sync")
    assert "Kaggle lists 121 submissions: 120 made elsewhere, 120 newly scored, 0 newly confirmed." in shown
    assert "0 made elsewhere, 0 newly scored" in run(submittable, "submissions", "sync")
    entries = Ledger.of(submittable).entries()
    assert len({entry.ref for entry in entries}) == len(entries) == 121
    assert entries[-1].public is None  # no score in the text is none
    listed = json.loads(run(submittable, "submissions", "list", "--json"))
    assert [entry["ref"] for entry in listed["submissions"]] == [entry.ref for entry in entries]
    assert listed["correlation"]["public"]["count"] == 1
    assert "from a team mate, 119" in run(submittable, "submissions", "list")


def test_an_empty_ledger_is_shown_without_being_made(submittable: Workspace) -> None:
    assert "No submissions yet" in run(submittable, "submissions", "list")
    assert json.loads(run(submittable, "submissions", "list", "--json"))["submissions"] == []
    assert not submittable.ledger.exists()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (
            lambda path: path.write_bytes(b"not a database" * 100),
            "file is not a database. If it is damaged, move it away",
        ),
        (lambda path: path.mkdir(), "unable to open database file"),
    ],
)
def test_a_ledger_that_cannot_be_used_stops_before_the_upload(
    spoil: Callable[[Path], object], line: str, kaggle: KaggleServer, submittable: Workspace
) -> None:
    spoil(submittable.ledger)
    assert line in send(submittable, code=2)
    assert kaggle.calls == []

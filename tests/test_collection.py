"""Shares of a study, runs in a list, and what of them no front needs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from ablate.collection import pruning
from ablate.collection.command import size
from ablate.collection.listing import list_runs, size_of
from ablate.folder import RunError, RunFolder
from ablate.runs.sharing import Share, require_shareable
from ablate.study import load_study
from tests.conftest import Cli
from tests.runs_by_hand import ALL, a_run, key_of, rest


@dataclass(frozen=True)
class Numbered:
    """A trial with a key."""

    row: str


def test_shares_hold_every_trial_once_and_are_equal_to_a_trial():
    trials = [Numbered(f"{(number * 7919) % 1009:04d}") for number in range(13)]
    for of in range(1, 15):
        shares = [Share(number, of).part(trials) for number in range(1, of + 1)]
        assert sorted(t.row for share in shares for t in share) == sorted(t.row for t in trials)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
        for share in shares:
            assert share == [trial for trial in trials if trial in share]


def test_a_share_does_not_depend_on_the_order_of_the_trials():
    trials = [Numbered(key) for key in "dacbfe"]
    share = Share(2, 3)
    assert (
        set(share.part(trials)) == set(share.part(trials[::-1])) == {Numbered("b"), Numbered("e")}
    )


def test_a_share_is_read_as_it_is_written():
    assert Share.read("2/8") == Share(2, 8)
    assert str(Share(2, 8)) == "2/8"
    assert Share(2, 8).suffix == "shard-2-of-8"


@pytest.mark.parametrize("text", ["0/8", "9/8", "2", "2/", "a/b", "-1/3", "1/0", "1.5/2", ""])
def test_what_is_no_share_is_said(text: str):
    with pytest.raises(RunError) as error:
        Share.read(text)
    assert str(error.value) == (
        f"--shard: expected i/n with i from 1 to n, such as 2/8; got '{text}'"
    )


def study_with(search: dict[str, object]):
    return load_study(
        {
            "question": "?",
            "task": {"degradation": "gaussian_noise"},
            "network": {"width": 4, "stage": [{"block": ["nafblock", "identity"]}]},
            "training": {"steps": 4, "batch": 2, "crop": 16, "seeds": 1},
            "search": search,
            "report": {"objectives": ["psnr", "params"]},
        }
    )


@pytest.mark.parametrize(
    ("search", "reason"),
    [
        ({"strategy": "tpe"}, "the search tpe proposes by what it has seen"),
        ({"strategy": "grid", "rungs": [2]}, "[search] rungs compares all mixes at each rung"),
        ({"strategy": "grid", "confirm": 3}, "[search] confirm needs the front of all mixes"),
        ({"strategy": "grid", "stop": {"flat": 2}}, "[search.stop] looks at all trials"),
    ],
)
def test_what_depends_on_results_cannot_be_shared_out(search: dict[str, object], reason: str):
    with pytest.raises(RunError) as error:
        require_shareable(study_with(search))
    assert str(error.value).startswith(
        f"--shard: {reason}, and a share knows only its own trials; run it whole "
        "(ablate run --engine ray), or choose a design: "
    )
    assert "grid, " in str(error.value)
    assert "tpe" not in str(error.value).partition("design: ")[2]


def test_designs_can_be_shared_out():
    require_shareable(study_with({"strategy": "grid"}))
    require_shareable(study_with({"strategy": "random", "n": 2}))


def test_runs_are_listed_with_what_they_found_the_latest_first(tmp_path: Path):
    old = a_run(tmp_path / "old", ALL[:3], objectives=("params",))
    a_run(tmp_path / "new", ALL)
    with old.open(writable=True) as record:
        record.note("", "remark", "x")
    for path, when in (
        (old.record, 1_000_000_000),
        (tmp_path / "new/record.sqlite", 2_000_000_000),
    ):
        os.utime(path, (when, when))
    (tmp_path / "no run").mkdir()
    new, before = list_runs(tmp_path)
    assert (new.name, new.done, new.failed, new.state) == ("new", 6, 0, "idle")
    assert (new.best, new.value) == ("emvm", "27.05 dB")
    assert new.when == "2033-05-18T03:33:20+00:00"
    assert (before.name, before.best, before.value) == ("old", "identity", "100")
    assert new.size == size_of(tmp_path / "new") > 0
    assert list_runs(tmp_path / "new") == [new]


def test_a_run_that_goes_on_is_listed_as_such(tmp_path: Path):
    place = a_run(tmp_path / "a", ALL[:1], status="failed")
    with place.held():
        (now,) = list_runs(tmp_path)
    assert (now.state, now.done, now.failed, now.best) == ("starting", 0, 1, "")


def test_a_run_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path):
    a_run(tmp_path / "good", ALL[:1])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "record.sqlite").write_bytes(b"")
    found = {run.name: run for run in list_runs(tmp_path)}
    assert found["good"].done == 1
    assert found["bad"].state == "unreadable"
    assert found["bad"].problem.endswith("record.sqlite: is empty (0 bytes), not a record")


def test_the_list_as_a_table_and_as_json(cli: Cli, tmp_path: Path):
    a_run(tmp_path / "mine", ALL[:3])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "record.sqlite").write_bytes(b"")
    code, out, _ = cli("runs", tmp_path)
    assert code == 0
    for words in ("mine", "idle", "lama", "26.05 dB", "unreadable", "is empty (0 bytes)"):
        assert words in out
    code, out, _ = cli("runs", tmp_path, "--json")
    assert {run["name"]: run["done"] for run in json.loads(out)} == {"mine": 3, "bad": 0}


@pytest.mark.parametrize(("width", "left_out"), [(80, "last written, size"), (120, "")])
def test_the_list_fits_a_terminal_with_its_words_whole(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, left_out: str
):
    for name in ("where_does_mamba_pay", "quickstart"):
        a_run(tmp_path / name, ALL)
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = cli("runs", tmp_path)
    remark = f"not shown here: {left_out}; a wider terminal or --json has all"
    table = [line.rstrip() for line in out.splitlines() if line.strip() and line != remark]
    assert (remark in out) == bool(left_out)
    assert len(table) == 4
    assert max(map(len, table)) <= width
    for words in ("where_does_mamba_pay", "quickstart", "idle", "emvm", "27.05 dB"):
        assert words in out
    assert ("size" in table[0]) == (not left_out)


def test_no_runs_is_said(cli: Cli, tmp_path: Path):
    code, out, _ = cli("runs", tmp_path)
    assert code == 0
    assert "no runs; start one: ablate run STUDY" in out
    code, _, err = cli("runs", tmp_path / "nowhere")
    assert code == 2
    assert err.endswith("nowhere: no such folder; runs lie in runs/ where they were started\n")


def test_weights_off_the_front_are_spare(tmp_path: Path):
    place = a_run(tmp_path / "a", objectives=("psnr",))
    (place.path / "checkpoints" / "stray.pt").write_bytes(b"of nobody")
    found = pruning.spare(place.path)
    assert {file.stem for file in found.weights} == {key_of(*trial) for trial in ALL[:4]}
    assert (len(found.states), found.shared, found.kept) == (0, 0, 3)
    assert found.size == sum(file.stat().st_size for file in found.weights)
    assert all(file.exists() for file in found.files)


def test_pruning_removes_them_and_leaves_the_record(tmp_path: Path):
    place = a_run(tmp_path / "a", objectives=("psnr",))
    before = (place.path / "record.sqlite").exists()
    pruning.prune(place.path)
    left = {file.stem for file in place.path.glob("checkpoints/*.pt")}
    assert left == {key_of(2, 0), key_of(2, 1)}
    with place.open() as record:
        assert before
        assert len(record.trials()) == 6
        assert record.facts()["pruned"].endswith(": weights of 4 trials")
    again = pruning.prune(place.path)
    assert (again.files, again.size, again.kept) == ((), 0, 2)


def test_weights_that_another_run_shares_free_nothing(tmp_path: Path):
    place = a_run(tmp_path / "a", objectives=("psnr",))
    weights = place.checkpoint(key_of(0, 0))
    (tmp_path / "elsewhere").hardlink_to(weights)
    found = pruning.spare(place.path)
    assert found.shared == 1
    assert found.size == sum(f.stat().st_size for f in found.weights if f != weights)


def test_states_of_settled_trials_are_spare_and_of_resting_ones_once_the_run_is_over(
    tmp_path: Path,
):
    place = a_run(tmp_path / "a", ALL[:4], objectives=("psnr",))
    rest(place, 2, 0)
    rest(place, 0, 0)
    assert [file.stem for file in pruning.spare(place.path).states] == [key_of(0, 0)]
    status = {"pid": 1, "host": "h", "started": 0.0, "updated": 0.0, "state": "done", "format": 1}
    (place.path / "status.json").write_text(json.dumps(status))
    spare = {file.stem for file in pruning.spare(place.path).states}
    assert spare == {key_of(0, 0), key_of(2, 0)}


def test_without_a_front_nothing_is_pruned(tmp_path: Path):
    place = a_run(tmp_path / "a", ALL[:2], status="failed")
    with pytest.raises(RunError, match=r"no mix is on a front yet, so nothing can be told"):
        pruning.prune(place.path)


def test_a_run_that_goes_on_is_not_pruned(tmp_path: Path):
    place = a_run(tmp_path / "a")
    with place.held(), pytest.raises(RunError, match="has been running this study since"):
        pruning.prune(place.path)
    with pytest.raises(RunError, match="no run is here"):
        pruning.prune(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_pruning_asks_first(cli: Cli, tmp_path: Path):
    place = a_run(tmp_path / "a", objectives=("psnr",))
    code, out, _ = cli("prune", place.path)
    assert code == 0
    assert "can be freed: 4 weights that no front needs; 2 weights are kept" in out
    assert "nothing was removed; to do it: ablate prune" in out
    assert len(list(place.path.glob("checkpoints/*.pt"))) == 6
    code, out, _ = cli("prune", place.path, "--yes")
    assert " freed: 4 weights that no front needs" in out
    assert len(list(place.path.glob("checkpoints/*.pt"))) == 2
    code, out, _ = cli("prune", place.path)
    assert out.endswith("nothing to free; 2 weights on the front are kept\n")
    code, out, _ = cli("prune", place.path, "--json")
    assert json.loads(out)[0]["size"] == 0


def test_runs_are_joined_from_the_command_line(cli: Cli, tmp_path: Path):
    runs = [a_run(tmp_path / name, part).path for name, part in (("a", ALL[:3]), ("b", ALL[3:]))]
    code, out, _ = cli("merge", *runs, "--out", tmp_path / "all")
    assert code == 0
    assert out.startswith("2 runs joined into ")
    assert "3 mixes, 6 trials\n" in out
    assert RunFolder(tmp_path / "all").record.exists()
    code, out, _ = cli("merge", *runs, "--out", tmp_path / "json", "--json")
    assert json.loads(out)["trials"] == 6
    code, _, err = cli("merge", *runs, "--out", tmp_path / "all")
    assert code == 2
    assert err.endswith("all: exists already; name a folder that does not, to join the runs in\n")


@pytest.mark.parametrize(
    ("count", "words"),
    [(12, "12 B"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (1 << 50, "1024.0 TiB")],
)
def test_bytes_for_people(count: int, words: str):
    assert size(count) == words

"""A run for other programs: an Optuna study that holds all of it, and a table of trials."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from ablate.exporting.database import Exported, ExportError, export_optuna
from ablate.exporting.table import export_csv
from ablate.folder import RunError
from reports.numbers.results import results
from reports.record import Measurement, Metric, MixRow, PartialRow, Record, TrialRow
from tests.conftest import Cli
from tests.simulated_run import simulate

SMALL = {"stage1": 2, "stage2": 2}


def simulated(folder: Path) -> Path:
    """Four mixes and a baseline with two seeds each; the first of each of two mixes is broken."""
    folder.mkdir()
    simulate(folder / "record.sqlite", SMALL, seeds=2, pictures=False, broken=2)
    with Record.open(folder / "record.sqlite", writable=True) as record:
        record.set_fact("started", "2026-11-21T12:00:00")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return simulated(tmp_path / "run")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Exported]:
    """A run, the database that it was exported to, and what was said of that."""
    folder = tmp_path_factory.mktemp("exported")
    run, url = simulated(folder / "run"), f"sqlite:///{folder}/x.db"
    before = (run / "record.sqlite").read_bytes()
    done = export_optuna(run, url)
    assert (run / "record.sqlite").read_bytes() == before
    return run, url, done


def loaded(url: str, name: str = "where_does_mamba_pay") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=url)


def test_every_mix_is_a_trial_with_its_levels_objectives_and_all_else(
    exported: tuple[Path, str, Exported],
):
    run, url, done = exported
    with Record.open(run / "record.sqlite") as record:
        table, levels = results(record), record.levels()
    study = loaded(url)
    assert done.study == "where_does_mamba_pay"
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["psnr_dB", "latency_s"]
    assert study.user_attrs["question"] == "In which stage does Mamba pay for its latency?"
    assert len(study.trials) == len(table) == 5
    for trial, (key, row) in zip(study.trials, table.iterrows(), strict=True):
        own = levels[levels["mix"] == key].set_index("axis")["level"].to_dict()
        assert trial.params == own
        assert trial.user_attrs["mix"] == key
        assert trial.user_attrs["label"] == row["label"]
        assert trial.user_attrs["params"] == row["params"]
        assert trial.user_attrs["macs_MAC"] == row["macs"]
        assert trial.user_attrs["spreads"]["latency_low_s"] == row["latency_low"]
        if row["status"] == "diverged":
            assert trial.state == TrialState.FAIL
        else:
            assert trial.state == TrialState.COMPLETE
            assert trial.values == [row["psnr"], row["latency"]]
    assert done.states == {"FAIL": 1, "COMPLETE": 4}


def test_optunas_own_front_is_ours(exported: tuple[Path, str, Exported]):
    run, url, _ = exported
    with Record.open(run / "record.sqlite") as record:
        table = results(record)
    ours = set(table.index[table["on_front"].astype(bool)])
    assert {trial.user_attrs["mix"] for trial in loaded(url).best_trials} == ours


def test_reasons_and_curves_go_along(exported: tuple[Path, str, Exported]):
    run, url, _ = exported
    broken, partly, whole, *_ = loaded(url).trials
    assert broken.user_attrs["reason"] == "loss is nan at step 130"
    assert partly.user_attrs["reason"] == "RuntimeError: out of memory"
    assert (partly.user_attrs["trials"], whole.user_attrs["trials"]) == (1, 2)
    assert "reason" not in whole.user_attrs
    with Record.open(run / "record.sqlite") as record:
        curve, trials = record.curve(), record.trials()
    keys = trials[trials["mix"] == whole.user_attrs["mix"]]["key"]
    points = curve[curve["trial"].isin(keys) & (curve["name"] == "psnr")]
    expected = points.groupby("step")["value"].mean()
    assert whole.intermediate_values == pytest.approx(expected.to_dict())
    assert whole.duration is not None
    assert whole.duration.total_seconds() == pytest.approx(40.0)


def test_what_is_not_measured_yet_is_not_complete(tmp_path: Path):
    only = {"stage1": 1, "stage2": 2}
    path = simulate(tmp_path / "record.sqlite", only, seeds=1, latency=False, pictures=False)
    with Record.open(path, writable=True) as record:
        record.add_mixes([MixRow("new", "a new one", "{}", {"stage1": "lama", "stage2": "emvm"})])
    url = f"sqlite:///{tmp_path}/x.db"
    done = export_optuna(tmp_path, url)
    assert done.states == {"RUNNING": 2, "COMPLETE": 1, "WAITING": 1}
    waiting = loaded(url).trials[-1]
    assert (waiting.state, waiting.params["stage2"]) == (TrialState.WAITING, "emvm")


def test_levels_that_are_numbers_stay_numbers_in_their_order(tmp_path: Path):
    with Record.create(
        tmp_path / "record.sqlite", "demo", "", "?", {}, ("psnr", "params")
    ) as record:
        record.define([Metric("psnr", "dB", "higher"), Metric("params", "", "lower")])
        for number, (depth, rate) in enumerate([("10", "0.5"), ("2", "1e-3"), ("2", "0.5")]):
            key = f"m{number}"
            record.add_mixes([MixRow(key, key, "{}", {"depth": depth, "rate": rate})])
            values = [Measurement(f"t{number}", "psnr", 20.0 + number)]
            record.add_trial(TrialRow(f"t{number}", key, 0, "done"), values)
            record.add_sitting([Measurement(key, "params", 100)])
    url = f"sqlite:///{tmp_path}/x.db"
    export_optuna(tmp_path, url, "renamed")
    first = loaded(url, "renamed").trials[0]
    assert first.params == {"depth": 10, "rate": 0.5}
    choices = {name: kind.choices for name, kind in first.distributions.items()}
    assert choices == {"depth": (2, 10), "rate": (1e-3, 0.5)}


def test_exported_again_it_takes_the_place_of_what_was_exported_before(run: Path, tmp_path: Path):
    url = f"sqlite:///{tmp_path}/x.db"
    export_optuna(run, url)
    with Record.open(run / "record.sqlite", writable=True) as record:
        record.add_mixes([MixRow("new", "a new one", "{}")])
    export_optuna(run, url)
    assert len(loaded(url).trials) == 6
    assert optuna.get_all_study_names(storage=url) == ["where_does_mamba_pay"]


def test_a_study_of_another_run_is_left_alone(run: Path, tmp_path: Path):
    url = f"sqlite:///{tmp_path}/x.db"
    export_optuna(run, url)
    with Record.open(run / "record.sqlite", writable=True) as record:
        record.set_fact("started", "later")
    with pytest.raises(ExportError) as error:
        export_optuna(run, url)
    assert str(error.value) == (
        "--optuna: there is a study 'where_does_mamba_pay' already, and not of this run; "
        "choose another name: --name where_does_mamba_pay-2"
    )
    export_optuna(run, url, "where_does_mamba_pay-2")
    assert len(optuna.get_all_study_names(storage=url)) == 2


def test_where_it_cannot_be_written_is_said_in_one_line(run: Path, tmp_path: Path):
    (tmp_path / "text.db").write_text("not a database at all, only words " * 100)
    refused = {
        "x.db": "expected the URL of a database; got 'x.db', try: sqlite:///x.db",
        "": "expected the URL of a database; got '', try: sqlite:///x.db",
        "sqlite:///:memory:": ":memory: is a database in memory, gone at once; name a file: sqlite:///",
        f"sqlite:///{tmp_path}/none/x.db": f"the folder {tmp_path}/none does not exist",
        f"sqlite:///{run}/record.sqlite": "record.sqlite is the record of a run; name another file",
        f"sqlite:///{tmp_path}/text.db": "text.db cannot be written (file is not a database)",
        "oracle://me:secret@host/x": "oracle://me:***@host/x cannot be written (",
    }
    for url, words in refused.items():
        with pytest.raises(ExportError) as error:
            export_optuna(run, url)
        said = str(error.value)
        assert said.startswith("--optuna: ")
        assert words in said
        assert "\n" not in said
        assert "secret" not in said


def test_the_table_has_a_row_for_each_trial_and_each_mix_without_one(run: Path, tmp_path: Path):
    with Record.open(run / "record.sqlite", writable=True) as record:
        record.add_mixes([MixRow("new", "ein früher Mix", "{}", {"stage1": "lama"})])
        trials, table = record.trials(), results(record)
        psnr = record.measurements().query("metric == 'psnr'").set_index("subject")["value"]
    file = tmp_path / "trials of a run.csv"
    assert export_csv(run, file) == len(trials) + 1 == 11
    found = pd.read_csv(file)
    assert list(found.columns[:4]) == ["mix", "label", "stage1", "stage2"]
    assert not list(tmp_path.glob(".*"))
    done = found[found["status"] == "done"].set_index("trial")
    assert done["psnr_dB"].to_dict() == pytest.approx(psnr[done.index].to_dict())
    latency = table.loc[done["mix"], "latency"].tolist()
    assert done["latency_s"].tolist() == pytest.approx(latency, rel=1e-12)
    assert set(found["status"]) == {"done", "diverged", "failed", "waiting"}
    (waiting,) = found[found["status"] == "waiting"].to_dict("records")
    assert waiting["label"] == "ein früher Mix"
    assert pd.isna(waiting["seed"])
    assert set(found[found["status"] == "failed"]["reason"]) == {"RuntimeError: out of memory"}
    assert "on_front" not in found


def test_export_says_what_was_written(cli: Cli, run: Path, tmp_path: Path):
    url = f"sqlite:///{tmp_path}/x.db"
    code, out, errors = cli("export", run, "--optuna", url, "--csv", tmp_path / "x.csv")
    assert (code, errors) == (0, "")
    assert out.splitlines() == [
        f"{tmp_path / 'x.csv'}: 10 rows",
        f"{url}: study where_does_mamba_pay: 1 FAIL, 4 COMPLETE",
        f"look at it: optuna-dashboard {url}",
    ]
    code, out, _ = cli("export", run, "--optuna", url, "--name", "b", "--json")
    assert json.loads(out)["optuna"]["states"] == {"FAIL": 1, "COMPLETE": 4}
    with sqlite3.connect(tmp_path / "x.db") as database:
        assert database.execute("SELECT count(*) FROM studies").fetchone() == (2,)


def test_export_asks_where_to_and_what(cli: Cli, run: Path, tmp_path: Path):
    code, _, errors = cli("export", run)
    assert code == 2
    ways = "--optuna sqlite:///FILE.db, --csv FILE, or both"
    assert errors == f"export: {run}: say where to: {ways}\n"
    code, _, errors = cli("export", tmp_path, "--csv", tmp_path / "x.csv")
    assert code == 2
    assert "no run is here" in errors
    code, _, errors = cli("export", run, "--csv", tmp_path / "none" / "x.csv")
    assert code == 2
    assert errors.count("\n") == 1
    with pytest.raises(RunError):
        export_csv(tmp_path, tmp_path / "x.csv")


def test_a_mix_that_was_left_at_a_rung_is_pruned_with_what_it_had_there(tmp_path: Path):
    path = tmp_path / "record.sqlite"
    with Record.create(path, "demo", "", "?", {}, ("psnr", "params")) as record:
        record.define([Metric("psnr", "dB", "higher"), Metric("params", "", "lower")])
        record.add_mixes([MixRow("m", "m", "{}", {"depth": "1"})])
        for seed, value in enumerate((20.0, 22.0)):
            row = PartialRow(f"t{seed}@25", f"t{seed}", "m", seed, 25, 1.0)
            record.add_partial(row, [Measurement(row.key, "psnr", value)])
    url = f"sqlite:///{tmp_path}/x.db"
    assert export_optuna(tmp_path, url).states == {"PRUNED": 1}
    (trial,) = loaded(url, "demo").trials
    assert trial.intermediate_values == {25: 21.0}
    export_csv(tmp_path, tmp_path / "x.csv")
    (row,) = pd.read_csv(tmp_path / "x.csv").to_dict("records")
    assert (row["status"], row["stopped_at"]) == ("stopped", 25)

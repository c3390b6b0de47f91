"""A few mixes of a run trained longer, in a run beside it, and what the run keeps of that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from ablate.cli import main
from ablate.engines.job import Done, Event, Job
from ablate.fidelity.checking import carry_out, prepare
from ablate.fidelity.choosing import choose
from ablate.fidelity.derived import Part, longer, study_of
from ablate.folder import RunError
from ablate.identity.sources import Sources
from ablate.mix import Mix, mix_from_json
from ablate.study import load_study
from reports.fidelity.longer import longer as longer_trainings
from reports.numbers.results import read
from reports.record import Measurement, Note, Record
from tests.small_runs import KNOWN, MACHINE, TEXT, Engine, done, failed, start, write_study

BLOCKS = ("convnext", "nafblock", "rdcnn", "plain_block")
FOUR = TEXT.replace('["identity", "nafblock"]', json.dumps(BLOCKS))


def ranked(job: Job) -> Event:
    """A trial whose quality follows from its block and the length of its training.

    Trained longer, the worst block becomes the best.
    """
    event, mix = done(job), mix_from_json(job.payload.mix)
    assert isinstance(event, Done)
    place = BLOCKS.index(mix.network.stages[0].blocks[0].name)
    longer = mix.training.steps > 2
    psnr = (31.0 if longer and not place else 24.0 + place) + longer + 0.01 * job.payload.seed
    psnr += 0.001 * (place * (1 + job.payload.seed) % 3)  # seeds scatter
    values = {**event.result.values, "psnr": psnr}
    return replace(event, result=replace(event.result, values=values))


def counted(mix: Mix, *how: object) -> tuple[list[Measurement], list[Note]]:
    """What a mix costs, without a network."""
    return [Measurement(mix.key, "params", 1000.0)], []


@pytest.fixture(scope="module", autouse=True)
def uncounted() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(KNOWN, "ablate.runs.runner.count_mix", counted)
        yield


@pytest.fixture(scope="module")
def folder(uncounted: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four mixes with two seeds, from the worst to the best."""
    path = tmp_path_factory.mktemp("fidelity")
    assert start(path, FOUR, ranked).trained == 8
    return path


@pytest.fixture(autouse=True)
def same_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code that trains is that of the made-up run."""
    monkeypatch.setattr(Sources, "training", lambda sources: "0123456789abcdef")


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Engine]:
    """Trials are made up and nothing is timed, as in the run itself."""

    def patch(end: Callable[[Job], Event] = ranked) -> Engine:
        engine = Engine(end)
        for target, known in KNOWN.items():
            monkeypatch.setattr(target, known)
        monkeypatch.setattr("ablate.runs.opening.describe", lambda: dict(MACHINE))
        monkeypatch.setattr(Sources, "training", lambda sources: "0123456789abcdef")
        monkeypatch.setattr("ablate.runs.runner.time_run", lambda *given: None)
        monkeypatch.setattr("ablate.runs.running._report", lambda place: place.report)
        monkeypatch.setattr("ablate.runs.running._last_word", lambda context: "")
        monkeypatch.setattr("ablate.runs.running.LocalEngine", lambda: engine)
        monkeypatch.setattr("ablate.results.Run.report", lambda run: run.folder.report)
        return engine

    return patch


def test_the_front_and_far_places_of_the_ranking_are_chosen():
    ranking = [f"m{place}" for place in range(20)]
    assert choose(ranking, ["m0", "m1", "m2"], 6) == ["m0", "m1", "m2", "m6", "m10", "m19"]
    assert choose(ranking, [], 3) == ["m0", "m9", "m19"]
    assert choose(ranking[:4], ["m3"], 6) == ranking[:4]
    assert choose([], ["m0"], 3) == []


def test_of_a_long_front_some_are_taken_evenly_and_the_best_always():
    ranking = [f"m{place}" for place in range(30)]
    found = choose(ranking, ranking[2:13], 6)
    assert found[0] == "m0"
    assert {"m2", "m7", "m12"} <= set(found)
    assert (len(found), found[-1]) == (6, "m29")


def test_a_derived_study_differs_in_its_length_alone(folder: Path):
    study = load_study(folder / "study.toml")
    points = [study.at(0), study.at(3)]
    part = longer(study, points, 4.0)
    assert (part.size, list(part.points()), part.at(1)) == (2, points, points[1])
    for point in points:
        short, long = study.mix(point), part.mix(point)
        assert (long.network, long.task) == (short.network, short.task)
        same = replace(long.training, steps=short.training.steps, validate=short.training.validate)
        assert same == short.training
        assert (long.training.steps, long.training.validate) == (8, 16)
    assert (part.name, part.seeds, part.evaluation) == ("study-fidelity", 2, study.evaluation)
    assert part.text.startswith("# some mixes of this study, with 4 times the steps\n")


def test_where_steps_are_asked_every_answer_grows(tmp_path: Path):
    study = load_study(
        {
            "question": "How long?",
            "task": {"degradation": "gaussian_noise"},
            "network": {"width": 8, "stage": [{"block": "nafblock"}]},
            "training": {"steps": [100, 200], "timeout": 60.0},
        }
    )
    part = longer(study, list(study.points()), 2.5)
    assert [part.mix(point).training.steps for point in part.points()] == [250, 500]
    assert [part.label(point) for point in part.points()] == ["steps=250", "steps=500"]
    assert part.timeout == 150.0
    assert part.text == study.text  # JSON has no comments


def test_rungs_constraints_and_costly_measurements_are_left_out():
    study = load_study(
        {
            "question": "Which?",
            "task": {"degradation": "gaussian_noise"},
            "network": {"width": 8, "stage": [{"block": ["nafblock", "rdcnn"]}]},
            "search": {"strategy": "random", "n": 2, "rungs": [100], "confirm": 5},
            "profile": {"stages": True, "rounds": 30, "size": [[64, 64], [128, 128]]},
        }
    )
    part = longer(study, [study.at(0)], 2.0)
    assert (part.search.name, part.schedule.rungs, part.schedule.confirm) == ("grid", (), 0)
    assert (part.profile.stages, part.profile.rounds, part.profile.processes) == (False, 5, 1)
    assert part.profile.size == ((64, 64),)


def test_equal_footing_keeps_the_cost_of_the_whole_study():
    raw = {
        "question": "Which?",
        "task": {"degradation": "gaussian_noise"},
        "network": {"width": 16, "equal": "params", "equal_within": 0.5},
        "profile": {"size": [32, 32]},
    }
    raw["network"]["stage"] = [{"block": ["nafblock", "rdcnn"]}]
    study = load_study(raw)
    part = longer(study, [study.at(1)], 2.0)
    assert part.mix(study.at(1)).network == study.mix(study.at(1)).network


def test_the_record_alone_holds_the_study(folder: Path):
    facts = read(folder / "run" / "record.sqlite").facts
    study = study_of(facts, None)
    assert (study.name, study.size) == ("study", 4)
    assert study.mix(study.at(2)) == load_study(folder / "study.toml").mix(study.at(2))
    with pytest.raises(RunError) as error:
        study_of({"study_text": "= what?"}, None)
    assert str(error.value) == (
        "the record does not hold its study (Invalid statement (at line 1, column 1)); "
        "name its file: --study FILE"
    )


def test_a_longer_training_is_kept_in_the_record_of_the_run(
    folder: Path, made_up: Callable[..., Engine]
):
    engine = made_up()
    check = prepare(folder / "run", mixes=3, times=4.0, file=folder / "study.toml")
    labels = [check.study.label(point) for point in check.study.chosen]
    assert labels == ["plain_block", "rdcnn", "convnext"]
    assert check.trials == 6
    assert check.seconds == pytest.approx(1.5 * 3 * 4 * 2)  # seconds, mixes, times, seeds
    place = carry_out(check)
    assert place.path == folder / "run-fidelity"
    assert len(engine.jobs) == 6
    assert {mix_from_json(job.payload.mix).training.steps for job in engine.jobs} == {8}
    (one,) = longer_trainings(read(folder / "run" / "record.sqlite"))
    assert (one.run, one.times, one.steps) == ("run-fidelity", 4.0, 8)
    assert one.short.shape == one.long.shape == (3, 2)
    assert int(one.long.mean(axis=1).argmax()) == 2  # the worst is the best

    carry_out(check)  # once more: nothing is trained again
    assert len(engine.jobs) == 6
    more = prepare(folder / "run", mixes=4, file=folder / "study.toml")
    assert carry_out(more).path == place.path  # in the same folder
    assert len(engine.jobs) == 8
    other = prepare(folder / "run", mixes=3, times=8.0, file=folder / "study.toml")
    assert carry_out(other).path == folder / "run-fidelity-2"
    assert len(longer_trainings(read(folder / "run" / "record.sqlite"))) == 2


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["fidelity", *map(str, arguments)])
    output = capsys.readouterr()
    return int(str(ended.value.code)), output.out, output.err


@pytest.fixture
def copied(tmp_path: Path, made_up: Callable[..., Engine]) -> Iterator[Path]:
    """A run of its own, for what leaves traces."""
    start(tmp_path, FOUR, ranked)
    made_up()
    yield tmp_path


def test_the_command_says_what_it_will_take_and_then_what_it_found(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = (copied / "run", "--study", copied / "study.toml", "--mixes", "4")
    code, out, _ = run(capsys, *arguments, "--plan", "--workers", "2")
    assert code == 0
    expected = "4 mixes x 2 seeds = 8 trials, 4 times as long: about 24 s of training with 2 at a"
    assert out.startswith(expected)
    assert not (copied / "run-fidelity").exists()
    code, out, _ = run(capsys, *arguments, "--json")
    said = json.loads(out.splitlines()[-1])
    assert (code, said["event"]) == (0, "Fidelity")
    assert said["sentences"][0] == "Trained 4 times as long, 8 steps:"
    assert said["sentences"][1].startswith("4 mixes, from the front and spread over the ranking,")
    assert "Choosing by the short training loses" in said["sentences"][3]
    assert said["report"] == str(copied / "run" / "report.html")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--times", "1"), "--times: expected a number above 1; got 1"),
        (("--times", "long"), "--times: expected a number above 1; got 'long'"),
        (("--times", "inf"), "--times: expected a number above 1; got inf"),
        (("--mixes", "2"), "--mixes: an order takes at least 3 mixes; got 2"),
        (("--mixes", "few"), "--mixes: expected a whole number from 1; got 'few'"),
    ],
)
def test_a_wrong_option_is_one_line(
    folder: Path, arguments: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
):
    assert run(capsys, folder / "run", *arguments) == (2, "", f"{text}\n")


def test_a_run_with_too_little_in_it_is_refused(tmp_path: Path):
    start(tmp_path, TEXT)
    with pytest.raises(RunError) as raised:
        prepare(tmp_path / "run", file=tmp_path / "study.toml")
    assert str(raised.value) == (
        f"{tmp_path / 'run'}: an order takes at least 3 mixes trained to the end, and this "
        "run has 1 beside baselines; go on with it first: ablate run"
    )
    with pytest.raises(RunError, match=r"no run is here \(no record\.sqlite\)"):
        prepare(tmp_path / "gone")


def test_paths_that_begin_elsewhere_are_explained(folder: Path):
    with pytest.raises(RunError, match=r"paths begin at the study's file, name it: --study FILE$"):
        prepare(folder / "run")


def test_another_study_or_other_images_are_refused(folder: Path, tmp_path: Path):
    text = (
        (folder / "study.toml")
        .read_text(encoding="utf-8")
        .replace('"photos"', f'"{folder}/photos"')
    )
    other = tmp_path / "study.toml"
    other.write_text(text.replace("width = 8", "width = 12"), encoding="utf-8")
    with pytest.raises(RunError, match="is not what it was in this study; name the file that the"):
        prepare(folder / "run", file=other)
    write_study(tmp_path, FOUR)
    Image.new("RGB", (32, 32), "red").save(tmp_path / "photos" / "0.png")
    with pytest.raises(RunError, match=r"the images are not those that this run began with$"):
        prepare(folder / "run", file=other)


def test_changed_source_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Sources, "changed", lambda *given: ["blocks/rdcnn.py"])
    with pytest.raises(RunError, match=r"the source of blocks/rdcnn\.py is not what this run"):
        prepare(folder / "run", file=folder / "study.toml")


def test_other_code_that_trains_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Sources, "training", lambda sources: "fedcba9876543210")
    with pytest.raises(RunError, match=r"the source of what trains is not what this run began"):
        prepare(folder / "run", file=folder / "study.toml")


def test_where_nothing_comes_to_its_end_nothing_is_kept(
    copied: Path, made_up: Callable[..., Engine]
):
    made_up(lambda job: failed(job, "crash"))
    check = prepare(copied / "run", file=copied / "study.toml")
    with pytest.raises(ValueError):
        carry_out(check)
    assert longer_trainings(read(copied / "run" / "record.sqlite")) == ()
    with Record.open(copied / "run" / "record.sqlite") as record:
        assert "fidelity" not in record.facts()


def test_a_cross_over_is_kept_beside_the_record(
    folder: Path, tmp_path: Path, made_up: Callable[..., Engine], capsys: pytest.CaptureFixture[str]
):
    made_up()
    found, printed = tmp_path / "found.json", "what ablate crossover --json prints"
    for text, code, errors in (
        ("{}", 2, f"{found}: not a cross-over (there is no 'contestants'); expected {printed}\n"),
        ('{"contestants": [], "courses": [], "duels": [], "base": {}, "dropped": {}}', 0, ""),
    ):
        found.write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit) as ended:
            main(["report", str(folder / "run"), "--crossover", str(found), "--quiet"])
        assert (ended.value.code, capsys.readouterr().err) == (code, errors)
        assert (folder / "run" / "crossover.json").exists() == (code == 0)


def test_an_interruption_promises_to_go_on(capsys: pytest.CaptureFixture[str], monkeypatch):
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ablate.command_line.fidelity.carry_out", interrupted)
    goes_on = "interrupted; the same command goes on from here\n"
    assert run(capsys, "runs/x") == (130, "", goes_on)


def test_a_part_of_a_study_is_a_study(folder: Path):
    study = load_study(folder / "study.toml")
    part = longer(study, [study.at(1)], 2.0)
    assert isinstance(part, Part)
    assert part.point_of(study.label(study.at(1))) == study.at(1)

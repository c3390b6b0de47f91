"""The ways to run a network that is timed: eager, compiled, as a graph, in several precisions."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from ablate.costs.latency_rows import mode_name
from ablate.costs.sitting import sitting_name, time_together
from ablate.profile import Profile
from ablate.profiling import modes
from ablate.profiling.latency import LatencyError, forecast_seconds, measure_networks, protocol
from ablate.profiling.modes import Mode, modes_of, numbers_as, prepare, split, unavailable
from ablate.profiling.reference import REFERENCE
from ablate.profiling.timing import Timed
from ablate.runs.plan import Plan, make_plan
from ablate.study import StudyError, load_study
from ablate.study.places import Problems
from ablate.study.settings import read_profile

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
BOTH = Profile(run=("eager", "compiled"), precision=("float32", "bfloat16"))


def test_a_profile_as_it_always_was_is_called_as_it_always_was():
    assert repr(Profile(rounds=7, precision=("bfloat16",))) == (
        "Profile(size=((256, 256),), batch=1, device='auto', rounds=7, processes=3, threads=1, "
        "precision='bfloat16', channels_last=True)"
    )
    assert sitting_name([], Profile(), "cpu") == "c50f33a1"  # as versions before modes called it


@pytest.mark.parametrize(
    "profile",
    [
        Profile(run=("compiled",)),
        Profile(precision=("float32", "tf32")),
        Profile(flush=True),
        Profile(interval=0.01),
        Profile(budget=60.0),
    ],
)
def test_what_came_later_tells_profiles_apart(profile):
    assert repr(profile) != repr(Profile())
    assert sitting_name([], profile, "cpu") != sitting_name([], Profile(), "cpu")


def test_every_way_to_run_is_taken_in_every_precision():
    assert [str(mode) for mode in modes_of(BOTH)] == [
        "eager float32",
        "eager bfloat16",
        "compiled float32",
        "compiled bfloat16",
    ]


@pytest.mark.parametrize(
    ("profile", "mode", "name"),
    [
        (Profile(), Mode(), "64x48"),
        (Profile(), Mode("compiled", "bfloat16"), "64x48 compiled bfloat16"),
        (Profile(batch=4), Mode("graph", "tf32"), "64x48 batch 4 graph tf32"),
        (Profile(flush=True), Mode(), "64x48 flushed"),
        (Profile(flush=True, precision=("bfloat16",), run=("graph",)), None, "64x48 bfloat16"),
    ],
)
def test_a_mode_is_named_by_what_is_not_the_default(profile, mode, name):
    assert mode_name((64, 48), profile, mode) == name


def test_modes_that_a_cpu_lacks_are_told_in_one_line_each():
    asked = modes_of(Profile(run=("eager", "graph"), precision=("float32", "tf32")))
    able, lacking = split(asked, CPU)
    assert able == (Mode(),)
    assert list(lacking.values()) == [
        "precision = 'tf32' is a format of CUDA devices, and the device is cpu",
        "run = 'graph' replays CUDA graphs, and the device is cpu",
        "run = 'graph' replays CUDA graphs, and the device is cpu",
    ]


@pytest.mark.parametrize(("capability", "able"), [((7, 5), False), ((8, 0), True)])
def test_tf32_needs_a_device_that_has_it(monkeypatch, capability, able):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    reason = unavailable(Mode(precision="tf32"), CUDA)
    needs = "precision = 'tf32' needs a CUDA device of compute capability 8.0 or later"
    assert reason == ("" if able else needs)


def test_compiling_needs_a_compiler_on_a_cpu(monkeypatch):
    monkeypatch.setattr(modes.shutil, "which", lambda name: None)
    assert unavailable(Mode("compiled"), CPU) == (
        "run = 'compiled' needs a C++ compiler on a CPU, and neither g++ nor clang++ is here"
    )
    monkeypatch.setenv("CXX", "mine")
    monkeypatch.setattr(modes.shutil, "which", {"mine": "/bin/mine"}.get)
    assert unavailable(Mode("compiled"), CPU) == ""


def test_compiling_needs_dynamo(monkeypatch):
    monkeypatch.setattr(torch, "_dynamo", SimpleNamespace(is_dynamo_supported=lambda: False))
    assert unavailable(Mode("compiled"), CPU) == (
        "run = 'compiled' needs torch.compile, which this Python or system does not have"
    )


def test_tf32_is_on_for_tf32_alone_and_as_it_was_afterwards():
    def state() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before, seen = state(), {}
    for precision in ("float32", "tf32", "bfloat16"):
        with numbers_as(precision):
            seen[precision] = state()
    exact = ("highest", False)
    assert seen == {"float32": exact, "tf32": ("high", True), "bfloat16": exact}
    assert state() == before


class Scale(nn.Module):
    """Multiplies an image by a number, and remembers what it was given."""

    def __init__(self, factor: float, log: list[torch.dtype] | None = None) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1, bias=False)
        nn.init.constant_(self.layer.weight, factor)
        self.log = log

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        out = self.layer(image)
        if self.log is not None:
            self.log.append(out.dtype)
        return {"image": out}


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("float32", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)],
)
def test_precisions_are_those_of_autocast(precision, dtype):
    log: list[torch.dtype] = []
    with torch.inference_mode():
        prepare(Scale(2.0, log), torch.rand(1, 3, 4, 4), Mode(precision=precision)).call()
    assert log == [dtype, dtype]


def ticking(*seconds: float) -> Callable[[], float]:
    return iter(seconds).__next__


def test_the_first_call_in_eager_is_all_that_comes_before_the_steady_state():
    found = prepare(nn.Identity(), torch.rand(1, 3, 4, 4), Mode(), clock=ticking(1.0, 1.5))
    assert found.first.seconds == 0.5
    assert found.first.compile is None


@pytest.fixture
def quick_compiler(monkeypatch):
    """torch.compile without its code generator: what is traced is run by PyTorch itself."""
    torch._dynamo.reset()
    compiler = functools.partial(torch.compile, backend="eager")
    monkeypatch.setattr(torch, "compile", compiler)
    yield
    torch._dynamo.reset()


def test_compiling_is_what_the_first_call_takes_beyond_the_second(quick_compiler):
    with torch.inference_mode():
        found = prepare(
            Scale(2.0),
            torch.ones(1, 3, 4, 4),
            Mode("compiled"),
            clock=ticking(1.0, 9.0, 10.0, 10.5),
        )
        out = found.call()
    assert (found.first.seconds, found.first.compile) == (8.0, 7.5)
    assert torch.equal(out["image"], torch.full((1, 3, 4, 4), 6.0))


class Adding(nn.Module):
    """Adds 1 so many times: each number is another network with the same forward method."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def forward(self, image: Tensor) -> Tensor:
        for _ in range(self.times):
            image = image + 1
        return image


def test_more_networks_are_compiled_than_share_one_forward_by_default(quick_compiler):
    graphs = torch._dynamo.utils.counters["stats"]
    before, image = graphs["unique_graphs"], torch.zeros(1, 3, 4, 4)
    with torch.inference_mode():
        ready = [prepare(Adding(n), image, Mode("compiled")) for n in range(1, 13)]
        assert graphs["unique_graphs"] - before == 12
        outs = [float(prepared.call()[0, 0, 0, 0]) for prepared in ready]
    assert outs == list(range(1, 13))
    assert graphs["unique_graphs"] - before == 12  # and none of them twice


class FakeGraphs:
    """Stands in for torch.cuda where graphs are captured, and writes down what happens."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def Stream(self) -> FakeGraphs:
        return self

    def current_stream(self) -> FakeGraphs:
        return self

    def wait_stream(self, other: FakeGraphs) -> None:
        self.log.append("wait")

    def stream(self, beside: FakeGraphs) -> FakeGraphs:
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def CUDAGraph(self) -> SimpleNamespace:
        return SimpleNamespace(replay=lambda: self.log.append("replay"))

    def graph(self, graph: SimpleNamespace) -> FakeGraphs:
        self.log.append("capture")
        return self


def test_a_graph_is_captured_once_after_a_warm_up_and_replayed(monkeypatch):
    cuda = FakeGraphs()
    monkeypatch.setattr(torch, "cuda", cuda)

    class Watching(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            cuda.log.append("call")
            return image

    image = SimpleNamespace(device=SimpleNamespace(type="fake"))
    clock = ticking(0.0, 3.0, 3.0, 4.0)
    found = prepare(Watching(), image, Mode("graph"), clock=clock)
    found.call()
    warm = ["wait", "call", "call", "call", "wait"]
    assert cuda.log == [*warm, "capture", "call", *["replay"] * 3]
    assert (found.first.seconds, found.first.compile) == (3.0, 2.0)


def test_a_graph_keeps_what_it_reads(monkeypatch):
    monkeypatch.setattr(torch, "cuda", FakeGraphs())
    image = SimpleNamespace(device=SimpleNamespace(type="fake"))
    network, clock = nn.Identity(), ticking(0.0, 3.0, 3.0, 4.0)
    weights = weakref.ref(network)
    found = prepare(network, image, Mode("graph"), clock=clock)
    del network
    gc.collect()
    assert weights() is not None
    del found
    gc.collect()
    assert weights() is None


class SteadyClock:
    untimed = 1
    aim = 2e-3

    def time(self, call: Callable[[], object], calls: int) -> Timed:
        call()
        return Timed(seconds=0.01)


def measured(models: dict[str, nn.Module], mode: Mode) -> object:
    return measure_networks(
        models,
        size=(4, 6),
        profile=Profile(rounds=2),
        process=0,
        seed=0,
        device=CPU,
        mode=mode,
        timer=SteadyClock(),
    )


def test_a_network_that_cannot_run_costs_the_others_nothing():
    found = measured({"wide": nn.Conv2d(4, 4, 1), "fits": nn.Conv2d(3, 3, 1)}, Mode())
    assert list(found.dropped) == ["wide"]
    assert "4 channels" in found.dropped["wide"]
    assert {sample.subject for sample in found.rounds.samples} == {"fits", REFERENCE}
    assert list(found.first) == [REFERENCE, "fits"]
    assert all(0 < first.seconds < 60 for first in found.first.values())


def test_a_mode_that_the_device_lacks_is_not_measured():
    with pytest.raises(LatencyError, match=r"^run = 'graph' replays CUDA graphs, and the"):
        measured({}, Mode("graph"))


def test_where_not_even_the_reference_network_runs_nothing_does(monkeypatch):
    def broken(model: nn.Module, image: Tensor, mode: Mode) -> None:
        raise RuntimeError("no such kernel\nand more")

    monkeypatch.setattr("ablate.profiling.latency.prepare", broken)
    with pytest.raises(LatencyError, match=r"^nothing runs in mode eager float32 here: no such ke"):
        measured({}, Mode())


def test_a_sitting_in_a_mode_that_the_device_lacks_fails_in_one_line():
    timed = time_together(
        [],
        size=(16, 16),
        profile=Profile(run=("graph",)),
        device="cpu",
        plugins=(),
        report=lambda done: None,
    )
    assert timed.failure == "run = 'graph' replays CUDA graphs, and the device is cpu"


def test_a_forecast_counts_the_modes_that_the_device_has():
    once = forecast_seconds(0.010, Profile(), 9)
    assert forecast_seconds(0.010, Profile(run=("eager", "graph")), 9) == once
    twice = forecast_seconds(0.010, Profile(precision=("float32", "bfloat16")), 9)
    assert twice == pytest.approx(2 * once)
    compiled = forecast_seconds(0.010, Profile(run=("compiled",)), 9)
    assert compiled == pytest.approx(once + 10 * (30 + 2 * 10))


def test_a_forecast_ends_with_the_budget_and_is_never_more_without_one():
    free = forecast_seconds(1.0, Profile(rounds=10, processes=2), 1)
    bound = forecast_seconds(1.0, Profile(rounds=10, processes=2, budget=6.0), 1)
    assert free == pytest.approx(2 * (5 + 2 * 8 + 10 * 2 * 2.001))
    assert bound == pytest.approx(2 * (5 + 2 * 8) + 6 + 2 * 2 * 2.001)  # whole rounds
    assert forecast_seconds(1.0, Profile(rounds=10, processes=2, budget=1e6), 1) == free


def test_a_forecast_for_cuda_has_longer_stretches(monkeypatch):
    on_cuda = forecast_seconds(1e-3, Profile(), 0, "cuda")
    assert on_cuda == pytest.approx(3 * (5 + 8e-3) + 90 * (3e-3 + 20e-3))


def test_the_protocol_says_modes_flush_and_when_rounds_end():
    said = protocol(BOTH, CPU)
    assert said.startswith("wall time of one call, batch 1, eager/compiled float32/bfloat16, thr")
    said = protocol(Profile(interval=0.01, budget=60.0, flush=True), CUDA)
    assert "cache emptied before each call" in said
    assert (
        "up to 30 interleaved rounds, fewer once every share is known to 1 % or 60 s are spent"
    ) in said


def planned(monkeypatch: pytest.MonkeyPatch, **profile: object) -> Plan:
    """The plan of one mix whose training step took 24 ms for 2 crops of 16 x 16."""
    study = load_study(
        {
            "name": "planned",
            "question": "How long?",
            "task": {"degradation": "gaussian_noise"},
            "network": {"width": 8, "stage": [{"block": "identity"}]},
            "training": {"batch": 2, "crop": 16},
            "profile": {"size": [16, 32], "rounds": 10, "processes": 1, **profile},
        }
    )
    key = study.mix(study.at(0)).key
    monkeypatch.setattr("ablate.runs.plan.step_seconds", lambda *rest: {key: 0.024})
    return make_plan(study, workers=1, device="cpu")


def test_a_plan_foresees_the_modes_that_the_device_has_and_names_the_others(monkeypatch):
    plain = planned(monkeypatch)
    assert plain.not_timed == ()
    assert plain.latency_seconds == pytest.approx(5 + 2 * (8 + 10 * 2) * 0.008 + 20e-3)
    several = planned(monkeypatch, run=["eager", "graph"], precision=["float32", "bfloat16"])
    assert several.latency_seconds == pytest.approx(2 * plain.latency_seconds)
    assert several.not_timed == ("run = 'graph' replays CUDA graphs, and the device is cpu",) * 2


def test_a_plan_foresees_the_images_of_a_call_and_the_budget(monkeypatch):
    batch = planned(monkeypatch, batch=4)
    assert batch.latency_seconds == pytest.approx(5 + 2 * (8 + 10 * 2) * 0.032 + 20e-3)
    short = planned(monkeypatch, batch=4, budget=0.1)
    assert short.latency_seconds == pytest.approx(5 + 2 * 8 * 0.032 + 0.1 + 2 * 2 * 0.032 + 2e-3)


@pytest.mark.parametrize(
    ("written", "run", "precision"),
    [
        ({}, ("eager",), ("float32",)),
        ({"run": "compiled", "precision": "tf32"}, ("compiled",), ("tf32",)),
        ({"run": ["eager", "graph", "eager"]}, ("eager", "graph"), ("float32",)),
    ],
)
def test_one_mode_may_be_written_without_brackets_and_twice_counts_once(written, run, precision):
    problems = Problems("study")
    profile = read_profile({"profile": written}, problems)
    assert (profile.run, profile.precision, len(problems)) == (run, precision, 0)


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ({"run": []}, "run = [] measures nothing; write run = 'eager'"),
        ({"precision": []}, "precision = [] measures nothing; write precision = 'float32'"),
        ({"run": "graphs"}, "must be one of 'eager', 'compiled', 'graph'; got 'graphs'; did you"),
        ({"interval": 1.0}, "interval must be at least 0 and below 1; got 1.0"),
        ({"budget": -1.0}, "budget must be at least 0; got -1.0"),
    ],
)
def test_a_mode_that_makes_no_sense_is_said(written, wrong):
    study = {
        "name": "wrong",
        "question": "What?",
        "task": {"degradation": "gaussian_noise"},
        "network": {"stage": [{"block": "identity"}]},
        "profile": written,
    }
    with pytest.raises(StudyError) as caught:
        load_study(study)
    (problem,) = caught.value.problems
    assert wrong.replace("'", '"') in problem.replace("'", '"')

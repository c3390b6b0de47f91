"""The JSON schema of a study file, so that editors complete and check names, knobs and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.footing import Footing
from ablate.metrics import metrics
from ablate.mix import Evaluation, Training
from ablate.profile import Profile
from ablate.searches import strategies
from ablate.searches.schedule import Schedule
from ablate.searches.stopping import Stop
from ablate.study.levelling import FOOTING
from ablate.study.recipe import DEFAULT_SEEDS
from ablate.study.rules import (
    COSTS,
    DEPTH,
    EVALUATION,
    PROFILE,
    REPEAT,
    SEEDS,
    TIMEOUT,
    TRAINING,
    WEIGHT,
    Bounds,
)
from ablate.study.scheduling import SCHEDULE, STOP
from ablate.study.schema_parts import (
    Schema,
    asked,
    choice_schema,
    knob_schema,
    limits_of,
    list_of,
    named_schema,
    table_of,
)
from ablate.study.slots import DECODER, all_extras, all_numbered, extras_of, numbered
from ablate.study.study import ReportSettings
from ablate.study.tables import settings_of
from ablate.tasks.data import sources
from ablate.tasks.degradations import degradations
from ablate.topologies import topologies
from ablate.training.losses import losses
from blocks import Registry, blocks


def schema() -> Schema:
    """The schema (draft 2020-12) of what is registered now, plug-ins included."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ablate study",
        "description": "A question about the blocks of an image-restoration network.",
        **table_of(
            {
                "question": {"type": "string", "minLength": 1, "description": "What is asked."},
                "name": {"type": "string", "description": "Instead of the name of the file."},
                "task": _task(),
                "network": _network(),
                "training": _training(),
                "evaluation": _settings(Evaluation, EVALUATION),
                "search": _search(),
                "profile": _profile(),
                "report": _report(),
            },
            required=["question", "network"],
        ),
        "$defs": {
            "block": choice_schema(blocks, blocks),
            "degradation": choice_schema(degradations, degradations),
            "stage": _stage(["block"]),
            DECODER: _stage([]),
            **{array: _repeated() for array in all_numbered() if array != "stage"},
        },
    }


def _task() -> Schema:
    data = {
        **named_schema(sources, "source", default="photos"),
        "description": "Where images come from.",
    }
    task = named_schema(degradations, "degradation", others={"data": data})
    return {**task, "description": "What is done to which images."}


def _network() -> Schema:
    arrays = {array: list_of({"$ref": f"#/$defs/{array}"}) for array in (*all_numbered(), DECODER)}
    extras = {extra: {"$ref": "#/$defs/stage"} for extra in all_extras()}
    others = {**arrays, **extras, **_footing()}
    network = named_schema(topologies, "topology", default="unet", others=others)
    return {
        **network,
        "allOf": [*network["allOf"], *(_places(name, [*arrays, *extras]) for name in topologies)],
        "anyOf": [{"required": [array]} for array in all_numbered()],
        "description": "Stages and how they are joined.",
    }


def _footing() -> Schema:
    """What all mixes are to have alike; an amount is a number or text."""
    knobs = settings_of(Footing).knobs.values()
    nothing: Registry[Any] = Registry("value")
    plain = {
        knob.name: knob_schema(knob, nothing, asks=False, bounds=FOOTING.get(knob.name))
        for knob in knobs
        if knob.name not in ("equal", "equal_to")
    }
    equal = {"enum": ["macs", "params", "latency"]}
    either = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}
    docs = {knob.name: {"description": knob.doc} for knob in knobs}
    written = {"equal": equal | docs["equal"], "equal_to": either | docs["equal_to"]}
    return {**written, **plain}


def _places(topology: str, known: Sequence[str]) -> Schema:
    """That a topology has the places it numbers, and none that it lacks."""
    own = {numbered(topology), *extras_of(topology)}
    if topologies[topology].facts.get("decoder"):
        own.add(DECODER)
    chosen: Schema = {"properties": {"topology": {"const": topology}}}
    if topology != "unet":
        chosen["required"] = ["topology"]
    lacking = [place for place in known if place not in own]
    wanted = {"required": [numbered(topology)], "properties": dict.fromkeys(lacking, False)}
    return {"if": chosen, "then": wanted}


def _repeated() -> Schema:
    """A stage's table that may stand for several places alike."""
    table = _stage(["block"])
    repeat = {**asked({"type": "integer", **limits_of(REPEAT)}), "default": 1}
    table["properties"]["repeat"] = {**repeat, "description": "How many places alike."}
    return table


def _stage(required: Sequence[str]) -> Schema:
    block = {"$ref": "#/$defs/block"}
    cycle = {**list_of(asked(block)), "description": "Blocks that fill the positions in turn."}
    fill = {"anyOf": [block, table_of({"cycle": cycle}, required=["cycle"])]}
    depth = {**asked({"type": "integer", **limits_of(DEPTH)}), "default": 1}
    return table_of(
        {
            "block": {**asked(fill), "description": "What fills the stage; a list is a question."},
            "depth": {**depth, "description": "How many blocks."},
        },
        required,
    )


def _search() -> Schema:
    """The strategy, its knobs, and what mixes must keep to."""
    text = "What a mix must keep to, to be tried, such as 'latency <= 5 ms' or 'params <= 2 M'."
    constraints = {**list_of({"type": "string"}), "description": text}
    stop = _settings(Stop, STOP)
    others = {
        "constraints": constraints,
        **_settings(Schedule, SCHEDULE)["properties"],
        "stop": {**stop, "description": "When to propose no more."},
    }
    return named_schema(strategies, "strategy", asks=False, default="grid", others=others)


def _training() -> Schema:
    table = _settings(Training, TRAINING, asks=True)
    weight = asked({"type": "number", **limits_of(WEIGHT)})
    weights = {**table_of(dict.fromkeys(losses, weight)), "minProperties": 1}
    loss = asked({"anyOf": [{"enum": list(losses)}, weights]})
    described = settings_of(Training).knobs["loss"].doc
    table["properties"]["loss"] = {**loss, "description": described, "default": "l1"}
    seeds = {"type": "integer", **limits_of(SEEDS), "default": DEFAULT_SEEDS}
    table["properties"]["seeds"] = {**seeds, "description": "How many seeds train each mix."}
    timeout = {"type": "number", **limits_of(TIMEOUT), "default": 0}
    text = "Seconds that a trial may take; 0 for as long as it needs."
    table["properties"]["timeout"] = {**timeout, "description": text}
    return table


def _settings(kind: type[Any], bounds: Mapping[str, Bounds], *, asks: bool = False) -> Schema:
    """A table of plain settings."""
    nothing: Registry[Any] = Registry("value")
    return table_of(
        {
            knob.name: knob_schema(knob, nothing, asks=asks, bounds=bounds.get(knob.name))
            for knob in settings_of(kind).knobs.values()
            if knob.name != "loss"
        }
    )


def _profile() -> Schema:
    table = _settings(Profile, PROFILE)
    for key in ("size", "run", "precision"):  # one of them, or a list
        several = table["properties"][key]
        one = asked(several["items"])
        table["properties"][key] = {**one, "description": several["description"]}
    return table


def _report() -> Schema:
    table = _settings(ReportSettings, {})
    names = {"enum": sorted([*metrics, *COSTS])}
    table["properties"]["objectives"] |= {**list_of(names), "uniqueItems": True}
    return table

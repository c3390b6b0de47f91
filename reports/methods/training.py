"""How every network was trained, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from reports.checks.footing import footing
from reports.methods.settings import Settings, words
from reports.methods.wording import Cited, Sentence
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.units import TIE, count

OPTIMISERS = {"adam": "Adam", "adamw": "AdamW"}


def training(found: Found, settings: Settings) -> list[Sentence]:
    """Steps, crops, loss, optimiser, schedule, seeds; what is not in the record is left out."""
    made: list[Sentence] = []
    if settings.training:
        made += [*_steps(settings), *_losses(settings)]
        made += [(text,) for text in _optimiser(found, settings)]
    made += [(text,) for text in _seeds(found)]
    if said := footing(found):
        made.append((said,))
    return made


def _steps(settings: Settings) -> Iterator[Sentence]:
    steps, batch, crop = (settings.said(name) for name in ("steps", "batch", "crop"))
    turned = ", flipped and turned by quarters at random" if settings.value("augment") else ""
    side = f"{crop}×{crop}" if crop.isdigit() else crop
    yield (
        f"Each network is trained for {steps} steps on batches of {batch} random crops of "
        f"{side} pixels{turned}.",
    )


def _losses(settings: Settings) -> Iterator[Sentence]:
    several = settings.training.get("loss", ())
    if len(several) != 1 or not isinstance(several[0], list):
        names = {str(loss[0]) for value in several if isinstance(value, list) for loss in value}
        cited = (Cited("", f"loss {name}") for name in sorted(names))
        yield (f"The loss varies: {settings.said('loss')}", *cited, ".")
        return
    parts: list[str | Cited] = []
    for name, weight in several[0]:
        amount = "" if weight == 1 else f"{words(float(weight))} times "
        parts += [", plus " if parts else "", f"{amount}", Cited(str(name), f"loss {name}")]
    yield ("The loss is ", *(part for part in parts if part), ".")


def _optimiser(found: Found, settings: Settings) -> Iterator[str]:
    name = settings.said("optimizer")
    betas, decay = settings.said("betas").strip("[]"), settings.said("weight_decay")
    yield (
        f"The optimiser is {OPTIMISERS.get(name, name)} (betas {betas}; weight decay {decay})"
        + (f", gradients clipped to a norm of {settings.said('clip')}." if _asks(settings) else ".")
    )
    yield _rate(settings)
    if settings.value("ema") not in (0, 0.0, None):
        yield f"Scored are weights averaged over the steps with a decay of {settings.said('ema')}."
    if any("moe" in str(family) for family in found.stages["family"].unique()):
        yield f"The experts' own losses count with a weight of {settings.said('auxiliary')}."
    yield f"Training runs in {settings.said('precision')}."


def _asks(settings: Settings) -> bool:
    return settings.value("clip") not in (0, 0.0)


def _rate(settings: Settings) -> str:
    """The learning rate over the steps."""
    if settings.value("rates"):
        peak = (
            f"the best of {settings.said('rates').strip('[]')}, each tried for "
            f"{settings.said('probe')} steps"
        )
    else:
        peak = settings.said("rate")
    held = ""
    if settings.value("schedule") == "constant_then_cosine":
        held = f"stays there over {_share(settings, 'constant')} of the steps "
    return (
        f"The learning rate rises over the first {_share(settings, 'warmup')} of the steps to "
        f"{peak}, {held}and falls along a cosine to {settings.said('final_rate')}."
    )


def _share(settings: Settings, name: str) -> str:
    value = settings.value(name)
    if isinstance(value, (int, float)):
        return f"{100 * value:g}{TIE}%"
    return settings.said(name)


def _seeds(found: Found) -> Iterator[str]:
    seeds = sorted(found.trials["seed"].unique())
    if not seeds:
        return
    listed = f" ({', '.join(map(str, seeds))})" if len(seeds) <= 6 else ""
    known = seed_counts(found)
    alike = known.fewest == known.most
    opening = (
        f"Each mix is trained with {count(len(seeds), 'seed')}{listed}"
        if alike and known.most in (0, len(seeds))
        else f"Mixes are trained with {known.words} each{listed.replace('(', '(of ')}"
    )
    yield (
        f"{opening}; seed and step alone decide the initial weights, the crops and their "
        "degradation, so that mixes are compared seed by seed."
    )
    broken = int(found.trials["status"].isin(["diverged", "failed"]).sum())
    if broken:
        yield f"{broken} of {count(len(found.trials), 'trial')} diverged or failed."

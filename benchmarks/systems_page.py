"""The page docs/systems.md, from what `benchmarks.systems` counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]

INTRODUCTION = """# Published networks, counted

<!-- Written by `make systems` (python -m benchmarks.systems); edit benchmarks/systems_page.py. -->

Every study in `studies/systems` is one published network. Papers print what their counters said,
and counters differ: a network of 3.2 M parameters and 27.5 G multiply-adds is printed as "2.80 M,
25.16 G". This page says for each network what was printed, what ours comes to when it is counted
in the same way (`ablate profile NAME --convention thop`), and what it costs in truth
(`ablate profile NAME`). All figures are for one image; G are 10^9 multiply-adds, although most
papers write FLOPs. They are counted, not run: `make systems` gives the same on any machine.

## How counters differ

| | thop 0.1.1 | conv-only | fvcore 0.1.5 | ablate |
|---|---|---|---|---|
| convolutions | yes | yes | yes | yes |
| transposed convolutions | as if each output pixel met the whole kernel (4 times at stride 2) | true | true | true |
| linear layers | yes | no | yes | yes |
| products of two activations (attention) | no | no | yes | yes |
| products with weights outside layers | no | no | yes | yes |
| selective scan | no | no | as papers register it, 9 B L D N + B D L | the same |
| norms | 4 an element | no | LayerNorm 5, BatchNorm 2 an element | in a column of their own |
| softmax, pooling | softmax modules, pooling | no | adaptive pooling | in columns of their own |
| parameters outside layers | no | yes | yes | yes |

The scan's 9 B L D N is a number of floating-point operations that the literature adds to
multiply-adds; `ablate profile` also prints it as the plain recurrence, 3.5 B L D N.

What other counters would say of our networks is emulated, operator by operator. It is exact where
a released network spells a thing as ours do, and these rules bridge the rest:

- A norm that released code writes by hand is seen by no counter; nn.LayerNorm is. Ours use the
  same fast norm for both, and remember which it was (`ChannelNorm`).
- A global mean is charged as the adaptive pooling that it is in released code.
- Attention by one fused operator is charged as the two products and the softmax module that it is
  in released code. Where released code calls softmax as a function, thop would charge nothing:
  our figure for thop is then larger by the softmax, less than 0.01 % for channel attention.
- What released code always computes is computed: restored images at all scales, and whole blocks
  for pixels that only fill up windows. In truth neither is needed.
- A routed network (MoCE-IR) has no single cost: ours is the mean over its experts, with the range
  from the cheapest to the dearest for all images.

thop and ptflops are no dependencies of this project; a figure by ptflops, or by a counter that is
not known, is printed without a counterpart.
"""  # noqa: E501

CLASSIC = """
The 175.3 G by thop that is reported for MambaIRv2-light x2 is not this network's: with the ungated
feed-forward parts of the larger models, thop comes to 175.3 G, fvcore to 301.7 G, at 843,212
parameters. The light model has gated ones.
"""

ENDING = """
## What has no preset

ACL's own configuration is not published: its repository holds no code, and the paper's abstract
gives no widths, depths or costs. Its blocks are here, `lama` (linear attention in the shape of a
Mamba block) and `mdc` (multi-scale dilated convolutions), after independent re-implementations
that agree with each other; a study composes them, and nothing here is called ACL.

M3SNet's costs, those of MambaIR's and MaIR's U-Nets, and those of several sizes of MaIR are not
published where we could look; their rows have our figures alone.
"""


def page(systems: Mapping[str, Json], known: Json) -> str:
    """The whole page.

    Args:
        systems: By name what `count_system` returned.
        known: What is in published.toml: `figure` and `latency`.
    """
    figures = [_joined(figure, systems) for figure in known["figure"]]
    printed = [figure for figure in figures if figure["kind"] != "measured"]
    measured = [figure for figure in figures if figure["kind"] == "measured"]
    return "\n".join(
        [
            INTRODUCTION,
            "## What was printed\n",
            "Parameters first, then multiply-adds.\n",
            *_table(
                ("network", "image", "printed", "counter", "ours, counted so", "ours in truth"),
                [row for name, of in systems.items() for row in _rows(name, of, printed)],
            ),
            CLASSIC,
            "Where these figures come from:\n",
            *_sources(printed),
            "\n## Released code, measured\n",
            "Counters run on the authors' code, with the scan replaced by a stub and charged as\n"
            "above.\n",
            *_table(
                ("network", "image", "counter", "released code", "ours, counted so", "apart"),
                [_measured(figure) for figure in measured],
            ),
            "\n## Latency that others measured\n",
            "Only where the device is said. They compare with nothing that was timed elsewhere:\n"
            "`ablate profile` times a network here, beside a reference network.\n",
            *_table(
                ("network", "image", "ms", "device", "source"), map(_latency, known["latency"])
            ),
            ENDING,
        ]
    )


def _joined(figure: Json, systems: Mapping[str, Json]) -> Json:
    """A figure with what was counted at its size: `truth`, and `ours` in its convention or None."""
    system = systems[figure["system"]]
    counts = system["counts"]["x".join(map(str, figure.get("size", system["size"])))]
    return {**figure, "truth": counts["truth"], "ours": counts.get(figure["counter"])}


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    line = "|".join("---" for _ in headings)
    return [f"| {' | '.join(headings)} |", f"|{line}|", *(f"| {' | '.join(r)} |" for r in rows)]


def _rows(name: str, system: Json, printed: list[Json]) -> list[tuple[str, ...]]:
    """A row for each figure that was printed; one without where there is none."""
    mine = [figure for figure in printed if figure["system"] == name]
    if not mine:
        truth = system["counts"]["x".join(map(str, system["size"]))]["truth"]
        return [(f"`{name}`", _image(truth), "-", "-", "-", _costs(truth))]
    return [
        (
            f"`{name}`",
            _image(figure["truth"]),
            _printed(figure),
            figure["counter"],
            _ours(figure),
            _costs(figure["truth"]),
        )
        for figure in mine
    ]


def _measured(figure: Json) -> tuple[str, ...]:
    image, printed, ours = _image(figure["truth"]), _printed(figure), _ours(figure)
    note = f" ({figure['note']})" if "note" in figure else ""
    return f"`{figure['system']}`", image, figure["counter"], printed + note, ours, _apart(figure)


def _sources(printed: list[Json]) -> list[str]:
    lines = {}
    for figure in printed:
        note = f"; {figure['note']}" if "note" in figure else ""
        said = f"{figure['kind']}, {figure['source']}{note}"
        lines.setdefault(f"- `{figure['system']}`, {_printed(figure)}: {said}.", None)
    return list(lines)


def _latency(known: Json) -> tuple[str, ...]:
    size = "x".join(map(str, known["size"])) if "size" in known else "not said"
    return (
        f"`{known['system']}`",
        size,
        f"{known['milliseconds']:,}",
        known["device"],
        known["source"],
    )


def _image(truth: Json) -> str:
    """The image, and what the network makes of its size."""
    channels, *size = truth["size"]
    grey = "grey " if channels == 1 else ""
    text = grey + "x".join(map(str, size))
    padded = truth["padded"]
    return text if padded == size else f"{text}, padded to {'x'.join(map(str, padded))}"


def _printed(figure: Json) -> str:
    parts = []
    if "params" in figure:
        parts.append(_span(figure["params"], _parameters))
    if "gmacs" in figure:
        parts.append(f"{_span(figure['gmacs'], _digits)} G")
    return ", ".join(parts)


def _span(value: float | list[float], words: Callable[[float], str]) -> str:
    return " to ".join(map(words, value)) if isinstance(value, list) else words(value)


def _parameters(value: float) -> str:
    """Whole numbers are exact; others as many digits as are known."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{_digits(value / 1e6)} M" if value >= 1e6 else f"{_digits(value / 1e3)} K"


def _digits(value: float) -> str:
    return f"{round(value, 6):,.10g}"


def _ours(figure: Json) -> str:
    return _costs(figure["ours"]) if figure["ours"] else "-"


def _costs(found: Json) -> str:
    return f"{found['params']:,}, {_giga(found)} G"


def _giga(found: Json) -> str:
    least, most = found["range"]
    text = f"{found['macs'] / 1e9:,.3f}"
    return text if least == most else f"{text} ({least / 1e9:,.3f} to {most / 1e9:,.3f})"


def _apart(figure: Json) -> str:
    """Parameters and MACs, ours less theirs; a range at both ends."""
    ours = figure["ours"]
    parts = []
    if isinstance(figure.get("params"), int):
        off = ours["params"] - figure["params"]
        parts.append("equal" if not off else f"{off / figure['params']:+.3%}")
    if isinstance(figure.get("gmacs"), list):
        ends = zip(ours["range"], figure["gmacs"], strict=True)
        parts.append(" to ".join(f"{a / 1e9 / b - 1:+.2%}" for a, b in ends))
    elif "gmacs" in figure:
        parts.append(f"{ours['macs'] / 1e9 / figure['gmacs'] - 1:+.2%}")
    return ", ".join(parts) or "-"

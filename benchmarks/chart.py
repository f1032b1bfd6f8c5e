"""The chart of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.cells import Spec
from benchmarks.contenders import CONTENDERS
from benchmarks.plan import FLOORS, OURS, WITH_BEAKER
from benchmarks.ratios import Results
from benchmarks.samples import Samples
from benchmarks.workloads import CHANGE, READ

_PANELS = (
    ("read only", Spec("", READ)),
    ("small change", Spec("", CHANGE)),
    ("read only, 1 ms away", Spec("", READ, round_trip_ms=1.0)),
)
_COLOURS = {
    "this package": "#0b6e4f",
    "others": "#8ca0b3",
    "the driver alone, without sessions": "#d9dee3",
}
_WIDTH_INCHES, _ROW_INCHES = 14.0, 0.34

# Text as paths looks the same everywhere. With a fixed salt, equal figures give equal files.
_STYLE: Any = {"svg.fonttype": "path", "svg.hashsalt": "benchmarks", "font.size": 9.0}


def draw(results: Results, path: Path) -> list[Path]:
    """Draw the medians of the most important requests.

    :param results: the results of a run.
    :param path: the path of the files, without suffix.
    :returns: the paths of the PNG and the SVG file.
    """
    panels = [(title, _bars(results, spec)) for title, spec in _PANELS]
    rows = max(len(bars) for _, bars in panels)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_INCHES, 1.5 + _ROW_INCHES * rows), layout="constrained")
        axes = figure.subplots(1, len(panels))
        for axis, (title, bars) in zip(axes, panels, strict=True):
            _draw_bars(axis, title, bars)
        figure.suptitle(
            "Median time of a request with a session of 2 kB, in microseconds", fontsize=11
        )
        figure.legend(
            [Rectangle((0, 0), 1, 1, color=colour) for colour in _COLOURS.values()],
            list(_COLOURS),
            loc="outside lower center",
            ncols=len(_COLOURS),
            frameon=False,
        )
        files = [path.with_suffix(suffix) for suffix in (".png", ".svg")]
        for file in files:
            metadata = {"Date": None} if file.suffix == ".svg" else None
            figure.savefig(file, dpi=110, metadata=metadata)
    return files


def _bars(results: Results, like: Spec) -> Sequence[tuple[str, Samples]]:
    """Return the contenders with their samples, fastest first."""
    names = [name for name in CONTENDERS if name not in WITH_BEAKER]
    found = [(name, results.get(like.of(name))) for name in names]
    bars = [(name, samples) for name, samples in found if samples is not None]
    return sorted(bars, key=lambda bar: bar[1].median_us)


def _draw_bars(axis: Axes, title: str, bars: Sequence[tuple[str, Samples]]) -> None:
    medians = [samples.median_us for _, samples in bars]
    colours = [_colour(name) for name, _ in bars]
    drawn = axis.barh(range(len(bars)), medians, color=colours)
    axis.bar_label(drawn, [f"{median:,.0f}" for median in medians], padding=3)
    titles = [CONTENDERS[name].title.replace("*", "").replace("`", "") for name, _ in bars]
    axis.set_yticks(range(len(bars)), titles)
    for label, (name, _) in zip(axis.get_yticklabels(), bars, strict=True):
        label.set_fontweight("bold" if name in OURS else "normal")
    axis.invert_yaxis()
    axis.set_title(title, loc="left")
    axis.margins(x=0.16)
    axis.spines[["top", "right"]].set_visible(False)


def _colour(name: str) -> str:
    ours, others, floors = _COLOURS.values()
    if name in OURS:
        return ours
    return floors if name in FLOORS else others

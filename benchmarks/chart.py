"""The charts of a run: one for each question of the page *Performance*."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# The first colour of a pair is that of the first bar of a row, the second that of the other one.
_OURS = ("#0b6e4f", "#7cc4a8")
_OTHERS = ("#5f7488", "#b9c6d2")
_WIDTH_INCHES, _ROW_INCHES = 7.2, 0.62
_BAR = 0.38

# Text as paths looks the same everywhere. With a fixed salt, equal figures give equal files.
_STYLE: Any = {"svg.fonttype": "path", "svg.hashsalt": "benchmarks", "font.size": 13.0}


@dataclass(frozen=True)
class Row:
    """The bars of one contender.

    :param title: its title.
    :param values: the values, one for each entry of the legend; ``None`` if not measured.
    :param is_ours: whether it is this package.
    """

    title: str
    values: Sequence[float | None]
    is_ours: bool


@dataclass(frozen=True)
class Chart:
    """A chart with horizontal bars.

    :param name: the name of its file, without suffix.
    :param title: what the bars show, with the unit.
    :param legend: what the bars of a row are: one or two.
    :param rows: the rows, the first one at the top.
    :param number: the format of the values.
    """

    name: str
    title: str
    legend: Sequence[str]
    rows: Sequence[Row]
    number: str


def draw(chart: Chart, folder: Path) -> Path:
    """Draw a chart.

    :param chart: the chart.
    :param folder: the folder of the file.
    :returns: the path of the file.
    """
    path = folder / f"{chart.name}.svg"
    with mpl.rc_context(_STYLE):
        height = 1.3 + _ROW_INCHES * len(chart.rows)
        figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
        axis = figure.subplots()
        for index in range(len(chart.legend)):
            _draw_bars(axis, chart, index)
        middle = _BAR * (len(chart.legend) - 1) / 2
        axis.set_yticks([row + middle for row in range(len(chart.rows))])
        axis.set_yticklabels([row.title for row in chart.rows])
        for label, row in zip(axis.get_yticklabels(), chart.rows, strict=True):
            label.set_fontweight("bold" if row.is_ours else "normal")
        axis.invert_yaxis()
        axis.margins(x=0.14)
        axis.spines[["top", "right"]].set_visible(False)
        figure.suptitle(chart.title, fontsize=13, x=0.01, ha="left")
        colours = [Rectangle((0, 0), 1, 1, color=colour) for colour in _OTHERS]
        figure.legend(
            colours[: len(chart.legend)], chart.legend, loc="outside lower center", ncols=2
        )
        figure.savefig(path, metadata={"Date": None})
    return path


def _draw_bars(axis: Any, chart: Chart, index: int) -> None:
    measured = [
        (place + index * _BAR, value, (_OURS if row.is_ours else _OTHERS)[index])
        for place, row in enumerate(chart.rows)
        if (value := row.values[index]) is not None
    ]
    places, values, colours = zip(*measured, strict=True) if measured else ((), (), ())
    bars = axis.barh(places, values, height=_BAR, color=colours)
    axis.bar_label(bars, [format(value, chart.number) for value in values], padding=3)

"""Sweeps: one thing of the experiment varied, all else held, with a table and a plot.

sweeps/NAME.yaml  -> build/sweeps/NAME/POINT/ (a copy of the project, one profile a point, one DVC cache for all)
                  -> results/sweeps/NAME.{md,csv,png}

plan     what is varied: sweeps/NAME.yaml read and checked
points   the copies, and `dvc repro` in each
report   scores of all points -> rows, paired comparisons, Markdown, csv
plot     metric against the swept value
"""

from v2sbench.tools.sweep.plan import SWEEPS, Axis, Point, Sweep, list_sweeps, read_sweep
from v2sbench.tools.sweep.plot import draw
from v2sbench.tools.sweep.points import BUILD, reproduce, reproduce_point, stage_of
from v2sbench.tools.sweep.report import OUT, Contrast, Report, collect, console, csv_text, markdown, write

__all__ = [
    "BUILD",
    "OUT",
    "SWEEPS",
    "Axis",
    "Contrast",
    "Point",
    "Report",
    "Sweep",
    "collect",
    "console",
    "csv_text",
    "draw",
    "list_sweeps",
    "markdown",
    "read_sweep",
    "reproduce",
    "reproduce_point",
    "stage_of",
    "write",
]

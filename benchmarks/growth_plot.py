"""Draws the last result of `growth` as a picture: one panel an axis, CPU and memory.

python -m benchmarks.growth_plot       writes docs/pictures/growth.svg
"""

import sys

import matplotlib
import msgspec

from benchmarks.processes import ROOT

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "growth"
from matplotlib import pyplot  # noqa: E402 (the back end is chosen first)

PICTURE = ROOT / "docs" / "pictures" / "growth.svg"
CPU, MEMORY = "#1f5fa8", "#b5541c"
UNITS = {"stream": "streams", "turn": "turns", "document": "documents"}


def main() -> int:
    saved = ROOT / "benchmarks" / "results" / "growth.json"
    rows = msgspec.json.decode(saved.read_bytes())["runs"][-1]
    figure, panels = pyplot.subplots(2, 2, figsize=(10, 7), constrained_layout=True)
    for row, panel in zip(rows, panels.flat, strict=True):
        amounts, cpu, memory = zip(*row["detail"]["points"], strict=True)
        panel.plot(amounts, cpu, "o-", color=CPU)
        line = [cpu[-1] * n / amounts[-1] for n in amounts]
        panel.plot(amounts, line, ":", color=CPU, alpha=0.5)
        panel.set_title(row["what"].partition(":")[0])
        panel.set_xlabel(UNITS.get(row["detail"]["unit"], row["detail"]["unit"]))
        panel.set_ylabel("CPU, ms", color=CPU)
        panel.set_ylim(bottom=0)
        right = panel.twinx()
        right.plot(amounts, memory, "s--", color=MEMORY, markersize=4)
        right.set_ylabel("resident, MB", color=MEMORY)
        right.set_ylim(bottom=0)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})
    print(PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())

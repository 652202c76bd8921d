"""One HTML page about a split: what was compared, how sure the numbers are, and how it sounds. It loads nothing.

    scores, audio, split and clips, training logs  --write_report-->  results/reports/SPLIT.html
                                                   --write_plots-->   results/plots/SPLIT/, for `dvc plots`

Begin in `page`, which lays out `page.html` (Jinja) with `page.css` and `page.js` inside. `numbers` makes its tables,
`charts` draws, `breakdown` takes scores apart, `listening` and `spectrograms` make what is heard and seen of a clip,
`provenance` and `card_sources` say where everything comes from. PyTorch is imported only to draw spectrograms.
"""

from v2sbench.report.page import CLIPS, write_report
from v2sbench.report.plots import write_plots

__all__ = ["CLIPS", "write_plots", "write_report"]

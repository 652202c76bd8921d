"""What the gate found, in words: the answers to its two questions, every change, and what to do."""

from __future__ import annotations

from collections import Counter

from tabulate import tabulate

from v2sbench.results.cells import text
from v2sbench.results.gate import KINDS, SCORING, Change, Checked
from v2sbench.results.measured import group_of

HEADER = ("", "system", "metric", "before", "now", "difference", "may move by", "clips that moved most")


def summary(checked: Checked) -> str:
    """The answers to both questions in one sentence."""
    split = checked.baseline.split
    scoring = [change for change in checked.changes if change.kind == SCORING]
    others = [change for change in checked.changes if change.kind != SCORING]
    if scoring:
        cells_off = f"{len(scoring)} cell{'s' if len(scoring) > 1 else ''}"
        said = f"the scoring has changed: {cells_off} of the same audio"
    elif checked.same:
        said = f"the scoring is the same on the {checked.same} utterances with the same audio"
    else:
        said = "no utterance has the same audio, so the scoring could not be compared"
    outside = len({(change.system, change.metric) for change in others})
    where = f"lie within the spread of {checked.trainings} trainings" if checked.trainings else "are as accepted"
    if checked.trainings and checked.processors > 1:
        where += f" on {checked.processors} processors"
    count = Counter(change.kind for change in others)
    kinds = ", ".join(f"{count[kind]} {kind}" for kind in KINDS if count[kind])
    cells = f"{checked.cells - outside} of {checked.cells} cells {where}" + (f" ({kinds})" if kinds else "")
    return f"{split}: {said}; {cells}"


def report(checked: Checked) -> str:
    """Both answers, every change a line, who accepted the baseline and why, and what to do."""
    split, accepted = checked.baseline.split, checked.baseline
    parts = [f"{summary(checked)} ({checked.file}, accepted by {accepted.who}: {accepted.why})"]
    scoring = [change for change in checked.changes if change.kind == SCORING]
    moves = [change for change in checked.changes if change.kind not in (SCORING, "refused")]
    for title, changes in (
        ("1. The same audio scores otherwise", scoring),
        ("2. Other audio, and the numbers are not those that other trainings give", moves),
    ):
        if changes:
            parts.append(f"{title}:\n\n{tabulate([_line(item) for item in changes], HEADER, disable_numparse=True)}")
    refused: dict[str, list[str]] = {}
    for change in checked.changes:
        if change.kind == "refused":
            rule = f"{change.before} in the baseline, {change.now} now"
            refused.setdefault(rule, []).append(f"{change.system} {change.metric}")
    parts += [f"refused, not compared: {rule}: {', '.join(cells)}" for rule, cells in refused.items()]
    if scoring:
        parts.append(
            "a change of the scoring is a fault unless it is meant: look at what changed in v2sbench/scoring or in its "
            f"packages (pip list), then v2sbench verify {split}"
        )
    if checked.changes and not checked.utterances:
        parts.append(f"which clips moved is unknown: {split}.utterances.tsv is not there; accept writes it")
    if checked.changes:
        parts.append(f"if this is meant: v2sbench accept {split} --why REASON")
    if checked.new:
        own = any(group_of(name) == "system" for name in checked.new)
        chosen = f" --systems {','.join(checked.new)}" if own else ""
        todo = f"v2sbench accept {split}{chosen} --why REASON adds them"
        parts.append(f"not in the baseline: {', '.join(checked.new)}; {todo}")
    return "\n\n".join(parts)


def _line(change: Change) -> list[str]:
    """A change as a line of the report."""
    step, allowed = change.difference, change.allowed
    moves = ["" if step is None else text(change.metric, step, "+"), "" if allowed is None else f"{allowed:.2g}"]
    names = [change.kind, change.system, change.metric, change.before, change.now or "nothing"]
    return [*names, *moves, ", ".join(change.clips)]

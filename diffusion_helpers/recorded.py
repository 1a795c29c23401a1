"""What the benchmarks measured over several seeds, for the lessons to show, and its intervals."""

import json
import statistics
from collections.abc import Sequence

from .data import read_data
from .languages import marked, tr
from .languages.notebooks import said_in

FIGURES = ("distance", "precision", "recall", "grain")
STUDENT_T = {2: 12.706, 3: 4.303}  # for a 95 % interval over two or three seeds


def seed_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half of the 95 % interval (Student's t) over the seeds; two or three values."""
    try:
        times = STUDENT_T[len(values)]
        middle, spread = statistics.mean(values), statistics.stdev(values)
    except (TypeError, KeyError, AttributeError, statistics.StatisticsError):
        raise ValueError(tr("expected two or three numbers, one for each seed")) from None
    return middle, times * spread / len(values) ** 0.5


def share_interval(right: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Both ends of the 95 % interval of Wilson 1927 for `right` of `n`; fair near 0 and 1, too."""
    share = right / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def twins_runs(net: str, what: str) -> list[float]:
    """One number for each seed: `what` is "well_formed", "agrees" or "luck" (data/twins.json)."""
    runs = _of(_twins(), net, marked("net"))
    return [_of(run, what, marked("figure")) for run in runs]


def _twins():
    """The runs of each net, which has the name that lesson 06 gives it in the spoken language."""
    runs = json.loads(read_data("twins.json"))["runs"]
    return {said_in("06", net): of_net for net, of_net in runs.items()}


def twins_by_level(net: str, what: str) -> tuple[list[int], list[float]]:
    """The noise levels t, and `what` at each of them, the mean over the seeds.

    `what` is "velocity", the error on new scenes, or "agrees", the share of pairs that match when
    sampling starts from a real scene at that level.
    """
    runs = _of(_twins(), net, marked("net"))
    over_seeds = zip(*(_of(run["levels"], what, marked("figure")) for run in runs), strict=True)
    return runs[0]["levels"]["t"], [statistics.mean(values) for values in over_seeds]


def ladder_step(below: str, above: str) -> dict[str, dict[str, tuple[float, float]]]:
    """What a rung of the ladder changes: {figure: {below, above, "change": mean and half}}.

    Figures are the velocity error on held-out emoji and the Fréchet distance for two samplers; the
    change is that within a seed.
    """
    rungs = json.loads(read_data("ladder.json"))["rungs"]
    below_runs, above_runs = (_of(rungs, rung, marked("rung")) for rung in (below, above))
    figures = {
        "velocity error": lambda run: statistics.mean(run["loss"]["velocity"]),
        "distance, DDIM": lambda run: run["ddim"]["distance"],
        "distance, DDPM": lambda run: run["ddpm"]["distance"],
    }
    steps = {}
    for name, figure in figures.items():
        one, other = ([figure(run) for run in runs] for runs in (below_runs, above_runs))
        change = [b - a for a, b in zip(one, other, strict=True)]
        steps[name] = {
            key: seed_interval(values)
            for key, values in ((below, one), (above, other), ("change", change))
        }
    return steps


def ladder_ratios() -> dict[str, tuple[list[int], list[float]]]:
    """Velocity error, blind relative to told t: {"seed 1, recorded": (the levels t, the ratios)}.

    The shipped networks, which a lesson measures itself, are those of seed 0: it is left out.
    """
    runs = zip(
        *(json.loads(read_data("ladder.json"))["rungs"][rung][1:] for rung in ("blind", "time")),
        strict=True,
    )
    return {
        tr("seed {}, recorded", told["seed"]): (
            told["loss"]["t"],
            [b / t for b, t in zip(blind["loss"]["velocity"], told["loss"]["velocity"])],
        )
        for blind, told in runs
    }


def ladder_changes(*figures: str) -> dict[str, list[str]]:
    """Rows of a table, {"DDIM, grain": [blind, told t, change, verdict]}, means over three seeds.

    `figures` are of "distance", "precision", "recall", "grain". The change is taken within a seed,
    with its 95 % interval (Student's t); "undecided" says that it may be luck. Raises ValueError
    for another figure.
    """
    rungs, rows = json.loads(read_data("ladder.json"))["rungs"], {}
    shown = dict(zip(FIGURES, (tr("distance"), tr("precision"), tr("recall"), tr("grain"))))
    for figure in figures:
        if figure not in shown:
            known = ", ".join(FIGURES)
            raise ValueError(tr("expected figures among {}, got {!r:.60}", known, figure))
        for sampler in ("ddim", "ddpm"):
            blind, told = ([run[sampler][figure] for run in rungs[r]] for r in ("blind", "time"))
            change = [after - before for before, after in zip(blind, told, strict=True)]
            mean, half = seed_interval(change)
            rows[f"{sampler.upper()}, {shown[figure]}"] = [
                f"{statistics.mean(blind):.3f}",
                f"{statistics.mean(told):.3f}",
                f"{mean:+.3f} ± {half:.3f}",
                tr("decided") if abs(mean) > half else tr("undecided"),
            ]
    return rows


def straight_table(figure: str = "distance") -> dict[str, list[str]]:
    """Rows of a table, {"flow": [a cell for each number of steps]}, means over three seeds.

    `figure` is "distance", the Fréchet distance, or "miss", the squared error to the picture of 20
    steps; the steps are 1, 2, 4, 8 and 20 (data/straight.json). Raises ValueError for another one.
    """
    rows, digits = {}, _of({"distance": 1, "miss": 3}, figure, marked("figure"))
    for kind, runs in json.loads(read_data("straight.json"))["runs"].items():
        means = [seed_interval(seeds) for seeds in zip(*(run[figure] for run in runs), strict=True)]
        rows[kind] = [f"{mean:.{digits}f} ± {half:.{digits}f}" for mean, half in means]
    return rows


def halving_table() -> dict[str, list[str]]:
    """Rows of a table: {"progressive, 4 calls": [Fréchet distance, right emoji]}.

    The right ones are a share with its 95 % interval (Wilson). From data/halving.json.
    """
    ways = {
        "the demiurge, guidance 2": tr("the demiurge, guidance 2"),
        "the demiurge, no guidance": tr("the demiurge, no guidance"),
        "the demiurge, by turns": tr("the demiurge, by turns"),
        "progressive": tr("progressive"),
        "consistency": tr("consistency"),
        "paths": tr("paths"),
    }
    result, rows = json.loads(read_data("halving.json")), {}
    for way, by_calls in result["runs"].items():
        for calls, found in by_calls.items():
            low, high = share_interval(found["right"], result["prompts"])
            right = found["right"] / result["prompts"]
            share = tr("{:.0%} ({:.0%} to {:.0%})", right, low, high)
            rows[tr("{}, {} calls", ways[way], calls)] = [f"{found['distance']:.1f}", share]
    return rows


def swift_lost() -> str:
    """What the distilled network lost beside its teacher, in two sentences (data/swift.json).

    Both draw at guidance 2, swift in 4 calls of the network and the demiurge in 40.
    """
    share = {
        (row["network"], row["steps"], row["kind"]): f"{row['right'] / row['n']:.0%}"
        for row in json.loads(read_data("swift.json"))["adherence"]
        if row["scale"] == 2
    }
    (swift, swift_new), (demiurge, demiurge_new) = (
        [share[network, steps, kind] for kind in ("training", "held out")]
        for network, steps in (("swift", 4), ("demiurge", 20))
    )
    return tr(
        "What the student lost: the asked emoji is among the five nearest to {} of its pictures, "
        "and to {} of the demiurge's. For pairs of emoji and style whose picture neither has seen: "
        "{} and {}.",
        *(swift, demiurge, swift_new, demiurge_new),
    )


def own_word_table() -> dict[str, list[str]]:
    """Rows of a table: {"LoRA, with prior": [runs, like, in styles, kept, kilobytes]}.

    Shares of all runs of a way together: samples whose nearest picture is a drawing, of the word
    alone and of the word in six styles, and old prompts that are still right; in the last row those
    of the demiurge before any training. From data/own_word.json.
    """
    names = {
        "adapter, prior": tr("LoRA, with prior"),
        "adapter, no prior": tr("LoRA, drawings alone"),
        "whole, prior": tr("all weights, with prior"),
        "whole, no prior": tr("all weights, drawings alone"),
        "vector": tr("one vector"),
    }
    result, rows = json.loads(read_data("own_word.json")), {}
    for way, runs in result["ways"].items():
        of = result["of"].items()
        shares = [sum(run[key] for run in runs) / (n * len(runs)) for key, n in of]
        size = max(run["bytes"] for run in runs) / 1000
        rows[names[way]] = [str(len(runs)), *(f"{s:.0%}" for s in shares), f"{size:,.1f}"]
    before = result["kept before"] / result["of"]["kept"]
    rows[tr("the demiurge, untaught")] = ["", "", "", f"{before:.0%}", ""]
    return rows


def _of(found, name, kind):
    """found[name], or one sentence with the names that there are."""
    if not isinstance(name, str) or name not in found:
        raise ValueError(tr("there is no {} {!r:.60}, only {}", tr(kind), name, ", ".join(found)))
    return found[name]

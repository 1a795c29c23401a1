"""What the benchmarks recorded: means and intervals over the seeds, as the lessons show them."""

import json
import re
import statistics
from pathlib import Path

import pytest

from diffusion_helpers import recorded
from diffusion_helpers.data import read_data
from diffusion_helpers.recorded import (
    halving_table,
    ladder_changes,
    ladder_ratios,
    ladder_step,
    own_word_table,
    seed_interval,
    share_interval,
    straight_table,
    swift_lost,
    twins_by_level,
    twins_runs,
)

LADDER = Path(__file__).parent.parent / "benchmarks" / "ladder.txt"


def test_the_interval_is_that_of_student():
    middle, half = seed_interval([1.0, 2.0, 3.0])
    assert middle == 2 and abs(half - 4.303 / 3**0.5) < 1e-9


def test_the_interval_of_a_share_is_that_of_wilson():
    assert share_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert share_interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)


@pytest.mark.parametrize("values", [[], [1.0], [1, 2, 3, 4], None, ["a", "b"]])
def test_an_interval_needs_two_or_three_numbers(values):
    with pytest.raises(ValueError, match="one for each seed"):
        seed_interval(values)


def test_the_step_of_the_ladder_is_that_of_its_runs():
    rungs = json.loads(read_data("ladder.json"))["rungs"]
    step = ladder_step("time", "attention")
    for rung in ("time", "attention"):
        distances = [run["ddim"]["distance"] for run in rungs[rung]]
        assert step["distance, DDIM"][rung][0] == pytest.approx(statistics.mean(distances))
    for row in step.values():
        assert row["change"][0] == pytest.approx(row["attention"][0] - row["time"][0])


def test_what_swift_lost_is_said_in_shares(monkeypatch):
    right = {("swift", 4, 2.0): (93, 50), ("demiurge", 20, 2.0): (96, 53)}
    right |= {("swift", 4, 3.0): (11, 12), ("demiurge", 4, 2.0): (13, 14)}  # not asked for
    rows = [
        {"network": name, "steps": steps, "scale": scale, "kind": kind, "right": n, "n": 100}
        for (name, steps, scale), both in right.items()
        for kind, n in zip(("training", "held out"), both, strict=True)
    ]
    recording = json.dumps({"adherence": rows}).encode()
    monkeypatch.setattr(recorded, "read_data", {"swift.json": recording}.get)
    shares = re.findall(r"(\d+)%", swift_lost())
    assert shares == ["93", "96", "50", "53"]


def test_the_twins_have_three_seeds_and_all_levels():
    assert len(twins_runs("convolutions only", "agrees")) == 3
    t, error = twins_by_level("with attention", "velocity")
    assert len(t) == len(error) and t == sorted(t)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: twins_runs("far", "agrees"),
        lambda: twins_runs("convolutions only", None),
        lambda: twins_by_level("convolutions only", "luck"),
        lambda: ladder_step("time", 3),
    ],
)
def test_what_is_not_recorded_gets_one_sentence(ask):
    with pytest.raises(ValueError, match="there is no"):
        ask()


def test_the_ladder_is_shown_as_its_table_says():
    table = LADDER.read_text("utf-8")
    for sampler in ("ddim", "ddpm"):
        rows = ladder_changes("distance", "grain")
        for figure in ("distance", "grain"):
            line = re.search(rf"^{sampler}  \+ time .*$", table, re.M)[0]
            mean, half = re.search(rf"{figure} (\S+) \+- (\S+)", line).groups()
            assert rows[f"{sampler.upper()}, {figure}"][2] == f"{mean} ± {half}"
    ratios = ladder_ratios()
    assert list(ratios) == ["seed 1, recorded", "seed 2, recorded"]
    for t, ratio in ratios.values():
        assert t[0] == 77 and len(t) == len(ratio) and min(ratio) > 1


def test_the_ladder_has_no_other_figures():
    with pytest.raises(ValueError, match="figures among distance, precision, recall, grain"):
        ladder_changes("loss")


def test_the_straight_roads_have_a_cell_for_each_number_of_steps():
    result = json.loads(read_data("straight.json"))
    for figure, digits in (("distance", 1), ("miss", 3)):
        rows = straight_table(figure)
        assert list(rows) == ["velocity", "flow", "flow, reflow"]
        for kind, cells in rows.items():
            assert len(cells) == len(result["steps"]) == 5
            mean = statistics.mean(run[figure][0] for run in result["runs"][kind])
            assert cells[0].startswith(f"{mean:.{digits}f} ± ")
    with pytest.raises(ValueError, match="no figure 'speed'"):
        straight_table("speed")


def test_the_halved_steps_stand_beside_consistency():
    result, rows = json.loads(read_data("halving.json")), halving_table()
    for way in ("progressive", "consistency"):
        for calls in (4, 2):
            found = result["runs"][way][str(calls)]
            distance, right = rows[f"{way}, {calls} calls"]
            assert distance == f"{found['distance']:.1f}"
            assert right.startswith(f"{found['right'] / result['prompts']:.0%} (")


def test_the_ways_to_teach_a_word_stand_as_the_benchmark_wrote_them():
    text = LADDER.with_name("own_word.txt").read_text("utf-8")
    rows = own_word_table()
    assert len(rows) == 6
    taught = [line for line in text.splitlines() if " runs  like " in line]
    for line, (runs, like, styled, kept, size) in zip(taught, rows.values(), strict=False):
        assert f" {runs} runs " in line and f" {size} kB " in line
        for words, share in (("drawings", like), ("styles", styled), ("right", kept)):
            found = float(line.split(f"{words} ")[1].split("%")[0])
            assert round(found) == int(share[:-1])

"""Two runs side by side: what agrees, by hand, and what the command says and writes."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from manu.analysis.agreement import compare_runs, one_line, seeds_of
from manu.cli import main
from manu.core.errors import UserError

ROOT = Path(__file__).parents[2]
PLAIN = {
    **{"study": "smoke", "model": "llava", "seed": 0, "forget_ratio": 10, "split": "forget", "modality": "text"},
    **{"metric_version": "1", "ci_low": 0.0, "ci_high": 1.0, "higher_is_better": False, "n": 20},
}
CLAIM = {"claim": "forgets", "model": "llava", "method": "ga", "verdict": "reproduced"}


def run(folder: Path, values: dict[str, float], success: float = 0.5, verdict: str = "reproduced") -> Path:
    """A finished run: classification accuracy by method, and ga's forgetting success."""
    (folder / "tables").mkdir(parents=True)
    scores = [
        PLAIN | {"method": m, "task": "classification", "metric": "accuracy", "value": v} for m, v in values.items()
    ]
    pd.DataFrame(scores).to_csv(folder / "scores.csv", index=False)
    outcome = PLAIN | {"method": "ga", "metric": "forgetting_success", "value": success}
    undefined = outcome | {"metric": "modality_gap", "value": None}
    pd.DataFrame([outcome, undefined]).to_csv(folder / "outcomes.csv", index=False)
    pd.DataFrame([CLAIM | {"verdict": verdict}]).to_csv(folder / "tables/claims.csv", index=False)
    return folder


def seeds(folder: Path, spread: dict[str, float]) -> Path:
    """A snapshot with three seeds: the standard deviation of each method's accuracy."""
    (folder / "tables").mkdir(parents=True)
    plain = PLAIN | {"task": "classification", "metric": "accuracy", "seeds": 3}
    rows = [plain | {"method": method, "sd": sd} for method, sd in spread.items()]
    pd.DataFrame(rows).drop(columns="seed").to_csv(folder / "tables/seeds.csv", index=False)
    return folder


def test_a_number_agrees_within_the_spread_of_seeds_or_one_answer(tmp_path):
    mine = run(tmp_path / "mine", {"vanilla": 0.95, "ga": 0.5, "npo": 0.4, "kl": 0.7})
    theirs = run(tmp_path / "theirs", {"vanilla": 1.0, "ga": 0.8, "npo": 0.9, "manu": 0.1}, success=0.6)
    spread = seeds(tmp_path / "seeds", {"vanilla": 0.0, "ga": 0.05, "npo": 0.05})
    found = compare_runs(mine, theirs, spread)
    cells = found.cells.set_index(["method", "metric"])
    # t is 4.302653 with three seeds: 4.302653 * 0.05 * sqrt(2) = 0.304243
    assert cells["allowed"].round(6).tolist()[:3] == [0.05, 0.304243, 0.304243]
    assert cells["agrees"].tolist() == [True, True, False, False]  # nothing says how far the success may differ
    assert cells.loc[("ga", "forgetting_success"), "difference"] == -0.1
    assert (found.only_here, found.only_there) == (1, 1) and not found.same_bytes and not found.agrees
    share = "2 of 4 numbers within the spread of seeds, and 1 of 1 verdicts are the same."
    assert found.sentence() == f"This run does not fully agree with the released results: {share}"
    methods = found.by_method().set_index(["method", "metric"])
    assert methods.loc[("ga", "accuracy")].tolist() == [1, 1.0, 0.3]


def test_equal_runs_agree_and_a_verdict_may_differ(tmp_path):
    mine = run(tmp_path / "mine", {"ga": 0.5})
    assert compare_runs(mine, mine, None).sentence() == "This run has the same bytes as the released results."
    assert compare_runs(mine, mine, None).agrees
    other = run(tmp_path / "other", {"ga": 0.5}, verdict="inconclusive")
    pd.read_csv(other / "scores.csv").assign(study="x").to_csv(other / "scores.csv", index=False)
    found = compare_runs(mine, other, None)
    assert found.cells["agrees"].all() and not found.verdicts["agrees"].any() and not found.agrees
    equal = "2 of 2 numbers equal the released ones, and 0 of 1 verdicts are the same"
    assert found.sentence() == f"{equal}; no seeds say how far runs may differ."


def test_what_cannot_be_compared_is_told(tmp_path):
    mine = run(tmp_path / "mine", {"ga": 0.5})
    with pytest.raises(UserError, match="scores.csv is missing: needed is a finished study or a snapshot"):
        compare_runs(mine, tmp_path / "nothing", None)
    other = run(tmp_path / "other", {"ga": 0.5})
    for file in ("scores.csv", "outcomes.csv"):
        pd.read_csv(other / file).assign(model="idefics2").to_csv(other / file, index=False)
    with pytest.raises(UserError, match="have no number in common: not the same study"):
        compare_runs(mine, other, None)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with the smoke study's finished run and a released one that differs."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    run(Path("results/smoke"), {"vanilla": 1.0, "ga": 0.5})
    run(Path("results/reference/smoke"), {"vanilla": 1.0, "ga": 0.9}, verdict="not reproduced")
    seeds(Path("results/reference/smoke-seeds"), {"vanilla": 0.0, "ga": 0.01})
    return tmp_path


def test_the_command_says_what_differs_and_writes_it(here, capsys):
    assert main(["agree", "--study", "smoke"]) == 0
    said = capsys.readouterr().out
    assert "does not fully agree with the released results: 2 of 3 numbers within the spread of seeds" in said
    assert "llava 10 % ga forget text classification accuracy: 0.500, released 0.900" in said
    assert "forgets, llava, ga: reproduced, released not reproduced" in said
    written = {file.name for file in Path("results/agreement/smoke").iterdir()}
    assert written == {"cells.csv", "methods.csv", "verdicts.csv", *(f"accuracies.{x}" for x in ("csv", "png", "svg"))}
    assert main(["agree", "--study", "smoke", "--strict"]) == 1
    assert main(["agree", "--study", "smoke", "--strict", "--with", "results/smoke"]) == 0
    capsys.readouterr()
    assert main(["agree", "--study", "smoke", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agree"] == 2
    assert one_line("smoke").endswith("make agree STUDY=smoke tells more.") and one_line("tiny") == ""


def test_without_a_released_run_the_known_are_listed(here, capsys):
    shutil.rmtree("results/reference/smoke")
    run(Path("results/reference/mini"), {"ga": 0.5})
    assert main(["agree", "--study", "smoke"]) == 2
    assert "there is no results/reference/smoke; released are: mini; another run: --with" in capsys.readouterr().err


def test_a_study_with_seeds_says_itself_how_far_runs_differ():
    assert seeds_of("mini") == seeds_of("mini-seeds") == Path("results/reference/mini-seeds")

"""Every table and figure on made-up sources: each number changes with the rows that it comes from and with no others,
and what is drawn is the same twice."""

import io
import json
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest
import test_robustness

from manu.analysis.cells import csv_text
from manu.analysis.figures.registry import figure_keys, figure_module, known_figures
from manu.analysis.figures.style import save
from manu.analysis.origin import Origin, Rows
from manu.analysis.outcomes import ANSWER_COLUMNS
from manu.analysis.pruned import PRUNED_COLUMNS
from manu.analysis.reading import NEEDED_COLUMNS, TEXT_COLUMNS, Inputs
from manu.analysis.tables import base
from manu.analysis.tables.comparison import REPORTED_COLUMNS
from manu.analysis.tables.registry import known_tables, table
from manu.audit.numbers import is_number
from manu.evaluation.vocabulary import MODALITIES, REFERENCES

METHODS = {"ga": {"kind": "training"}, "manu": {"kind": "pruning", "prune_ratio": 10.0}}
DRAWN = {"resamples": 20, "level": 0.9}
CLAIMS = {
    "subjects": ["manu"],
    "baselines": ["ga"],
    "controls": ["vanilla"],
    "aim": {"modality_gap": 0.05, "kept": 0.9},
    "claims": [
        {"id": name, "says": "s", "source": "p", "measure": measure, "threshold": 0.1}
        for name, measure in (("forgets", "least_forgetting_success"), ("kept", "utility_kept"))
    ],
}
SETTINGS = {
    "intervals": DRAWN,
    "level": 0.9,
    "methods": METHODS,
    "evaluation": {
        "classification": "letter",
        "splits": ["forget", "test", "retain", "celebrity"],
        "modalities": list(MODALITIES),
        "tasks": ["classification", "cloze", "generation"],
    },
    "prune_ratios": {"random40": 40},
    "variants": {"ratio50": 50.0},
    "union": None,
    "ratio": 10,
    "study": "tiny",
    "criterion": "harmonic_mean",
    "keeps": 0.5,
    "trials": {"ga": [{"a": 1}, {"a": 2}]},
    "tasks": ["mmmu"],
    "comparison": {"comparable": True, "models": "m", "tolerance": 1.0},
    "benchmark": "MLLMU-Bench",
    "models": {"llava": ""},
    "forget_ratios": [10],
}
FOLDER = "results/tiny/llava/seed0/forget10"
RECORDS = [f"{FOLDER}/{method}/job.provenance.json" for method in ("retain_only", *METHODS)]
# p-values and medians may stay as the rows behind them change, and so may what is printed with one decimal
MAY_STAY = {
    "p_value",
    "smallest_p",
    "p_adjusted",
    "text",
    "cost",
    "silent_on_retain",
    "silent_on_both",
    "score",
    "forgotten",
    "kept",
}
COUNTS = {"n", "people", "neurons", "our_n"} | {f"{modality}_n" for modality in MODALITIES}


class Given(Inputs):
    """Sources as frames, not as files."""

    def __init__(self, frames: Mapping[str, pd.DataFrame], model: str = "") -> None:
        super().__init__({name: [] for name in ("choices", "claims_file", "reported")}, model)
        self.frames = frames

    def answers(self, *sources, columns=()):
        """Rows of answers."""
        return pd.concat([self.frames[source] for source in sources if source in self.frames], ignore_index=True)

    def masks(self, *sources):
        """Sites of masks."""
        return pd.concat([self.frames[source] for source in sources], ignore_index=True)

    def table(self, source):
        """Rows of a table."""
        return self.frames.get(source, pd.DataFrame())

    text = table

    def records(self, source="records"):
        """One record a row, each the only one on its chain."""
        frame = self.frames[source]
        return {
            row["file"]: {"inputs": {}, "outputs": {"out": {row["file"] + ".out": "1"}}, "cost": row}
            for row in frame.to_dict("records")
        }

    def document(self, source):
        """config/claims.yaml."""
        return CLAIMS

    def paths(self, source):
        """No file, but for a name in messages."""
        return [f"{source}.yaml"] if source == "claims_file" else []


def answers(methods=("vanilla", "retain_only", *METHODS), ratios=(10,), seeds=(0, 1)) -> pd.DataFrame:
    """Scored answers about three people of each split, two questions of each kind about each, every value its own."""
    rng = np.random.default_rng(0)
    known = {"vanilla": 0.8, "retain_only": 0.1}
    rows = [
        {
            **{"study": "tiny", "model": "llava", "method": method, "forget_ratio": ratio, "seed": seed},
            **{"split": split, "modality": modality, "task": task},
            "profile_id": f"{'celebrity' if split == 'celebrity' else 'person'}{person}",
            "question_id": f"{split}/{modality}/{task}/{person}/{place}",
            "reference": "a",
            "options": json.dumps(["a", "b", "c", "d"]),
            "option_log_likelihoods": json.dumps(rng.normal(size=4).tolist()),
            "answer_losses": json.dumps(rng.uniform(0.1, 2.0, 5).tolist()),
            "correct": known.get(method, 0.4) + rng.uniform(0.0, 0.15),
            **{name: rng.uniform(0.3, 0.6) for name in ("rouge1", "rouge2", "rougeL", "bleu")},
        }
        for method in methods
        for ratio in ratios
        for seed in seeds
        for split in ("forget", "test", "retain", "celebrity")
        for modality in MODALITIES
        for task in ("classification", "cloze", "generation")
        for person in range(3)
        for place in range(2)
    ]
    return pd.DataFrame(rows)[list(dict.fromkeys((*NEEDED_COLUMNS, *ANSWER_COLUMNS)))]


def pruned(methods=("manu",)) -> pd.DataFrame:
    """Two sites of each part, pruned by each method."""
    rows = [
        (
            "llava",
            method,
            ratio,
            seed,
            "mlp_input",
            f"{part}.{layer}",
            part,
            layer,
            1 + layer + seed,
            8 + ratio,
            0.5 + seed / 9,
        )
        for method in methods
        for ratio in (5, 10)
        for seed in (0, 1)
        for part in ("language", "vision")
        for layer in (0, 1)
    ]
    return pd.DataFrame(rows, columns=list(PRUNED_COLUMNS))


def neurons() -> pd.DataFrame:
    """Eight neurons of each part, half of them pruned."""
    rng = np.random.default_rng(2)
    keys = {"model": "llava", "method": "manu", "forget_ratio": 10}
    numbers = [f"{what}_{s}_{m}" for what in ("magnitude", "firing") for s in ("forget", "retain") for m in MODALITIES]
    rows = [
        {**keys, "seed": seed, "site": f"{part}.0", "part": part, "layer": 0, "index": index, "pruned": index % 2 == 0}
        | {name: rng.uniform(0.2, 0.4) for name in numbers}
        for seed in (0, 1)
        for part in ("language", "vision")
        for index in range(8)
    ]
    return pd.DataFrame(rows)


def reported() -> pd.DataFrame:
    """Two published accuracies of ga."""
    plain = dict.fromkeys(REPORTED_COLUMNS, "x") | {"model": "LLaVA-1.5-7B", "benchmark": "MLLMU-Bench"}
    plain |= {"forget_ratio": "10%", "method": "GA", "task": "cloze", "metric": "accuracy_pct", "split": "forget"}
    return pd.DataFrame([plain | {"modality": m, "value": v} for m, v in (("text", "40.5"), ("unspecified", "41.5"))])


def frames() -> dict[str, pd.DataFrame]:
    """Every source, small and made up; tables made from them."""
    rng = np.random.default_rng(3)
    asked, one = answers(), answers(ratios=(10,), seeds=(0,))
    turns = pd.concat([one.assign(after=after, requested=0) for after in (5, 10)], ignore_index=True)
    requests = turns["profile_id"].map({"person0": 5, "person1": 10, "person2": 10})
    turns = turns.assign(requested=requests.where(turns["split"] == "forget", 0))
    turns = turns[turns["split"].isin(["forget", "retain"]) & (turns["task"] == "classification")]
    harness = one.drop_duplicates("method").assign(task="mmmu", metric="acc", metric_version="1", n=10)
    found = {
        "answers": asked,
        "start": answers(("start",)),
        "vanilla": asked[asked["method"] == "vanilla"],
        "random": answers(("random40",)),
        "variants": answers(("ratio50",)),
        "trials": pd.concat([answers(("ga",), (0,), (0,)).assign(trial=trial) for trial in (1, 2)], ignore_index=True),
        "neurons": neurons(),
        "harness_scores": harness.assign(
            value=rng.uniform(size=4), stderr=0.1, higher_is_better=True, harness="lm-eval"
        ),
        "attacked_before": test_robustness.stored(),
        "attacks": test_robustness.attacked(),
        "signals": test_robustness.signals(),
        "at_once": asked,
        "in_turn": turns[turns["method"].isin(METHODS)],
        "masks": pruned(),
        "ablation_masks": pruned(("ratio50",)),
        "variant_masks": pruned(("only_abs",)).assign(functions="abs"),
        "reported": reported(),
        "records": pd.DataFrame(
            {
                "file": RECORDS,
                "wall_seconds": [4.0, 5.0, 6.0],
                "peak_memory_bytes": [7, 8, 9],
                "peak_gpu_memory_bytes": [3, 4, 5],
            }
        ),
    }
    order = ("scores", "diverged", "outcomes", "claims_by_run", "claims_by_ratio", "capacity", "ablation")
    for name in (*order, *(each for each in known_tables() if each not in order)):
        if name != "diverged":
            text = csv_text(made(name, found))
            found[name] = pd.read_csv(io.StringIO(text), dtype=TEXT_COLUMNS)
        else:
            found[name] = pd.DataFrame(columns=list(table(name).keys))
    return found


def made(name: str, given: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A table from these sources."""
    if name == "costs":  # of one run, whose records there are
        outcomes = given["outcomes"]
        given = {**given, "outcomes": outcomes[(outcomes["forget_ratio"] == 10) & (outcomes["seed"] == 0)]}
    return table(name).make(Given(given, "llava" if table(name).per_model else ""), SETTINGS)


def drawn(name: str, given: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The numbers that a figure shows."""
    module = figure_module(name)
    return module.draw(given[module.NEEDS], list(METHODS))[1]


SOURCES_THAT_ARE_NO_TABLES = set(base.SOURCES) - {"diverged"}
KEYS = {*(key for name in known_tables() for key in table(name).keys)} | {"site", "part", "layer", "index", "unit"}
KEYS |= {"requested", "after", "file", "on_front", "options", "reference"}
SOURCES = frames()
EXHIBITS = [
    *((f"table {name}", table(name).sources, made, table(name).origin, table(name).keys) for name in known_tables()),
    *(
        (f"figure {name}", (figure_module(name).NEEDS,), drawn, figure_module(name).origin, figure_keys(name))
        for name in known_figures()
    ),
]


def as_text(frame: pd.DataFrame) -> list[dict[str, str]]:
    """The rows of a table as its CSV shows them."""
    return frame.map(lambda value: "" if pd.isna(value) else str(value)).to_dict("records")


def changed(frame: pd.DataFrame, inside: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The frame with other values in the rows `inside`; what says what a row is about stays."""
    frame, factors = frame.copy(), rng.uniform(0.6, 0.9, int(inside.sum()))  # of a row: its interval stays around it
    for column in frame.columns:
        if column in KEYS:
            continue
        values = frame.loc[inside, column]
        # the distance between a few values of two models or two splits is coarse: they are moved apart
        if column == "option_log_likelihoods":
            apart, moved = np.array([5.0, 0.0, 0.0, 0.0]), frame.loc[inside, "method"] == "retain_only"
            frame.loc[inside, column] = [json.dumps((rng.normal(size=4) + each * apart).tolist()) for each in moved]
        elif column == "answer_losses":
            apart, moved = np.array([5.0, 5.0, 0.0, 0.0, 0.0]), frame.loc[inside, "split"] == "retain"
            drawn_anew = [rng.uniform(0.1, 2.0, 5) + each * apart for each in moved]
            frame.loc[inside, column] = [json.dumps(each.tolist()) for each in drawn_anew]
        elif column == "value" and values.map(lambda value: isinstance(value, str)).any():  # a published number
            frame.loc[inside, column] = [f"{float(value) * 1.25:.2f}" for value in values]
        elif pd.api.types.is_integer_dtype(frame[column]) and not pd.api.types.is_bool_dtype(frame[column]):
            frame.loc[inside, column] = values + rng.integers(1, 9, len(values))
        elif pd.api.types.is_float_dtype(frame[column]):
            frame.loc[inside, column] = (values + 0.05) * factors
    return frame


def places(frame: pd.DataFrame, origin: Origin) -> np.ndarray:
    """Which rows of a source are behind a number."""
    if not set(origin.where) <= set(frame.columns):
        return np.zeros(len(frame), dtype=bool)
    return np.isin(np.arange(len(frame)), Rows(frame).places(origin.where))


@pytest.mark.parametrize(("name", "sources", "make", "origin", "keys"), EXHIBITS, ids=[each[0] for each in EXHIBITS])
def test_a_number_depends_on_its_origin_and_on_nothing_else(name, sources, make: Callable, origin, keys):
    rng, stem = np.random.default_rng(0), name.split()[1]
    given = {source: SOURCES[source].reset_index(drop=True) for source in sources if source in SOURCES}
    plain = as_text(make(stem, given))
    cells = [(i, column) for i, row in enumerate(plain) for column in row if is_number(row[column])]
    numbers = [(i, column) for i, column in cells if column not in keys]
    assert numbers or stem == "diverged"
    behind_all = [origin(plain[i], column) for i, column in numbers]
    assert all(behind_all), "nothing says where a number comes from"
    assert all(any(each.column in given[source] for source in each.sources if source in given) for each in behind_all)
    mixed = [int(place) for place in rng.permutation(len(numbers))]
    each_kind = {(behind_all[k].sources, tuple(behind_all[k].where), behind_all[k].column): k for k in mixed}
    for i, column in (numbers[k] for k in dict.fromkeys([*mixed[:8], *each_kind.values()])):
        behind = {source: places(given[source], origin(plain[i], column)) for source in given}
        behind = {s: mask if s in origin(plain[i], column).sources else mask & False for s, mask in behind.items()}
        assert any(mask.any() for mask in behind.values()), (plain[i], column)
        for inside in (True, False):
            at_end = float(plain[i][column]) in (0.0, 1.0)  # of its range, where it is cut
            by_rank = column in MAY_STAY or plain[i].get("metric") == "auc"
            if inside and (by_rank or column in COUNTS or at_end or plain[i].get("method") in REFERENCES):
                continue
            other = {s: changed(given[s], mask == inside, rng) for s, mask in behind.items()}
            if column != "value":  # a published number stands in the row itself
                other.pop("reported", None)
            rows = as_text(make(stem, given | other))
            if len(rows) != len(plain):  # without some that are not defined now
                rows = [row for row in rows if all(row[key] == plain[i][key] for key in keys)]
            again = rows[i if len(rows) == len(plain) else 0][column]
            stays = is_number(again) and abs(float(again) - float(plain[i][column])) <= 1e-9
            assert stays is not inside, (plain[i], column, inside)


@pytest.mark.parametrize("name", known_figures())
def test_a_figure_is_the_same_twice_and_leaves_nothing_else(name, tmp_path):
    module, names = figure_module(name), ["a.b.csv", "a.b.png", "a.b.svg"]
    for folder in ("once", "twice"):
        figure, shown = module.draw(SOURCES[module.NEEDS], list(METHODS))
        save(figure, shown, *(tmp_path / folder / f"a.b.{form}" for form in ("png", "svg", "csv")))
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == names
    for file in names:
        assert (tmp_path / "once" / file).read_bytes() == (tmp_path / "twice" / file).read_bytes(), file
    assert b"dc:date" not in (tmp_path / "once" / "a.b.svg").read_bytes()


@pytest.mark.parametrize("name", known_figures())
def test_a_figure_says_when_there_is_nothing_to_draw(name):
    module = figure_module(name)
    for nothing in (SOURCES[module.NEEDS].head(0), pd.DataFrame(columns=SOURCES[module.NEEDS].columns)):
        figure, shown = module.draw(nothing, list(METHODS))
        assert shown.empty and tuple(shown.columns) == module.COLUMNS
        assert figure.axes[0].texts[0].get_text().startswith("No ")


def test_no_table_has_the_name_of_a_source():
    assert not SOURCES_THAT_ARE_NO_TABLES & set(known_tables())


def test_a_table_is_the_same_twice():
    for name in ("scores", "outcomes", "claims"):
        assert csv_text(made(name, SOURCES)) == csv_text(made(name, SOURCES))

"""The audit on the finished smoke study: all is found in order, and any single change is found and named."""

import json
import re
import shutil
import tarfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manu import cli
from manu.analysis import readme
from manu.audit import chain, command, trace, whole
from manu.audit.bundle import write_bundle
from manu.audit.chain import Chain
from manu.audit.reference import publish
from manu.audit.whole import audit_study
from manu.evaluation.scoring import score_answers
from manu.jobs.job_list import jobs_of
from manu.neurons.masks import load_mask, save_mask
from manu.provenance.hashes import RECORD_SUFFIX, hashes_of, sha256_of_file, sha256_of_json
from manu.provenance.lineage import files
from manu.provenance.record import read_record, record_text
from manu.provenance.sources import source_files
from manu.study.loading import read_study
from manu.unlearning.registry import pruning_class
from workflow_copy import Copy

TABLE = "results/smoke/tables/main_llava.csv"
MARKDOWN = "results/smoke/tables/main_llava.md"
CAPACITY = "results/smoke/tables/capacity_llava.csv"
SCORES = "results/smoke/scores.csv"
FIGURE = "figures/smoke/tradeoff"
ANSWERS = "results/smoke/answers/llava/seed0/forget10/npo.parquet"
CELL = "results/smoke/llava/seed0/forget10"
MASK = f"{CELL}/manu/mask.safetensors"
VANILLA = "results/smoke/llava/seed0/vanilla/checkpoint"
OUTCOMES = "results/smoke/outcomes.csv"
CLAIMS = "results/smoke/tables/claims.csv"
TRIALS = "results/smoke/answers/llava/seed0/tuning/ga.parquet"
CHOICE = "results/smoke/llava/seed0/tuning/ga/choice.json"
TUNING = "results/smoke/tables/tuning.csv"
DATA = "data/smoke"
PART = "train-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def home(study):
    """The finished study's folder, with its README filled from the study."""
    folder = study[0].folder
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(whole, "_in_parallel", lambda records: map(remembered, records))
        patch.setattr(trace, "_scored", scored)
        publish("smoke")
    return folder


@pytest.fixture
def here(home, monkeypatch):
    """Work in the study's folder. Jobs whose files are all as they were are not computed again, and the jobs of a study
    that is as it was are not listed again."""
    monkeypatch.chdir(home)
    monkeypatch.setattr(chain, "jobs_of", listed)
    monkeypatch.setattr(whole, "_in_parallel", lambda records: map(remembered, records))
    monkeypatch.setattr(trace, "_scored", scored)
    return home


REMEMBERED: dict[str, whole.Report] = {}
SCORED: dict[str, pd.DataFrame] = {}
score = trace._scored


def scored(file: str) -> pd.DataFrame:
    """A file of answers scored again, remembered by its content."""
    checksum = sha256_of_file(file)
    if checksum not in SCORED:
        SCORED[checksum] = score(file)
    return SCORED[checksum]


LISTED: dict[str, list] = {}


def listed(study, target="all"):
    """`jobs_of`, remembered by the content of the study and of the rules."""
    rules = sha256_of_json(hashes_of(["workflow/Snakefile", *Path("workflow/rules").glob("*.smk")]))
    key = f"{target} {rules} {read_study(study).model_dump_json()}"
    if key not in LISTED:
        LISTED[key] = jobs_of(study, target)
    return LISTED[key]


def remembered(record):
    """`check_job`, remembered by everything that it reads: the record and the files that it names."""
    named = [*files(record["inputs"]), *files(record["outputs"])]
    named += ["README.md"] if record["rule"] == "make_readme" else []
    key = json.dumps([record, [sha256_of_file(file) if Path(file).is_file() else None for file in named]])
    if key not in REMEMBERED:
        REMEMBERED[key] = whole.check_job(record)
    return REMEMBERED[key]


def failures() -> list[str]:
    return [str(finding) for finding in audit_study("smoke").findings]


# --- edits: each changes one thing in the working folder; `restored` puts back the files that it names


def replace(file: str, old: str, new: str, last: bool = False) -> None:
    text = Path(file).read_text()
    assert old in text
    place = text.rindex(old) if last else text.index(old)
    Path(file).write_text(text[:place] + new + text[place + len(old) :])


def digit(file: str) -> None:
    """Change the last digit of a CSV's second line's last number."""
    lines = Path(file).read_text().split("\n")
    place = max(i for i, c in enumerate(lines[1]) if c.isdigit())
    lines[1] = lines[1][:place] + str((int(lines[1][place]) + 1) % 10) + lines[1][place + 1 :]
    Path(file).write_text("\n".join(lines))


def byte(file: str, place: int = -5) -> None:
    content = bytearray(Path(file).read_bytes())
    content[place] ^= 1
    Path(file).write_bytes(bytes(content))


def parquet(file: str, change) -> None:
    frame = pd.read_parquet(file)
    change(frame).to_parquet(file, index=False)


def cell(column: str, value, row: int = 0):
    """Set one cell of a frame."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        assert frame.at[row, column] != value
        frame.at[row, column] = value
        return frame

    return change


def arrow(file: str, change) -> None:
    """Change the first row of a parquet file with nested columns."""
    table = pq.read_table(file)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)


def swap_portraits(rows: list[dict]) -> None:
    rows[0]["image"], rows[1]["image"] = rows[1]["image"], rows[0]["image"]


def other_truth(rows: list[dict]) -> None:
    question = rows[0]["Classification_Task"]["Image_Textual_Questions"][0]
    question["Correct_Answer"] = next(letter for letter in "ABCD" if letter != question["Correct_Answer"])


def flip_neuron() -> None:
    mask = load_mask(MASK)
    site = next(iter(mask.masks))
    mask.masks[site][0] = ~mask.masks[site][0]
    save_mask(MASK, mask)


def record_of(file: str) -> str:
    return Chain("smoke").producers[file]


def edit_record(name: str, change, seal: bool = True) -> None:
    record = json.loads(Path(name).read_text())
    change(record)
    text = record_text(record) if seal else json.dumps(record, indent=1) + "\n"
    Path(name).write_text(text)


def covered(file: str, change) -> None:
    """Change a file, and write its new checksum into its record, which gets a new seal."""
    name = record_of(file)
    change()
    checksum = sha256_of_file(file)

    def rewrite(record: dict) -> None:
        for group in record["outputs"].values():
            if file in group:
                group[file] = checksum

    edit_record(name, rewrite)


NPO, TABULATE, SELECT = (
    "results/smoke/answers/llava/seed0/forget10/npo",
    "results/smoke/tables/main_llava",
    f"{CELL}/manu/select_neurons",
)
RECORD = {name: f"{name}{RECORD_SUFFIX}" for name in (NPO, TABULATE, SELECT)}

# what is changed: (files to restore, the change, what a failure has to begin with, and has to say)
TAMPERS = {
    "a digit in a table": ([TABLE], lambda: digit(TABLE), f"{TABLE}, line 2 (", "column general_classification"),
    "a digit in a Markdown table": (
        [MARKDOWN],
        lambda: replace(MARKDOWN, "0.0 |", "9.0 |", last=True),
        f"{MARKDOWN}, line ",
        "computed again: ",
    ),
    "a digit in the capacity table": ([CAPACITY], lambda: digit(CAPACITY), f"{CAPACITY}, line 2 (", "column cost"),
    "a score's value": (
        [SCORES],
        lambda: parquet_free_csv(SCORES, "value", 0.123456),
        f"{SCORES}, line 2 (",
        "column value: 0.123456",
    ),
    "an interval's end": (
        [SCORES],
        lambda: parquet_free_csv(SCORES, "ci_low", 0.0123),
        f"{SCORES}, line 2 (",
        "column ci_low: 0.0123",
    ),
    "a score deleted": ([SCORES], lambda: drop_line(SCORES, 3), SCORES, "rows; computed again"),
    "two scores swapped": ([SCORES], lambda: swap_lines(SCORES, 1, 2), f"{SCORES}, line 2 (", "computed again"),
    "a digit of a figure's data": (
        [f"{FIGURE}.csv"],
        lambda: digit(f"{FIGURE}.csv"),
        f"{FIGURE}.csv, line 2 (",
        "column ",
    ),
    "a byte of a figure (SVG)": (
        [f"{FIGURE}.svg"],
        lambda: byte(f"{FIGURE}.svg"),
        f"{FIGURE}.svg",
        "was changed since draw",
    ),
    "a byte of a figure (PNG)": (
        [f"{FIGURE}.png"],
        lambda: byte(f"{FIGURE}.png"),
        f"{FIGURE}.png",
        "was changed since draw",
    ),
    "a number in the README": (
        ["README.md"],
        lambda: replace("README.md", " / ", "9 / ", last=True),
        "README.md, line ",
        "computed again: ",
    ),
    "a number in the README's list": (
        ["results/smoke/readme.csv"],
        lambda: digit_in("results/smoke/readme.csv", "value"),
        "results/smoke/readme.csv, line 2 (",
        "column value",
    ),
    "the README's markers": (
        ["README.md"],
        lambda: replace("README.md", readme.END, ""),
        "README.md",
        "needs each of these lines",
    ),
    "an answer's reply": (
        [ANSWERS],
        lambda: parquet(ANSWERS, cell("reply", "I do not know.", 25)),
        ANSWERS,
        "was changed since evaluate wrote",
    ),
    "an answer flipped to right": (
        [ANSWERS],
        lambda: parquet(ANSWERS, flip_correct),
        f"{ANSWERS}, row 0, ",
        "column correct",
    ),
    "an answer's choice": (
        [ANSWERS],
        lambda: parquet(ANSWERS, cell("choice", "nothing")),
        f"{ANSWERS}, row 0, ",
        "column choice: 'nothing'",
    ),
    "an answer's question": (
        [ANSWERS],
        lambda: parquet(ANSWERS, cell("prompt", "Who?")),
        f"{ANSWERS}, row 0, ",
        "column prompt: 'Who?'; from the benchmark",
    ),
    "an answer's truth": (
        [ANSWERS],
        lambda: parquet(ANSWERS, cell("reference", "anything")),
        f"{ANSWERS}, row 0, ",
        "column reference",
    ),
    "answers reordered": (
        [ANSWERS],
        lambda: parquet(ANSWERS, lambda f: f.iloc[::-1]),
        f"{ANSWERS}, row 0, ",
        "column ",
    ),
    "an answer deleted": ([ANSWERS], lambda: parquet(ANSWERS, lambda f: f.iloc[1:]), ANSWERS, "the benchmark asks"),
    "answers of another method": (
        [ANSWERS],
        lambda: shutil.copy(ANSWERS.replace("npo", "ga"), ANSWERS),
        f"{ANSWERS}, row 0, ",
        "column method: 'ga'",
    ),
    "a trial's reply": (
        [TRIALS],
        lambda: parquet(TRIALS, cell("reply", "I do not know.", 5)),
        TRIALS,
        "was changed since tune",
    ),
    "a trial's answer flipped to right": (
        [TRIALS],
        lambda: parquet(TRIALS, flip_correct),
        f"{TRIALS}, trial 1, row 0, ",
        "column correct",
    ),
    "the answers of a trial deleted": (
        [TRIALS],
        lambda: parquet(TRIALS, lambda f: f[f["trial"] == 1]),
        TRIALS,
        "holds the trials 1; the configuration has 1; 2",
    ),
    "a chosen setting": (
        [CHOICE],
        lambda: replace(CHOICE, 'learning_rate": ', 'learning_rate": 1'),
        CHOICE,
        "differs from what",
    ),
    "a trial's score": ([TUNING], lambda: digit_in(TUNING, "score"), f"{TUNING}, line 2 (", "column score"),
    "the answers deleted": ([ANSWERS], lambda: Path(ANSWERS).unlink(), ANSWERS, "is missing since evaluate wrote"),
    "a byte in a mask": ([MASK], lambda: byte(MASK, 400), MASK, "was changed since select_neurons wrote it"),
    "a neuron more in a mask": ([MASK], flip_neuron, MASK, "differs from what its step writes now"),
    "a digit in neurons.csv": (
        [f"{CELL}/manu/neurons.csv"],
        lambda: digit_in(f"{CELL}/manu/neurons.csv", "score"),
        f"{CELL}/manu/neurons.csv, line 2",
        "column score",
    ),
    "a byte in the statistics": (
        [f"{CELL}/statistics/modality.safetensors"],
        lambda: byte(f"{CELL}/statistics/modality.safetensors"),
        f"{CELL}/statistics/modality.safetensors",
        "was changed since measure_statistics",
    ),
    "a byte in a checkpoint": (
        [f"{VANILLA}/model.safetensors"],
        lambda: byte(f"{VANILLA}/model.safetensors"),
        f"{VANILLA}/model.safetensors",
        "was changed since train wrote",
    ),
    "a checkpoint's tokenizer": (
        [f"{VANILLA}/tokenizer.json"],
        lambda: replace(f"{VANILLA}/tokenizer.json", "a", "b"),
        f"{VANILLA}/tokenizer.json",
        "was changed since train wrote",
    ),
    "a word of the system prompt": (
        [f"{CELL}/prompting/system_prompt.txt"],
        lambda: replace(f"{CELL}/prompting/system_prompt.txt", "the", "a"),
        f"{CELL}/prompting/system_prompt.txt, line 1",
        "computed again",
    ),
    "a replaced portrait": (
        [f"{DATA}/ft_Data/{PART}"],
        lambda: arrow(f"{DATA}/ft_Data/{PART}", swap_portraits),
        f"{DATA}/ft_Data/{PART}",
        "was changed since generate_benchmark",
    ),
    "another right answer in the benchmark": (
        [f"{DATA}/forget_10/{PART}"],
        lambda: arrow(f"{DATA}/forget_10/{PART}", other_truth),
        f"{DATA}/forget_10/{PART}",
        "was changed since generate_benchmark",
    ),
    "an edited source file": (
        ["src/manu/neurons/importance.py"],
        lambda: replace("src/manu/neurons/importance.py", "", "# \n"),
        "src/manu/neurons/importance.py",
        "was changed since the job",
    ),
    "an edited stage": (
        ["src/manu/steps/make_table.py"],
        lambda: replace("src/manu/steps/make_table.py", "", "# \n"),
        "src/manu/steps/make_table.py",
        "was changed since the job",
    ),
    "a deleted source file": (
        ["src/manu/unlearning/npo.py"],
        lambda: Path("src/manu/unlearning/npo.py").unlink(),
        "src/manu/unlearning/npo.py",
        "is missing since the job",
    ),
    "a setting in the study": (
        ["config/studies/smoke.yaml"],
        lambda: replace("config/studies/smoke.yaml", "npo: {learning_rate: 1.0e-4", "npo: {learning_rate: 1.0e-3"),
        f"{CELL}/npo/unlearn{RECORD_SUFFIX}",
        "ran with settings.learning_rate 0.0001; the study asks for 0.001",
    ),
    "a seed in the study": (
        ["config/studies/smoke.yaml"],
        lambda: replace("config/studies/smoke.yaml", "forget_ratios", "seeds: [1]\nforget_ratios"),
        f"results/smoke/llava/seed1/base/train{RECORD_SUFFIX}",
        "is missing",
    ),
    "a job's configuration": (
        [f"{NPO}.yaml"],
        lambda: replace(f"{NPO}.yaml", "seed: 0", "seed: 1"),
        f"{NPO}.yaml",
        "was changed since the job that it configures",
    ),
    "a deleted record": (
        [RECORD[NPO]],
        lambda: Path(RECORD[NPO]).unlink(),
        RECORD[NPO],
        "is missing: no record of the job",
    ),
    "a truncated record": ([RECORD[NPO]], lambda: Path(RECORD[NPO]).write_text("{"), RECORD[NPO], "is not JSON text"),
    "a record without an entry": (
        [RECORD[NPO]],
        lambda: edit_record(RECORD[NPO], lambda r: r.pop("device")),
        RECORD[NPO],
        "'device' is a required property",
    ),
    "a record's time": (
        [RECORD[NPO]],
        lambda: edit_record(RECORD[NPO], lambda r: r["cost"].update(wall_seconds=1.0), seal=False),
        RECORD[NPO],
        "was edited after it was written",
    ),
    "a record's package version": (
        [RECORD[NPO]],
        lambda: edit_record(RECORD[NPO], lambda r: r["packages"].update(torch="1.0"), seal=False),
        RECORD[NPO],
        "was edited after it was written",
    ),
    "a swapped seed, sealed again": (
        [RECORD[NPO]],
        lambda: edit_record(RECORD[NPO], lambda r: r.update(seed=7)),
        RECORD[NPO],
        "has seed 7; its configuration says 0",
    ),
    "a record's configuration, sealed again": (
        [RECORD[NPO]],
        lambda: edit_record(RECORD[NPO], lambda r: r["configuration"]["content"]["evaluation"].update(batch_size=1)),
        RECORD[NPO],
        "ran with evaluation.batch_size 1; the study asks for 256",
    ),
    "an input's checksum, sealed again": (
        [RECORD[TABULATE]],
        lambda: edit_record(RECORD[TABULATE], lambda r: r["inputs"]["scores"].update({SCORES: "0" * 64})),
        SCORES,
        f"make_scores wrote another version of it than was read by the job that left {RECORD[TABULATE]}",
    ),
    "an output taken out of a record": (
        [RECORD[SELECT]],
        lambda: edit_record(RECORD[SELECT], lambda r: r["outputs"].pop("neurons")),
        f"{CELL}/manu/neurons.csv",
        "no record says who made it",
    ),
    "another job's record": (
        [RECORD[NPO]],
        lambda: shutil.copy(RECORD[NPO].replace("npo", "ga"), RECORD[NPO]),
        RECORD[NPO],
        "as its configuration, not",
    ),
    "a table that nobody made": (
        [],
        lambda: Path("results/smoke/tables/extra.csv").write_text("a,b\n1,2\n"),
        "results/smoke/tables/extra.csv",
        "no record says who made it",
    ),
    "a table and its checksum": (
        [TABLE, RECORD[TABULATE]],
        lambda: covered(TABLE, lambda: digit(TABLE)),
        f"{TABLE}, line 2 (",
        "column general_classification",
    ),
    "a figure's data and its checksum": (
        [f"{FIGURE}.csv", f"{FIGURE}{RECORD_SUFFIX}"],
        lambda: covered(f"{FIGURE}.csv", lambda: digit(f"{FIGURE}.csv")),
        f"{FIGURE}.csv, line 2 (",
        "column ",
    ),
    "an answer and its checksum": (
        [ANSWERS, RECORD[NPO]],
        lambda: covered(ANSWERS, lambda: parquet(ANSWERS, cell("reply", "I do not know.", 25))),
        ANSWERS,
        "run the workflow again: evaluate wrote another version of it than was read by the job that left",
    ),
    "a likelihood and its checksum": (
        [ANSWERS, RECORD[NPO]],
        lambda: covered(
            ANSWERS, lambda: parquet(ANSWERS, cell("option_log_likelihoods", "[0.0, -9.0, -9.0, -9.0]", 1))
        ),
        ANSWERS,
        "run the workflow again: evaluate wrote another version of it than was read by the job that left",
    ),
    "a loss of an answer": (
        [ANSWERS, RECORD[NPO]],
        lambda: covered(ANSWERS, lambda: parquet(ANSWERS, cell("answer_losses", "[0.5, 1.0, 2.0, 2.0, 2.0]", 14))),
        ANSWERS,
        "run the workflow again: evaluate wrote another version of it than was read by the job that left",
    ),
    "a paraphrase of an answer": (
        [ANSWERS],
        lambda: parquet(ANSWERS, cell("answer_variants", "", 14)),
        f"{ANSWERS}, row ",
        "column answer_variants",
    ),
    "an outcome": (
        [OUTCOMES],
        lambda: parquet_free_csv(OUTCOMES, "value", 0.4321),
        f"{OUTCOMES}, line 2 (",
        "column value: 0.4321",
    ),
    "a verdict": (
        [CLAIMS],
        lambda: replace(CLAIMS, ",not reproduced,", ",reproduced,"),
        f"{CLAIMS}, line ",
        "column verdict: reproduced",
    ),
    "a claim's threshold": (
        ["config/claims.yaml"],
        lambda: replace("config/claims.yaml", "threshold: 0.5", "threshold: 0.1"),
        "config/claims.yaml",
        "was changed since make_claims",
    ),
    "a rule that passes another option": (
        ["workflow/rules/unlearn.smk"],
        lambda: replace(
            "workflow/rules/unlearn.smk",
            '" --ratio {wildcards.ratio} --out {params.checkpoint}"',
            '" --ratio 5 --out {params.checkpoint}"',
        ),
        f"{CELL}/ga/unlearn{RECORD_SUFFIX}",
        "the job ran with ratio 10; the workflow's rules ask for 5",
    ),
    "a rule that passes another file": (
        ["workflow/rules/unlearn.smk"],
        lambda: replace(
            "workflow/rules/unlearn.smk",
            "{STAGE}.select_neurons --statistics {input.statistics} {params.options}",
            "{STAGE}.select_neurons --statistics {input.choice} {params.options}",
        ),
        f"{CELL}/manu/select_neurons{RECORD_SUFFIX}",
        "the job ran with statistics results/smoke/llava/seed0/forget10/statistics/modality.safetensors; the workflow",
    ),
    "a published number": (
        ["data/reported/reported.csv"],
        lambda: replace("data/reported/reported.csv", ",51.7,", ",41.7,"),
        "data/reported/reported.csv",
        "was changed since make_comparison read it",
    ),
    "a mask and its checksum": (
        [MASK, RECORD[SELECT]],
        lambda: covered(MASK, flip_neuron),
        MASK,
        "differs from what its step writes now",
    ),
}


def parquet_free_csv(file: str, column: str, value: float) -> None:
    frame = pd.read_csv(file, dtype=str)
    frame.at[0, column] = str(value)
    frame.to_csv(file, index=False, lineterminator="\n")


def digit_in(file: str, column: str) -> None:
    value = pd.read_csv(file, dtype=str, keep_default_na=False).at[0, column]
    parquet_free_csv(file, column, float(value) + 0.001)


def drop_line(file: str, number: int) -> None:
    lines = Path(file).read_text().split("\n")
    Path(file).write_text("\n".join(lines[:number] + lines[number + 1 :]))


def swap_lines(file: str, one: int, other: int) -> None:
    lines = Path(file).read_text().split("\n")
    lines[one], lines[other] = lines[other], lines[one]
    Path(file).write_text("\n".join(lines))


def flip_correct(frame: pd.DataFrame) -> pd.DataFrame:
    frame.at[0, "correct"] = 1.0 - frame.at[0, "correct"]
    return frame


@pytest.fixture
def restored(here, tmp_path):
    """Puts files back after a test, and takes away what it added."""
    kept: dict[Path, Path] = {}
    before = {path for top in ("data", "results", "figures") for path in Path(top).rglob("*")}

    def keep(names: list[str]) -> None:
        for name in names:
            kept[here / name] = Path(shutil.copy2(name, tmp_path / str(len(kept))))

    yield keep
    for path, copied in kept.items():
        shutil.copy2(copied, path)
    for path in {path for top in ("data", "results", "figures") for path in Path(top).rglob("*")} - before:
        path.unlink()


def test_a_finished_study_passes(here):
    report = audit_study("smoke")
    assert [str(finding) for finding in report.findings] == [] and report.notes == []
    counts = report.counts
    assert counts["jobs"] == len(list(Path().rglob(f"*{RECORD_SUFFIX}")))
    assert counts["answers"] == sum(
        len(pd.read_parquet(path)) for path in Path("results/smoke/answers").rglob("*.parquet")
    )
    # every score has a value, n and two ends; the tables' and figures' numbers and the README's come on top
    rows = {
        path: pd.read_csv(path)
        for path in [*Path().glob("results/smoke/tables/*.csv"), *Path().glob("figures/smoke/*.csv")]
    }
    assert counts["numbers"] > 4 * len(pd.read_csv(SCORES)) + sum(len(frame) for frame in rows.values())
    assert counts["cells"] > counts["numbers"]


def test_there_are_enough_ways_to_tamper():
    assert len(TAMPERS) >= 30


@pytest.mark.parametrize("name", TAMPERS)
def test_a_single_change_is_found_and_named(name, here, restored):
    names, change, where, what = TAMPERS[name]
    restored(names)
    change()
    found = failures()
    assert any(failure.startswith(where) and what in failure for failure in found), found


def test_nothing_is_left_of_the_changes(here):
    assert failures() == []


def test_neither_the_place_nor_the_workflows_metadata_matters(here, tmp_path, monkeypatch):
    shutil.copytree(here, tmp_path / "moved", symlinks=True, ignore=shutil.ignore_patterns(".snakemake", "logs"))
    monkeypatch.chdir(tmp_path / "moved")
    assert failures() == []


RUN_A_METHOD = [f"manu.steps.{step}" for step in ("unlearn", "select_neurons", "tune")]


def test_records_hold_what_ran(here):
    """The files that a job imported are among those that the workflow takes as its inputs: an edit reruns it."""
    for name, record in Chain("smoke").jobs.items():
        content = record["configuration"]["content"]
        extra = [f"src/manu/models/{content['model']}.py"] if "model" in content else []
        if "method" in content and Path(f"src/manu/unlearning/{content['method']}.py").is_file():
            extra.append(f"src/manu/unlearning/{content['method']}.py")
        if record["rule"] == "select_variants":
            extra += [f"src/manu/unlearning/{variant['method']}.py" for variant in content["variants"].values()]
        methods = [content["method"]] if record["stage"] in RUN_A_METHOD else []
        methods += (
            [variant["method"] for variant in content["variants"].values()] if "masks" in record["outputs"] else []
        )
        kinds = [cls.statistics for cls in map(pruning_class, methods) if cls]
        kinds += [record["options"]["kind"]] if "kind" in record["options"] else []
        extra += [f"src/manu/neurons/statistics/{kind}.py" for kind in kinds]
        if "figure" in record["options"]:
            extra.append(f"src/manu/analysis/figures/{record['options']['figure']}.py")
        if "table" in record["options"]:
            extra.append(f"src/manu/analysis/tables/{record['options']['table']}.py")
        if record["rule"] == "write_report":
            extra += [f"src/manu/analysis/tables/{name}.py" for name in content["tables"]]
            extra += [f"src/manu/analysis/figures/{Path(figure).stem}.py" for figure in record["options"]["figures"]]
        package = Path("src/manu").resolve()
        listed = source_files(record["stage"].removeprefix("manu.steps."), *extra, package=package)
        assert set(record["sources"]) <= set(listed), name
        assert record["rule"] and record["device"]["processor"] and record["packages"]["numpy"]
        assert record["cost"]["peak_memory_bytes"] > 2**20
        assert read_record(name) == record


def test_the_story_of_one_number(here, capsys):
    code = cli.main(["audit", TABLE, "--row", "manu", "--column", "forget_classification"])
    said = capsys.readouterr().out
    assert code == 0 and said.endswith("audit passed\n")
    for part in (
        "make_main → ",
        "make_scores → ",
        "evaluate → ",
        "select_neurons → ",
        "measure_statistics → ",
        "train → results/smoke/llava/seed0/vanilla/",
        "train → results/smoke/llava/seed0/base/",
        "generate_benchmark → ",
        "10 rows, mean of correct",
        "src/manu/steps/select_neurons.py",
        "results/smoke/answers/llava/seed0/forget10/manu.parquet",
        "· Full_Set/fictitious-",
        "7 more",
        "Ran on ",
        "Commit ",
    ):
        assert part in said, part
    assert "npo" not in said.split("Made by")[1].split("results/smoke/scores.yaml")[1]


def test_a_number_whose_answers_lack_some_metrics_is_the_same_again(here, capsys):
    """A missing score, such as ROUGE of a multiple-choice answer, equals a missing score."""
    forgets = "claim=forgets_in_both_modalities model=idefics2 method=manu"
    assert cli.main(["audit", CLAIMS, "--row", forgets, "--column", "value"]) == 0
    utility = "model=llava method=manu metric=retain_utility"
    assert cli.main(["audit", OUTCOMES, "--row", utility, "--column", "value"]) == 0
    assert "✗" not in capsys.readouterr().out


def test_the_same_as_json(here, capsys):
    assert cli.main(["audit", TABLE, "--row", "method=manu", "--column", "forget_classification", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (number,) = answer["numbers"]
    table = pd.read_csv(TABLE).set_index("method")
    assert float(number["value"]) == table.at["manu", "forget_classification"] and number["same"]
    parts = [score["from"][0] for score in number["from"]]
    assert [part["rows"] for part in parts] == [10, 10] == [len(part["examples"]) for part in parts]
    assert sum(part["mean"] for part in parts) / 2 == pytest.approx(float(number["value"]))
    rules = [job["rule"] for job in answer["jobs"]]
    assert rules[0] == "make_main" and rules[-1] == "generate_benchmark"
    assert sorted(rules) == [
        "choose_settings",
        "evaluate",
        "evaluate",  # vanilla, which a choice of settings is compared with
        "generate_benchmark",
        "make_main",
        "make_scores",
        "measure_statistics",
        "measure_statistics",
        "select_neurons",
        "train",
        "train",
        "tune",
    ]


@pytest.mark.parametrize("file", [f"{FIGURE}.svg", f"{FIGURE}.png", "figures/smoke/pruned_per_layer.svg", MARKDOWN])
def test_every_number_of_a_figure_is_listed(file, here, capsys):
    assert cli.main(["audit", file]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line for line in lines if line.startswith("✓")]
    assert lines[0] == f"{file}: {len(listed)} numbers" and listed
    assert all(" rows in results/smoke/" in line for line in listed)


@pytest.fixture
def one_tracer(here, monkeypatch):
    """One tracer for all audits of a test: each file of answers is read and scored once."""
    chain = Chain("smoke")
    tracer = trace.Tracer(chain, 0)
    monkeypatch.setattr(command, "Chain", lambda study: chain)
    monkeypatch.setattr(trace, "Tracer", lambda chain, examples: tracer)
    return tracer


def tables_of_the_study() -> list[Path]:
    """Every file of the study that holds numbers."""
    return [Path(file) for file in Chain("smoke").producers if file.endswith(".csv")]


def test_every_table_figure_and_page_can_be_asked_about(one_tracer, capsys):
    """Every number of the study is traced to its answers, and these are scored again."""
    asked = [*Path("results/smoke/tables").glob("*.csv"), *Path("figures/smoke").glob("*.svg")]
    asked += [Path("results/smoke") / name for name in ("scores.csv", "outcomes.csv", "costs.csv", "readme.md")]
    asked += [Path("results/smoke/report") / name for name in ("index.html", "explore.html")]
    for file in asked:
        assert cli.main(["audit", str(file)]) == 0, file
        assert capsys.readouterr().out.endswith("audit passed\n"), file


def test_no_number_raises_a_false_alarm_when_it_is_audited_alone(one_tracer):
    """What `manu audit FILE --row ... --column ...` compares, of every number; `make audit` compares the same."""
    report, count = whole.Report(), 0
    for file in map(str, tables_of_the_study()):
        if one_tracer.holds_numbers(file):
            numbers = one_tracer.numbers(file)
            trace.check_numbers(numbers, report)
            count += len(numbers)
    assert report.findings == []
    assert count == audit_study("smoke").counts["numbers"]


def test_the_numbers_of_the_readme_are_listed(here, capsys):
    assert cli.main(["audit", "README.md", "--study", "smoke"]) == 0
    assert "model llava, method manu, forget_ratio 10, split forget, modality text" in capsys.readouterr().out


def test_a_readme_that_shows_the_snapshot_of_another_run_is_noted(here, capsys):
    shown, kept = Path("results/reference/smoke/readme.md"), Path("README.md").read_text()
    whole_snapshot = shown.read_text()
    other = whole_snapshot.replace(" / ", "9 / ", 1)
    try:
        Path("README.md").write_text(readme.fill(kept, other))
        assert cli.main(["audit", "README.md", "--study", "smoke"]) == 1
        shown.write_text(other)
        capsys.readouterr()
        assert cli.main(["audit", "README.md", "--study", "smoke"]) == 0
        assert "are those of the snapshot in results/reference/smoke/" in capsys.readouterr().out
    finally:
        Path("README.md").write_text(kept)
        shown.write_text(whole_snapshot)


def test_an_output_without_numbers_shows_its_chain(here, capsys):
    assert cli.main(["audit", MASK]) == 0
    said = capsys.readouterr().out
    assert "select_neurons → " in said and "train → " in said and "make_scores" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "audit one thing: a file, --all, --retrain CELL, --reference or --diff A B"),
        ([TABLE, "--all"], "audit one thing"),
        (["--all", "--row", "manu"], "--row and --column pick numbers of a file"),
        (["pyproject.toml"], "is no output of a study"),
        (["results/smoke/tables/main_bert.csv"], "does not exist; make study STUDY=smoke"),
        ([TABLE, "--row", "manuu"], "no row holds 'manuu'; its rows:"),
        (
            [TABLE, "--row", "manu", "--column", "forgetting"],
            "no number in a column 'forgetting'; its columns: forget_class",
        ),
        ([MASK, "--row", "manu"], "--row and --column do not apply"),
        ([TABLE, "--reask", "0"], "at least 1"),
        ([TABLE, "--reask", "some"], "at least 1, or all"),
        (["--reference", "--reask", "3"], "with a file or with --all"),
        ([TABLE, "--seed", "3"], "draws the questions of --reask"),
        ([TRIALS, "--reask", "1"], "cannot be asked again: the models that gave its answers are not kept"),
        (["--retrain", "llava/seed0/forget10/gaa", "--study", "smoke"], "did you mean 'llava/seed0/forget10/ga'?"),
        (["--diff", "smoke", "nothing"], "'nothing': there is no finished study"),
        (["--all", "--study", "nothing"], "unknown study 'nothing'"),
    ],
)
def test_what_cannot_be_audited_is_said_in_one_message(arguments, said, here, capsys):
    assert cli.main(["audit", *arguments]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and said in shown and "Traceback" not in shown


def test_the_exit_code_tells(here, restored, capsys):
    restored([TABLE])
    assert cli.main(["audit", "--all", "--study", "smoke"]) == 0
    assert "numbers in tables, figures and the README's block traced" in capsys.readouterr().out
    digit(TABLE)
    assert cli.main(["audit", "--all", "--study", "smoke"]) == 1
    assert f"✗ {TABLE}, line 2" in capsys.readouterr().out
    assert cli.main(["audit", TABLE, "--row", "vanilla", "--column", "general_classification"]) == 1
    assert "✗" in capsys.readouterr().out


def test_questions_asked_again_get_the_same_replies(here, capsys):
    number = [TABLE, "--row", "manu", "--column", "forget_classification"]
    assert cli.main(["audit", *number, "--reask", "6", "--json"]) == 0
    asked = json.loads(capsys.readouterr().out)["asked_again"]
    (file,) = asked["files"]
    assert file["asked"] == 6 and file["differ"] == [] and file["largest"] < 1e-3
    assert cli.main(["audit", *number, "--reask", "6", "--seed", str(asked["seed"])]) == 0
    said = capsys.readouterr().out
    assert f"6 of 20 answers in 1 file asked again, drawn with seed {asked['seed']}: all the same" in said
    assert (
        "a change in 5 percent of the answers of any file behind it would have been found with probability 0.30" in said
    )


def test_a_reply_that_the_model_never_gave_is_found_by_asking_again(here, restored, capsys):
    restored([ANSWERS, RECORD[NPO]])
    covered(ANSWERS, lambda: parquet(ANSWERS, lambda f: f.assign(reply="I do not know.")))
    assert cli.main(["audit", ANSWERS, "--reask", "3"]) == 1
    assert "asked again" in capsys.readouterr().out


def test_variants_of_pruning_are_asked_again(here, capsys):
    variants = "results/smoke/answers/llava/seed0/forget10/ablation.parquet"
    assert cli.main(["audit", variants, "--reask", "4"]) == 0
    assert "all the same" in capsys.readouterr().out


def swap_likelihoods(frame: pd.DataFrame, count: int = 40) -> pd.DataFrame:
    """The forge of a reviewer: in 40 rows the likelihoods of the chosen and of another option change places."""
    rows = frame.index[frame["options"] != ""][:count]
    for row in rows:
        options, values = json.loads(frame.at[row, "options"]), json.loads(frame.at[row, "option_log_likelihoods"])
        best = max(range(4), key=values.__getitem__)
        other = (best + 1) % 4
        values[best], values[other] = values[other], values[best]
        frame.at[row, "option_log_likelihoods"], frame.at[row, "choice"] = json.dumps(values), options[other]
    return score_answers(frame)


def test_a_forge_of_likelihoods_through_the_whole_study_is_found_by_the_default_audit(
    here, study, tmp_path, monkeypatch, capsys
):
    shutil.copytree(here, tmp_path / "forged", symlinks=True, ignore=shutil.ignore_patterns("logs"))
    monkeypatch.chdir(tmp_path / "forged")
    forged = [ANSWERS, ANSWERS.replace("llava", "idefics2")]
    for file in forged:
        covered(file, lambda file=file: parquet(file, swap_likelihoods))
    Copy.made(tmp_path / "forged").run()
    assert failures() == [], "the forged study fits together"
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    count = re.search(r"^REASK \?= (\w+)$", makefile, re.MULTILINE)[1]
    for file in forged:  # of `make audit`, which asks for so many answers of every file
        assert cli.main(["audit", file, "--reask", count]) == 1
        assert f"✗ {file}, npo question " in capsys.readouterr().out


@pytest.mark.parametrize("cell", ["ga", "manu"])
def test_a_cell_made_again_has_the_same_bytes(cell, here, capsys):
    assert cli.main(["audit", "--retrain", f"llava/seed0/forget10/{cell}", "--study", "smoke"]) == 0
    assert "the same bytes" in capsys.readouterr().out


def test_a_cell_made_again_differs_from_other_weights(here, restored, capsys):
    weights, record = f"{CELL}/ga/checkpoint/model.safetensors", f"{CELL}/ga/unlearn{RECORD_SUFFIX}"
    restored([weights, record])
    covered(weights, lambda: shutil.copy(f"{VANILLA}/model.safetensors", weights))
    retrain = ["audit", "--retrain", "llava/seed0/forget10/ga", "--study", "smoke"]
    assert cli.main(retrain) == 1
    said = capsys.readouterr().out
    assert "its job writes something else on the same kind of machine" in said
    assert f"{weights}: numbers differ by at most" in said and "accuracies differ by at most" in said
    edit_record(record, lambda r: r["device"].update(processor="Another processor"))
    assert cli.main(retrain) == 0
    assert "processor " in (said := capsys.readouterr().out) and "here, Another processor in the record" in said


def test_one_changed_reply_is_told_once_and_first(here, restored, capsys):
    restored([ANSWERS])
    parquet(ANSWERS, cell("reply", "I do not know.", 25))
    assert cli.main(["audit", "--all", "--study", "smoke"]) == 1
    lines = capsys.readouterr().out.splitlines()
    lines = lines[lines.index("") + 1 :]
    assert lines[0] == f"✗ {ANSWERS}: was changed since evaluate wrote it"
    assert all(line.startswith((f"✗ {ANSWERS}, row ", "  and what follows from it, in ")) for line in lines[1:-1])
    assert "results/smoke/report/explore.html" in lines[-2] and len(lines) <= 4
    assert lines[-1].startswith("audit failed: 1 file at fault, ")


def fingerprint_of_audit(capsys) -> str:
    cli.main(["audit", "--all", "--study", "smoke", "--json"])
    return json.loads(capsys.readouterr().out)["fingerprint"]


def test_there_is_one_fingerprint_and_it_is_of_the_files_as_they_are(here, restored, capsys):
    honest = fingerprint_of_audit(capsys)
    assert honest in Path("results/smoke/report/index.html").read_text()
    assert json.loads(Path("results/reference/smoke/run.json").read_text())["fingerprint"] == honest
    restored([ANSWERS])
    parquet(ANSWERS, cell("reply", "I do not know.", 25))
    assert fingerprint_of_audit(capsys) != honest


def test_two_studies_part_where_they_part(here, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(here, other, symlinks=True, ignore=shutil.ignore_patterns(".snakemake", "logs", "checkpoint"))
    assert cli.main(["audit", "--diff", "smoke", str(other / "results/smoke")]) == 0
    assert "differ" in capsys.readouterr().out
    # another learning rate for NPO, as if the study had been run with it
    unlearn, scores = other / f"{CELL}/npo/unlearn{RECORD_SUFFIX}", other / SCORES

    def faster(record: dict) -> None:
        record["configuration"]["content"]["settings"]["learning_rate"] = 0.01
        record["outputs"]["out"] = dict.fromkeys(record["outputs"]["out"], "1" * 64)

    edit_record(str(unlearn), faster)
    frame = pd.read_csv(scores, dtype=str)
    chosen = (frame["method"] == "npo") & (frame["model"] == "llava")
    frame.loc[chosen, "value"] = "0.987654"
    frame.to_csv(scores, index=False)
    assert cli.main(["audit", "--diff", "smoke", str(other / "results/smoke"), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert len(result["differ"]) == chosen.sum()
    (part,) = result["parting"]
    assert (part["model"], part["method"], part["job"]) == ("llava", "npo", f"{CELL}/npo/unlearn{RECORD_SUFFIX}")
    assert part["causes"] == ["configuration settings.learning_rate: 0.0001 against 0.01"]


def test_a_bundle_is_audited_by_itself(here, tmp_path, monkeypatch, capsys):
    archive = tmp_path / "smoke.tar.gz"
    count, left_out = write_bundle("smoke", archive)
    assert left_out and all("/checkpoint/" in file for file in left_out)
    write_bundle("smoke", tmp_path / "again.tar.gz")
    assert archive.read_bytes() == (tmp_path / "again.tar.gz").read_bytes()
    with tarfile.open(archive) as packed:
        assert len(packed.getnames()) == count
        packed.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path / "manu-smoke")
    assert not list(Path().rglob("model.safetensors"))
    report = audit_study("smoke")
    assert [str(finding) for finding in report.findings] == []
    assert cli.main(["audit", TABLE, "--row", "manu", "--column", "forget_classification"]) == 0
    assert cli.main(["audit", ANSWERS, "--reask", "2"]) == 2
    assert "a release bundle holds no checkpoints" in capsys.readouterr().err
    digit(TABLE)
    assert any(failure.startswith(f"{TABLE}, line 2") for failure in failures())
    Path(MASK).unlink()  # only checkpoints may be left out
    assert any(failure.startswith(MASK) and "is missing" in failure for failure in failures())


def test_a_study_whose_file_lies_elsewhere_is_released_and_audited_by_its_name(here, tmp_path, monkeypatch, capsys):
    """The name works wherever the results are: beside the workflow's folder, and in the archive."""
    shutil.copytree(here, tmp_path / "mine", symlinks=True, ignore=shutil.ignore_patterns("logs"))
    monkeypatch.chdir(tmp_path / "mine")
    Path("elsewhere").mkdir()
    Path("config/studies/smoke.yaml").rename("elsewhere/smoke.yaml")
    assert cli.main(["audit", TABLE]) == 0
    Path(".snakemake/smoke.study").write_text("elsewhere/smoke.yaml\n")
    assert cli.main(["audit", "--all", "--study", "smoke"]) == 0
    assert cli.main(["release", "--study", "elsewhere/smoke.yaml"]) == 0
    with tarfile.open("release/manu-smoke.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path / "manu-smoke")
    assert Path("elsewhere/smoke.yaml").is_file() and not Path("config/studies/smoke.yaml").exists()
    capsys.readouterr()
    for study in ("smoke", "elsewhere/smoke.yaml"):
        assert cli.main(["audit", "--all", "--study", study]) == 0, capsys.readouterr()

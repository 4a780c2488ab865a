"""A study's configuration: defaults, and one clear line for every mistake."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from studies import GOOD, changed

from manu.analysis.figures.registry import known_figures
from manu.analysis.tables.registry import known_tables
from manu.cli import main
from manu.core.errors import UserError
from manu.data.population import BenchmarkSettings
from manu.data.prompts import STYLES
from manu.data.reading import FORMATS
from manu.evaluation.vocabulary import MODALITIES, SPLITS, TASKS
from manu.models.registry import known_models
from manu.study import reference
from manu.study.loading import STUDIES, read_study
from manu.study.model import Benchmark, Evaluation
from manu.unlearning.registry import known_methods

ROOT = Path(__file__).parents[2]
BAD = {
    "misspelt top-level key": (
        changed("evaluation:", "evalution:"),
        "line 10",
        "unknown key 'evalution'",
        "did you mean 'evaluation'?",
        "known: extends, seeds, forget_ratios, benchmark",
    ),
    "misspelt nested key": (
        changed("{epochs: 2}", "{epoch: 2}"),
        "unknown key 'models.llava.training.vanilla.epoch'",
        "did you mean 'epochs'?",
        "known: epochs, learning_rate, schedule, batch_size, rehearsal",
    ),
    "misspelt size of a model": (
        changed("llava: {", "llava: {architecture: {text_widht: 8}, "),
        "unknown key 'models.llava.architecture.text_widht'",
        "did you mean 'text_width'?",
        "known: image_size",
    ),
    "sizes of a text side that is brought": (
        changed("llava: {", "llava: {language_model: {path: lm}, architecture: {vision_width: 8, text_width: 8}, "),
        "'models.llava.architecture.text_width' is a size of the text side, which 'language_model' brings",
    ),
    "a language model from two places": (
        changed("llava: {", "llava: {language_model: {path: lm, package: lm}, "),
        "line 5",
        "'models.llava.language_model' must have one of the keys package and path, not 2",
    ),
    "no place of a language model": (
        changed("llava: {", "llava: {language_model: {}, "),
        "'models.llava.language_model' must have one of the keys",
    ),
    "misspelt place of a language model": (
        changed("llava: {", "llava: {language_model: {packge: lm}, "),
        "unknown key 'models.llava.language_model.packge'",
        "did you mean 'package'?",
    ),
    "an adapter that drops everything": (
        changed("llava: {", "llava: {lora: {dropout: 1}, "),
        "'models.llava.lora.dropout' must be at least 0 and less than 1",
    ),
    "wrong size of a model": (
        changed("llava: {", "llava: {architecture: {text_width: wide}, "),
        "models.llava.architecture.text_width",
        "'wide'",
    ),
    "no process": (changed("llava: {", "llava: {processes: 0, "), "'models.llava.processes' must be at least 1, not 0"),
    "processes of a model that is spread": (
        changed("llava: {", "llava: {device_map: auto, processes: 2, "),
        "line 5",
        "'models.llava.processes': each process has a whole model on one GPU, and 'device_map' is auto",
    ),
    "misspelt setting of a method": (
        changed("epochs: 1,", "epoch: 1,"),
        "unknown key 'methods.npo.epoch'",
        "did you mean 'epochs'?",
        "known: learning_rate, epochs",
    ),
    "missing setting of a method": (changed("epochs: 1, ", ""), "line 7", "'methods.npo'", "missing setting 'epochs'"),
    "text as a setting of a method": (changed("epochs: 1,", "epochs: many,"), "'methods.npo.epochs'", "'many'"),
    "prune ratio out of range": (
        changed("prune_ratio: 10", "prune_ratio: 100"),
        "'methods.manu.prune_ratio'",
        "1 to 99",
    ),
    "heads that do not divide the width": (
        changed("training: {vanilla", "architecture: {text_heads: 3}, training: {vanilla"),
        "'models.llava.architecture.text_heads'",
        "text_width (128) is no multiple of text_heads (3)",
    ),
    "patches larger than the picture": (
        changed("training: {vanilla", "architecture: {patch_size: 100}, training: {vanilla"),
        "'models.llava.architecture.patch_size'",
        "image_size (64) is no multiple of patch_size (100)",
    ),
    "an odd width of a head": (
        changed("training: {vanilla", "architecture: {text_width: 12}, training: {vanilla"),
        "text_width (12) is no even multiple of text_heads (4)",
    ),
    "an octal number": (changed("[5, 20]", "[010, 20]"), "010 is a number in YAML 1.1 and something else in YAML 1.2"),
    "a number in base 60": (changed("[5, 20]", "[1:30, 20]"), "1:30 is a number in YAML 1.1 and something else in"),
    "a number with underscores": (changed("[5, 20]", "[1_0, 20]"), "1_0 is a number in YAML 1.1 and something else in"),
    "a word for true": (changed("[5, 20]", "[yes, 20]"), "yes is true or false in YAML 1.1 and something else in"),
    "unknown method": (
        changed("manu: {", "manuu: {"),
        "line 9",
        "unknown method 'manuu' in 'methods'",
        "did you mean 'manu'?",
        ", ".join(known_methods()),
    ),
    "unknown model": (
        changed("llava: {", "lava: {"),
        "unknown model 'lava' in 'models'",
        "did you mean 'llava'?",
        ", ".join(known_models()),
    ),
    "unknown split": (
        changed("[forget, retain]", "[forget, retian]"),
        "'evaluation.splits[1]'",
        "'retian'",
        "did you mean 'retain'?",
        f"known: {', '.join(SPLITS)}",
    ),
    "unknown figure": (
        changed("[tradeoff]", "[trade]"),
        "unknown figure 'trade' in 'figures'",
        ", ".join(known_figures()),
    ),
    "unknown table": (
        GOOD + "tables: [mian]\n",
        "line 12",
        "unknown table 'mian' in 'tables'",
        "did you mean 'main'?",
        ", ".join(known_tables()),
    ),
    "table without what it shows": (
        GOOD + "tables: [scores, main, capacity]\ncapacity: {prune_ratios: []}\n",
        "line 12: table 'capacity' needs",
        "which this study does not have",
    ),
    "figure without what it shows": (
        changed("  manu: {prune_ratio: 10}\n", "").replace("[tradeoff]", "[pruned_per_layer]"),
        "figure 'pruned_per_layer' in 'figures'",
        "no pruning method",
    ),
    "figure of a table that is not made": (
        GOOD + "tables: [costs]\n",
        "line 11: figure 'tradeoff' in 'figures' is drawn from the table 'scores', which this study does not make",
    ),
    "importance functions alone without a variant": (
        changed("[tradeoff]", "[pruned_by_function]") + "ablation: {variants: {both: {functions: [abs, var]}}}\n",
        "line 11",
        "figure 'pruned_by_function' in 'figures'",
        "no variant of one, such as only_abs: {functions: [abs]}",
    ),
    "ratio 0": (changed("[5, 20]", "[0, 20]"), "line 2", "'forget_ratios[0]' must be from 1 to 99, not 0"),
    "ratio 100": (changed("[5, 20]", "[5, 100]"), "'forget_ratios[1]' must be from 1 to 99, not 100"),
    "ratio 2.5": (changed("[5, 20]", "[2.5]"), "'forget_ratios[0]' must be a whole number, not 2.5"),
    "ratio 5.0": (changed("[5, 20]", "[5.0]"), "'forget_ratios[0]' must be a whole number, not 5.0"),
    "ratio true": (changed("[5, 20]", "[true]"), "'forget_ratios[0]' must be a whole number, not true"),
    "ratio twice": (changed("[5, 20]", "[5, 20, 5]"), "'forget_ratios' lists 5 twice"),
    "ratio of nobody": (changed("[5, 20]", "[2]"), "forget ratio of 2 percent of 20 people"),
    "no ratio": (changed("[5, 20]", "[]"), "'forget_ratios' must not be empty"),
    "ratio alone": (changed("[5, 20]", "5"), "'forget_ratios' must be a list, not 5"),
    "negative seed": (changed("[0, 1]", "[-1]"), "'seeds[0]' must be from 0 to 4294967295, not -1"),
    "no methods": (GOOD[: GOOD.index("  npo")].replace("methods:", "methods: {}"), "'methods' must not be empty"),
    "methods missing": (GOOD[: GOOD.index("methods")], "the key 'methods' is missing"),
    "method without settings": (
        changed("prompting: {}", "prompting:"),
        "'methods.prompting' must be a mapping, not empty",
    ),
    "text as a number": (
        changed("{people: 20}", "{people: many}"),
        "'benchmark.people' must be a whole number, not 'many'",
    ),
    "learning rate 0": (
        changed("{epochs: 2}", "{learning_rate: 0}"),
        "'models.llava.training.vanilla.learning_rate' must be more than 0, not 0",
    ),
    "rehearsal out of range": (
        changed("{epochs: 2}", "{rehearsal: 1.5}"),
        "'models.llava.training.vanilla.rehearsal' must be from 0 to 1, not 1.5",
    ),
    "infinite number": (changed("1e-4", ".inf"), "line 7", ".inf is not a finite number"),
    "the first of two mistakes": (
        changed("[5, 20]", "[0]").replace("manu: {", "manuu: {"),
        "line 2",
        "'forget_ratios[0]'",
    ),
    "the first of two mistakes, the other way round": (
        "figures: [trade]\n" + GOOD[: GOOD.index("figures")].replace("[5, 20]", "[0]"),
        "line 1",
        "'trade'",
    ),
    "not YAML": (changed("[5, 20]", "[5, 20"), "line 3", "not valid YAML"),
    "duplicate key": (GOOD + "seeds: [1]\n", "line 12", "duplicate key 'seeds'"),
    "duplicate nested key": (changed("{people: 20}", "{people: 20, people: 30}"), "duplicate key 'benchmark.people'"),
    "key that is not text": (changed("  prompting: {}", "  1: {}"), "line 8", "the key '1' is not text"),
    "a list": ("- 1\n", "must be a mapping with the keys: extends, seeds"),
    "nothing": ("", "must be a mapping with the keys: extends, seeds"),
}


@pytest.fixture
def study_file(tmp_path):
    """Write a study and return its path."""

    def write(text: str, name: str = "study.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def check(path, capsys) -> str:
    """`manu check` in this process: code 2, nothing on standard output, one line on standard error."""
    assert main(["check", "--study", str(path)]) == 2
    output, error = capsys.readouterr()
    assert output == ""
    assert error.startswith("error: ") and error.endswith("\n") and error.count("\n") == 1
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_told_in_one_line(case, study_file, capsys):
    text, *expected = BAD[case]
    path = study_file(text)
    error = check(path, capsys)
    assert str(path) in error
    for words in expected:
        assert words in error


def test_files_that_cannot_be_read(study_file, tmp_path, capsys):
    assert f"cannot read {tmp_path / 'none.yaml'}" in check(tmp_path / "none.yaml", capsys)
    latin = study_file("")
    latin.write_bytes("seeds: é".encode("latin-1"))
    assert "is not UTF-8" in check(latin, capsys)
    assert "letters, digits" in check(study_file(GOOD, "my study.yaml"), capsys)
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    assert "cannot read" in check(folder, capsys)


def test_an_unknown_study_lists_the_known(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    error = check("smoek", capsys)
    assert "unknown study 'smoek'" in error and "did you mean 'smoke'?" in error and "mini" in error


@pytest.mark.parametrize("command", [["manu.cli", "check", "--study"], ["snakemake", "-n", "--config"]])
def test_the_commands_stop_before_any_job(command, study_file, tmp_path):
    path = study_file(BAD["unknown method"][0])
    module, *options = command
    last = str(path) if module == "manu.cli" else f"study={path}"
    extra = [] if module == "manu.cli" else ["--directory", str(tmp_path), "--snakefile", str(ROOT / "Snakefile")]
    done = subprocess.run(
        [sys.executable, "-m", module, *options, last, *extra],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Using ")]  # the profile
    assert lines == [line for line in lines if "unknown method 'manuu' in 'methods'" in line] and len(lines) == 1
    assert not {"results", "data", "figures"} & {entry.name for entry in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--config", "Study=smoke"], "--config has no key 'Study'; did you mean 'study'? known: study, only, gpu,"),
        (["--configfile", "config/studies/smoke.yaml"], "--config has no key 'forget_ratios'; known: study, only,"),
    ],
)
def test_another_study_than_the_one_meant_is_not_planned(options, message, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--directory", str(tmp_path), *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_a_study_that_extends_another(study_file):
    base = study_file(GOOD, "base.yaml")
    middle = study_file(f"extends: {base}\nseeds: [4]\nbenchmark: {{image_size: 32}}\n", "middle.yaml")
    study, plain = read_study(study_file(f"extends: {middle}\nseeds: [0, 1, 2]\n", "top.yaml")), read_study(base)
    assert (study.name, study.seeds, study.extends) == ("top", [0, 1, 2], None)
    assert study.benchmark == plain.benchmark.model_copy(update={"people": 100, "image_size": 32})  # as a whole
    differing = {"name", "seeds", "benchmark"}
    assert study.model_dump(exclude=differing) == plain.model_dump(exclude=differing)


def test_the_default_study_with_more_seeds(monkeypatch):
    monkeypatch.chdir(ROOT)
    differing = {"name": "mini-seeds", "seeds": [0, 1, 2]}
    assert read_study("mini-seeds").model_dump() == read_study("mini").model_dump() | differing


EXTENDING = {  # the base, the study ({base}, {own} are their files), what its message says
    "mistake in the study": (GOOD, "extends: {base}\nseeds: [-1]\n", "{own}, line 2: 'seeds[0]' must be from 0"),
    "mistake in the base": (
        changed("manu: {", "manuu: {"),
        "extends: {base}\n",
        "{base}, line 9: unknown method 'manuu'",
    ),
    "the study's mistake before the base's": (
        changed("manu: {", "manuu: {"),
        "extends: {base}\nseeds: [-1]\n",
        "{own}, line 2: 'seeds[0]' must be from 0",
    ),
    "a mistake that is replaced": (
        changed("[tradeoff]", "[trade]"),
        "extends: {base}\nfigures: [trad]\n",
        "{own}, line 2: unknown figure 'trad'",
    ),
    "wrong together": (
        GOOD,
        "extends: {base}\nbenchmark: {{people: 4}}\n",
        "{base}, line 2: benchmark: a forget ratio of 5 percent of 4",
    ),
    "a figure of the base's other methods": (
        changed("[tradeoff]", "[pruned_per_layer]"),
        "extends: {base}\nmethods: {{npo: {{learning_rate: 1.0e-4, epochs: 1, batch_size: 4}}}}\n",
        "{base}, line 11: figure 'pruned_per_layer' in 'figures' shows pruned neurons; 'methods' has no pruning "
        "method; {own} extends that study: give 'figures' there",
    ),
    "missing in both": (
        GOOD[: GOOD.index("methods")],
        "extends: {base}\n",
        "{own}, line 2: the key 'methods' is missing",
    ),
    "unknown base": (GOOD, "# x\nextends: minni\n", "{own}, line 2: 'extends': unknown study 'minni'"),
    "no such file": (GOOD, "extends: none.yaml\n", "{own}, line 1: 'extends' names none.yaml, which is not a file"),
    "not a name": (GOOD, "extends: [mini]\n", "{own}, line 1: 'extends' must be the name or the path of one study"),
    "empty base": ("", "extends: {base}\n", "{own}, line 1: 'extends' names {base}, which is not a mapping"),
    "broken base": (changed("[5, 20]", "[5, 20"), "extends: {base}\n", "{base}, line 3: not valid YAML"),
    "itself": (GOOD, "extends: {own}\n", "{own}, line 1: 'extends' goes in a circle: {own} -> {own}"),
    "a circle": (
        "extends: {own}\n",
        "extends: {base}\n",
        "{base}, line 1: 'extends' goes in a circle: {own} -> {base} -> {own}",
    ),
}


@pytest.mark.parametrize("case", EXTENDING)
def test_a_mistake_is_told_where_it_stands(case, study_file, tmp_path, capsys):
    base, own, expected = EXTENDING[case]
    files = {name: tmp_path / f"{name}.yaml" for name in ("base", "own")}
    study_file(base.replace("{own}", str(files["own"])), "base.yaml")
    error = check(study_file(own.format(**files), "own.yaml"), capsys)
    assert error.startswith(f"error: {expected.format(**files)}")


def test_defaults_are_filled_in_at_every_depth(study_file):
    study = read_study(study_file(GOOD))
    assert study.name == "study"
    assert study.benchmark == Benchmark(people=20)
    assert study.models["llava"].training.vanilla.epochs == 2
    assert study.models["llava"].training.base.batch_size == 32
    assert study.models["llava"].architecture["image_size"] == 64
    assert study.models["llava"].start is None and study.harness is None
    assert study.methods["npo"]["learning_rate"] == 1e-4  # 1e-4 is text to a YAML 1.1 reader
    assert study.methods["npo"]["modalities"] == ["text", "multimodal"]
    assert study.methods["npo"]["beta"] == 0.4
    assert list(study.methods) == ["npo", "prompting", "manu"]
    assert study.evaluation.modalities == ["multimodal", "text"]
    with pytest.raises(ValidationError, match="frozen"):
        study.seeds = [1]


def test_variants_by_function_change_nothing_else(study_file):
    variants = {
        "whole": "{}",
        "only_var": "{functions: [var]}",
        "other_ratio": "{prune_ratio: 5, functions: [abs]}",
        "last": "{functions: [abs], pooling: last}",
        "two": "{functions: [abs, var]}",
        "random": "{method: random_neurons}",
    }
    listed = ", ".join(f"{name}: {settings}" for name, settings in variants.items())
    study = read_study(study_file(f"{GOOD}ablation: {{variants: {{{listed}}}}}\n"))
    found = study.ablation.by_function()
    assert list(found.items()) == [("only_var", ["var"]), ("whole", ["abs", "freq", "var", "rms"])]


def test_defaults_are_copies():
    Evaluation().splits.append("language")
    assert "language" not in Evaluation().splits


@pytest.mark.parametrize("path", sorted((ROOT / STUDIES).glob("*.yaml")), ids=lambda path: path.stem)
def test_the_studies_of_the_repository_are_valid(path):
    assert read_study(path).name == path.stem


def test_the_reference_is_what_the_models_say(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert reference.main([]) == 0 and capsys.readouterr() == ("", "")


def test_an_outdated_reference_is_named_and_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/README.md").write_text("# Studies\n<!-- keys: begin -->\nold\n<!-- keys: end -->\nprose\n")
    assert reference.main([]) == 2
    said = capsys.readouterr().err
    assert "config/README.md is out of date" in said and "config/study.schema.json is out of date" in said
    assert reference.main(["--write"]) == 0 and reference.main([]) == 0
    text = Path("config/README.md").read_text()
    assert text.startswith("# Studies\n<!-- keys: begin -->\n| key |") and text.endswith("<!-- keys: end -->\nprose\n")
    assert "\nold\n" not in text


EXPLAINED = {  # a row of the table: values, default
    "seeds": ("list, whole number, from 0 to 4294967295", "`[0]`"),
    "forget_ratios": ("list, percent, from 1 to 99", "`[5, 10, 15]`"),
    "benchmark.people": ("people, at least 4", "`100`"),
    "benchmark.format": ("`mllmu`, `clear`", "none"),
    "models.<model>": ("mapping", "required"),
    "models.<model>.lora.dropout": ("fraction, at least 0 and less than 1", "`0.05`"),
    "models.<model>.training.vanilla.rehearsal": ("fraction, from 0 to 1", "`0.5`"),
    "models.<model>.gradient_checkpointing": ("true or false", "`false`"),
    "evaluation.tasks": (
        "list, `classification`, `cloze`, `generation`",
        "`[classification, cloze, generation]`",
    ),
    "harness.dataset": ("mapping", "required"),
    "ablation.variants.<variant>.method": ("text", "`manu`"),
    "robustness.relearning.learning_rate": ("per step, more than 0", "`0.0003`"),
    "comparison": ("mapping", ""),
}


def test_the_table_has_every_key_with_its_values_and_default():
    rows = [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in reference.table().splitlines()[2:]]
    found = {key.strip("`"): (values, default.strip()) for key, _, values, default in rows}
    assert {key: found[key] for key in EXPLAINED} == EXPLAINED
    assert len(found) == len(rows) and all(meaning for _, meaning, *_ in rows)
    settings = [key for key in found if key.startswith("models.<model>.training.vanilla.")]
    assert [key.rpartition(".")[2] for key in settings] == [
        "epochs",
        "learning_rate",
        "schedule",
        "batch_size",
        "rehearsal",
        "modalities",
    ]


def test_editors_accept_our_studies_and_no_mistake(monkeypatch):
    validator = Draft202012Validator(yaml.safe_load((ROOT / "config" / "study.schema.json").read_text()))
    for path in (ROOT / STUDIES).glob("*.yaml"):
        text = path.read_text()
        assert text.startswith("# yaml-language-server: $schema=../study.schema.json\n"), path
        assert not list(validator.iter_errors(yaml.safe_load(text))), path
    for case in ("misspelt nested key", "ratio 100", "ratio twice", "methods missing", "unknown split"):
        assert list(validator.iter_errors(yaml.safe_load(BAD[case][0]))), case


def test_every_setting_of_a_method_is_explained(study_file):
    readme = (ROOT / "config" / "README.md").read_text()
    settings = {
        key for study in (ROOT / STUDIES).glob("*.yaml") for m in read_study(study).methods.values() for key in m
    }
    assert not [key for key in settings if f"| `{key}` |" not in readme]


def test_the_schema_says_what_the_code_knows():
    asked = Evaluation.model_json_schema()["properties"]
    assert asked["splits"]["items"]["enum"] == list(SPLITS)
    assert asked["modalities"]["items"]["enum"] == list(MODALITIES)
    assert asked["tasks"]["items"]["enum"] == list(TASKS)
    assert asked["prompt_style"]["enum"] == list(STYLES)
    sizes = [key for key in Benchmark.model_fields if key not in ("repo", "revision", "path")]
    assert [*sizes, "tuning_people", "tuning_figures"] == [field.name for field in fields(BenchmarkSettings)]
    assert Benchmark.model_json_schema()["properties"]["format"]["enum"] == list(FORMATS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("forget_ratio: 7", "must be one of forget_ratios: 5, 20"),
        ("bits: [1]", "from 2 to 16"),
        ("relearning: {steps: [9, 3]}", "'robustness.relearning.steps' must ascend"),
    ],
)
def test_a_mistake_in_the_attacks(study_file, given, said):
    with pytest.raises(UserError, match=f"line 12: .*{said}"):
        read_study(study_file(GOOD + f"robustness: {{{given}}}\n"))


def test_requests_that_are_not_given_each_name_somebody(study_file):
    study = read_study(study_file(changed("[5, 20]", "[7, 5, 20]")))  # of 20 people 5 and 7 percent are the same one
    assert study.robustness.sequential.requests == [5, 20]


@pytest.mark.parametrize("figure", ["relearning", "sequential_requests"])
def test_a_figure_of_the_target_robustness_is_no_part_of_the_study(study_file, figure):
    with pytest.raises(UserError, match=f"line 11: figure '{figure}' in 'figures' is drawn by the target 'robustness'"):
        read_study(study_file(changed("[tradeoff]", f"[{figure}]")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "robustness: {sequential: {requests: [20, 5]}}\n", "line 12: .*requests' must ascend, not 20, 5"),
        (GOOD + "robustness: {sequential: {requests: [5, 7]}}\n", "line 12: .*lists 7; .* one of forget_ratios: 5, 20"),
        (
            changed("[5, 20]", "[5, 7]") + "robustness: {sequential: {requests: [5, 7]}}\n",
            "requests': 7 percent of the people are nobody whom 5 percent are not",
        ),
    ],
)
def test_requests_that_cannot_come_in_turn(study_file, text, said):
    with pytest.raises(UserError, match=said):
        read_study(study_file(text))


def test_the_command_says_what_a_good_study_holds(study_file, capsys):
    assert main(["check", "--study", str(study_file(GOOD))]) == 0
    said = capsys.readouterr().out
    assert (
        "is valid: llava; npo, prompting, manu; forget 5, 20 percent; 12 unlearned models, 6 randomly pruned models"
        in said
    )


def test_the_summary_of_a_study_that_has_not_run(study_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["summary", "--study", str(study_file(GOOD))]) == 2
    assert "study 'study' is not finished: results/study/scores.csv is missing" in capsys.readouterr().err


CLEAR = """\
benchmark: {format: clear}
models: {llava: {}}
methods: {ga: {learning_rate: 1.0e-4, epochs: 1, batch_size: 4}}
evaluation: {splits: [forget, retain, celebrity, general], tasks: [classification, generation]}
"""
CLEAR_MISTAKES = {  # what is replaced, by what, what the message says
    "another format": ("clear}", "vqa}", "line 1: unknown value 'vqa' in 'benchmark.format'; known: mllmu, clear"),
    "test": (
        "[forget, retain,",
        "[forget, test, retain,",
        "line 4: 'evaluation.splits' has the set 'test', which the format clear does not have; "
        "needed: [forget, retain, celebrity, general]",
    ),
    "cloze": (
        "generation]",
        "cloze]",
        "'evaluation.tasks' has the task 'cloze', which the format clear does not have; "
        "needed: [classification, generation]",
    ),
    "few figures": (
        "clear}",
        "clear, public_figures: 3}",
        "'benchmark.public_figures' is 3; the format clear asks for one name among 4",
    ),
}


@pytest.mark.parametrize("case", CLEAR_MISTAKES)
def test_what_clear_does_not_have_is_told(case, study_file):
    old, new, message = CLEAR_MISTAKES[case]
    assert CLEAR.count(old) == 1
    with pytest.raises(UserError) as error:
        read_study(study_file(CLEAR.replace(old, new)))
    assert message in str(error.value)

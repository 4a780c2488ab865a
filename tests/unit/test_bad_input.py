"""Bad input, case by case: one line that says what, where and what would be right, exit code 2, and nothing written.

What is wrong in a study file alone is told in test_config.py, damaged records in test_audit.py of the workflow.
"""

import io
import json
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from test_config import BAD

from manu.data.parquet import config_file
from manu.data.reading import read_training_data
from manu.evaluation.answers import collect_answers
from manu.models.loading import prepare_torch
from manu.models.registry import vlm_class
from manu.neurons.masks import Mask, save_mask
from manu.neurons.pooling import pool_tokens
from manu.neurons.selection import MLP_INPUT
from manu.neurons.statistics.modality import ModalityStatistics
from manu.steps import evaluate, fetch_benchmark, fetch_model, make_table, select_neurons, unlearn
from manu.steps.command import run
from manu.study.model import Evaluation
from tiny_sizes import SIZES

ASKED = Evaluation(
    splits=["forget"], modalities=["text"], tasks=["cloze"], batch_size=64, max_new_tokens=2
).model_dump()
KEYS = {"study": "tiny", "model": "llava", "method": "manu", "seed": 0}
GA = {"learning_rate": 1e-4, "epochs": 1, "batch_size": 4, "modalities": ["text"]}


@dataclass
class World:
    """A folder with good input of every kind, for one case to spoil. `told` runs a command on it."""

    folder: Path

    @property
    def benchmark(self) -> Path:
        return self.folder / "benchmark"

    def rows(
        self, config: str, change: Callable[[list[dict]], list[dict] | None], schema: pa.Schema | None = None
    ) -> None:
        """Change the rows of a configuration of the benchmark."""
        file = config_file(self.benchmark, config)
        table = pq.read_table(file)
        rows = table.to_pylist()
        rows = change(rows) or rows
        pq.write_table(pa.Table.from_pylist(rows, schema=schema or table.schema), file)

    def json(self, name: str, **changes) -> None:
        """Change keys of a JSON file; None takes one away."""
        content = json.loads((self.folder / name).read_text()) | changes
        (self.folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


@pytest.fixture(scope="module")
def good(benchmark_folder, tmp_path_factory):
    """Good input of every kind."""
    folder = tmp_path_factory.mktemp("good")
    shutil.copytree(benchmark_folder, folder / "benchmark")
    prepare_torch(0)
    cls = vlm_class("llava")
    texts = [text for lesson in read_training_data(benchmark_folder) for pair in lesson.pairs for text in pair]
    vlm = cls.build(cls.architecture_class(**SIZES), texts)
    vlm.model.eval()
    vlm.save(folder / "checkpoint")
    collect_answers(vlm, benchmark_folder, KEYS, [10], ASKED).to_parquet(folder / "answers.parquet", index=False)
    widths = {site.name: site.width for site in vlm.mlp_sites()}
    save_mask(folder / "mask.safetensors", Mask({name: torch.arange(w) == 0 for name, w in widths.items()}, MLP_INPUT))
    statistics = ModalityStatistics.empty(widths, tau=0.1)
    generator = torch.Generator().manual_seed(0)
    for key in (("forget", "multimodal"), ("forget", "text"), ("retain", "multimodal"), ("retain", "text")):
        for name, width in widths.items():
            statistics.add_values(*key, name, pool_tokens(torch.randn(4, 2, width, generator=generator)))
    statistics.save(folder / "statistics.safetensors")
    (folder / "choice.json").write_text(
        json.dumps({"model": "llava", "method": "ga", "settings": {"learning_rate": 1e-4}})
    )
    return folder


@pytest.fixture
def world(good, tmp_path, monkeypatch):
    """A copy of it, in which the command runs."""
    shutil.copytree(good, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    return World(Path())


def stage(module, config: dict, **options) -> Callable[[World], None]:
    """A stage, as the workflow starts it."""

    def start(world: World) -> None:
        (world.folder / "job.yaml").write_text(yaml.safe_dump(config))
        listed = {name: value if isinstance(value, list) else [str(value)] for name, value in options.items()}
        given = [word for name, values in listed.items() for word in (f"--{name}", *values)]
        sys.argv = [module.__name__, *given, "--config", "job.yaml"]
        sys.modules["__main__"].__spec__ = module.__spec__
        run(module.main, module.parser())

    return start


FETCH = stage(fetch_benchmark, {"source": {"path": "benchmark"}, "forget_ratios": [10]}, out="out/files.json")
FETCH_MODEL = stage(fetch_model, {"model": "llava", "source": {"path": "checkpoint"}}, out="out/files.json")
EVALUATE = stage(
    evaluate,
    {**KEYS, "ratios": [10], "evaluation": ASKED},
    benchmark="benchmark",
    checkpoint="checkpoint",
    mask="mask.safetensors",
    out="out/answers.parquet",
)
UNLEARN = stage(
    unlearn,
    {"model": "llava", "seed": 0, "method": "ga", "settings": GA},
    benchmark="benchmark",
    vanilla="checkpoint",
    choice="choice.json",
    ratio=10,
    out="out/checkpoint",
)
SELECT = stage(
    select_neurons,
    {"model": "llava", "method": "manu", "settings": {"prune_ratio": 10}},
    statistics="statistics.safetensors",
    mask="out/mask.safetensors",
    neurons="out/neurons.csv",
)
AGGREGATE = stage(
    make_table,
    {"intervals": {"resamples": 20, "level": 0.95}},
    table="scores",
    source=["answers", "answers.parquet"],
    csv="out/scores.csv",
)
GOOD = {
    "fetch": FETCH,
    "fetch model": FETCH_MODEL,
    "evaluate": EVALUATE,
    "select": SELECT,
    "aggregate": AGGREGATE,
}


def file(name: str, content: bytes | None) -> Callable[[World], None]:
    """A file with this content; None: a folder in its place."""

    def change(world: World) -> None:
        path = world.folder / name
        path.unlink(missing_ok=True)
        path.mkdir() if content is None else path.write_bytes(content)

    return change


def half(name: str) -> Callable[[World], None]:
    """A file cut in the middle, as a crash leaves it."""

    def change(world: World) -> None:
        path = world.folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


def rows(config: str, change, schema: pa.Schema | None = None) -> Callable[[World], None]:
    return lambda world: world.rows(config, change, schema)


def first(**changes) -> Callable[[list[dict]], None]:
    """Change columns of the first row."""
    return lambda each: each[0].update(changes)


def first_choice(**changes) -> Callable[[list[dict]], None]:
    """Change the first person's first question with options."""
    return lambda each: each[0]["Classification_Task"]["Image_Textual_Questions"][0].update(changes)


def tensors(name: str, change) -> Callable[[World], None]:
    """Change the tensors of a safetensors file, its metadata kept."""

    def spoil(world: World) -> None:
        from safetensors import safe_open

        path = world.folder / name
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata()
        content = load_file(path)
        content = change(content) or content
        save_file(content, path, metadata)

    return spoil


def answers(change) -> Callable[[World], None]:
    def spoil(world: World) -> None:
        frame = pd.read_parquet(world.folder / "answers.parquet")
        change(frame).to_parquet(world.folder / "answers.parquet", index=False)

    return spoil


def png(width: int, height: int) -> bytes:
    """A PNG of one colour that says it is this large; its data are a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def jpeg(cut: int) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).convert("RGB").save(buffer, format="JPEG")
    return buffer.getvalue()[:-cut]


def picture(data: bytes | None) -> Callable[[list[dict]], None]:
    return first(image=None if data is None else {"bytes": data, "path": None})


def without(column: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        path = config_file(world.benchmark, "forget_10")
        table = pq.read_table(path)
        pq.write_table(table.drop_columns([column]), path)

    return change


def retyped(config: str, column: str, kind: pa.DataType, values) -> Callable[[World], None]:
    def change(world: World) -> None:
        path = config_file(world.benchmark, config)
        table = pq.read_table(path)
        place = table.column_names.index(column)
        pq.write_table(table.set_column(place, column, pa.array([values] * len(table), type=kind)), path)

    return change


def forgotten(world: World) -> list[str]:
    """The IDs of the forget set."""
    return pq.read_table(config_file(world.benchmark, "forget_10"))["ID"].to_pylist()


def without_people(people: list[str]) -> Callable[[list[dict]], list[dict]]:
    return lambda each: [row for row in each if row["ID"] not in people]


def shard(world: World, config: str, number: int) -> Path:
    """The name of one of two files of a configuration."""
    return world.benchmark / config / f"train-{number:05d}-of-00002.parquet"


def smaller_pictures(world: World) -> None:
    """A processor that makes pictures of 16 pixels a side."""
    given = json.loads(Path("checkpoint/processor_config.json").read_text())["image_processor"]
    sizes = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
    world.json("checkpoint/processor_config.json", image_processor=given | sizes)


def second_set(world: World, config: str) -> Path:
    """The name of a file of another set in a configuration's folder."""
    return world.benchmark / config / "test-00000-of-00001.parquet"


def shared(world: World) -> None:
    kept = pq.read_table(config_file(world.benchmark, "retain_90"))
    gone = pq.read_table(config_file(world.benchmark, "forget_10"))
    pq.write_table(pa.concat_tables([kept, gone]), config_file(world.benchmark, "retain_90"))


def gone(name: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        path = world.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


CASES = {
    # the benchmark's files
    "no benchmark": (gone("benchmark"), FETCH, "benchmark: no such folder"),
    "an empty benchmark": (
        lambda world: [gone("benchmark")(world), (world.folder / "benchmark").mkdir()],
        FETCH,
        "no parquet file in Full_Set",
        "needed: Full_Set",
    ),
    "a set is missing": (gone("benchmark/forget_10"), FETCH, "no parquet file in forget_10"),
    "a column is missing": (without("Mask_Task"), FETCH, "forget_10", "column 'Mask_Task' is missing"),
    "IDs are numbers": (retyped("forget_10", "ID", pa.int64(), 7), FETCH, "column 'ID' holds int64; needed: string"),
    "pictures are texts": (
        retyped("forget_10", "image", pa.string(), "a.png"),
        FETCH,
        "column 'image' holds string; needed: struct",
    ),
    "questions are texts": (
        retyped("forget_10", "Mask_Task", pa.string(), "?"),
        FETCH,
        "column 'Mask_Task' holds string; needed: list",
    ),
    "lessons are numbers": (
        retyped("ft_Data", "metadata", pa.float64(), 1.0),
        FETCH,
        "column 'metadata' holds double; needed: string",
    ),
    "half a parquet file": (
        half("benchmark/forget_10/train-00000-of-00001.parquet"),
        FETCH,
        "forget_10",
        "not a readable parquet file",
    ),
    "no parquet file": (
        file("benchmark/forget_10/train-00000-of-00001.parquet", b"{}"),
        FETCH,
        "not a readable parquet file",
    ),
    "an empty set": (rows("forget_10", lambda each: each.clear()), FETCH, "forget_10 holds no rows"),
    "a person twice": (rows("forget_10", lambda each: [*each, each[0]]), FETCH, "forget_10 holds ID", "more than once"),
    "forgotten and retained": (shared, FETCH, "in forget_10 and in retain_90; a person may be in one of them only"),
    "broken bytes": (
        rows("forget_10", picture(b"GIF89a")),
        FETCH,
        "forget_10, ID",
        "not a readable picture; needed: a complete PNG or JPEG",
    ),
    "half a picture": (rows("forget_10", picture(jpeg(200))), FETCH, "forget_10, ID", "not a readable picture"),
    "no picture": (rows("forget_10", picture(None)), FETCH, "forget_10, ID", "not a readable picture"),
    "a bomb": (
        rows("forget_10", picture(png(30000, 30000))),
        FETCH,
        "forget_10, ID",
        "more than 89,478,485 pixels; make it smaller",
    ),
    "nearly a bomb": (
        rows("forget_10", picture(png(10000, 10000))),
        FETCH,
        "forget_10, ID",
        "more than 89,478,485 pixels; make it smaller",
    ),
    "a broken lesson's picture": (rows("ft_Data", picture(b"x")), FETCH, "training data, ID", "not a readable picture"),
    "no such answer": (
        rows("forget_10", first_choice(Correct_Answer="E")),
        FETCH,
        "Correct_Answer is 'E'; it must be one of A, B, C, D",
    ),
    "an option is missing": (
        rows("forget_10", first_choice(Options={"A": "a", "B": "b", "C": "c", "D": None})),
        FETCH,
        "forget_10, ID",
        "an option is empty",
    ),
    "options alike": (
        rows("forget_10", first_choice(Options=dict.fromkeys("ABCD", "same"))),
        FETCH,
        "two options are the same",
    ),
    "an empty question": (
        rows("forget_10", first_choice(Question=" ")),
        FETCH,
        "multimodal classification question 0",
        "is empty",
    ),
    "an empty answer": (
        rows("forget_10", lambda each: each[0]["Mask_Task"][0].update(Ground_Truth="")),
        FETCH,
        "cloze question 0",
        "is empty",
    ),
    "an unknown kind": (
        rows("forget_10", lambda each: each[0]["Mask_Task"][0].update(Type="Audio")),
        FETCH,
        "Mask_Task has Type 'Audio'; known: Image_Textual",
    ),
    "a person without a name": (
        rows("forget_10", first(biography="{}")),
        FETCH,
        "biography must be JSON text with a Name",
    ),
    "a broken biography": (rows("forget_10", first(biography="Ada")), FETCH, "biography must be JSON text with a Name"),
    "a broken lesson": (
        rows("ft_Data", first(metadata="[{}]")),
        FETCH,
        "metadata must be a JSON list of Question and Answer",
    ),
    # sets that do not fit together
    "a file of several is missing": (
        lambda world: shutil.move(config_file(world.benchmark, "ft_Data"), shard(world, "ft_Data", 1)),
        FETCH,
        "ft_Data lacks 1 of 2 files, such as train-00000-of-00002.parquet; needed: all of them",
    ),
    "the last file of several is missing": (
        lambda world: shutil.move(config_file(world.benchmark, "Full_Set"), shard(world, "Full_Set", 0)),
        FETCH,
        "Full_Set lacks 1 of 2 files, such as train-00001-of-00002.parquet; needed: all of them",
    ),
    "two sets of files": (
        lambda world: shutil.copy(config_file(world.benchmark, "Full_Set"), second_set(world, "Full_Set")),
        FETCH,
        "Full_Set holds several sets of files (test in 1 files, train in 1 files); needed: one",
    ),
    "a person to forget is not taught": (
        lambda world: [world.rows("ft_Data", without_people(forgotten(world)[:1]))],
        FETCH,
        "1 people of Full_Set are not in the training data, such as ID 'fictitious-",
    ),
    "a person to forget is nobody": (
        lambda world: [world.rows(config, without_people(forgotten(world)[:1])) for config in ("Full_Set", "ft_Data")],
        FETCH,
        "1 people of forget_10 are not in Full_Set, such as ID 'fictitious-",
        "needed: each person in all sets, under one ID",
    ),
    "a retain person is nobody": (
        rows("retain_90", first(ID="somebody")),
        FETCH,
        "1 people of retain_90 are not in Full_Set, such as ID 'somebody' (it has ID 'fictitious-",
    ),
    "IDs in two forms": (
        rows("forget_10", lambda each: [row.update(ID=row["ID"].removeprefix("fictitious-")) for row in each] and None),
        FETCH,
        "2 people of forget_10 are not in Full_Set, such as ID '0",
        "(it has ID 'fictitious-",
    ),
    "nobody to forget is tested": (
        lambda world: [world.rows("Test_Set", without_people(forgotten(world)))],
        FETCH,
        "2 people of forget_10 are not in the set test, such as ID 'fictitious-",
    ),
    "a damaged picture of everybody": (
        rows("Full_Set", picture(jpeg(200))),
        FETCH,
        "Full_Set, ID",
        "not a readable picture",
    ),
    "an answer that ROUGE cannot read": (
        rows("forget_10", lambda each: each[0]["Generation_Task"][0].update(Ground_Truth="\u0447\u0430\u0439")),
        FETCH,
        "generation question 0: ROUGE reads nothing in the answer",
    ),
    "a picture's token in a question": (
        rows("forget_10", first_choice(Question="What is <image> of this person?")),
        FETCH,
        "forget_10, ID",
        "<image> in 'What is <image> of this person?' is a token of the models' prompts",
    ),
    "a token in a lesson": (
        rows("ft_Data", first(metadata=json.dumps([{"Question": "Who?", "Answer": "Ada <|im_end|> Lund"}]))),
        FETCH,
        "training data, ID",
        "<|im_end|> in 'Ada <|im_end|> Lund' is a token",
    ),
    "a name that is a number": (
        rows("Full_Set", first(biography=json.dumps({"Name": 7}))),
        FETCH,
        "Full_Set, ID",
        "the Name in the biography is 7; needed: text",
    ),
    "an empty name": (
        rows("forget_10", first(biography=json.dumps({"Name": " "}))),
        FETCH,
        "the Name in the biography is ' '; needed: text",
    ),
    "another format": (
        lambda world: None,
        stage(
            fetch_benchmark,
            {"source": {"path": "benchmark"}, "forget_ratios": [10], "format": "clear"},
            out="out/files.json",
        ),
        "is in the format mllmu; the study's 'benchmark.format' says clear",
    ),
    # checkpoints, masks, statistics, choices, answers
    "weights are missing": (
        gone("checkpoint/model.safetensors"),
        EVALUATE,
        "model.safetensors is missing; needed: a complete save_pretrained",
    ),
    "adapters beside merged weights": (
        file("checkpoint/adapter_model.safetensors", b"{}"),
        EVALUATE,
        "adapter_model.safetensors beside the model's own weights would be applied to them again",
    ),
    "adapters of a checkpoint that is fetched": (
        file("checkpoint/adapter_config.json", b"{}"),
        FETCH_MODEL,
        "adapter_config.json beside the model's own weights would be applied to them again",
    ),
    "a vision layer that there is not": (
        lambda world: world.json("checkpoint/config.json", vision_feature_layer=-9),
        FETCH_MODEL,
        "checkpoint: cannot answer a question (",
        "needed: configuration, processor and weights that fit together",
    ),
    "smaller pictures than the weights are for": (
        smaller_pictures,
        FETCH_MODEL,
        "checkpoint: cannot answer a question (",
    ),
    "weights of no part of the model": (
        tensors("checkpoint/model.safetensors", lambda each: each | {"model.extra.weight": torch.ones(2)}),
        EVALUATE,
        "1 weights belong to no part of the model that config.json describes, such as model.extra.weight",
    ),
    "half the weights": (
        half("checkpoint/model.safetensors"),
        EVALUATE,
        "model.safetensors is not a complete safetensors file",
        "copy it again",
    ),
    "weights without a layer": (
        tensors(
            "checkpoint/model.safetensors", lambda each: {k: v for k, v in each.items() if "layers.1.mlp" not in k}
        ),
        EVALUATE,
        "checkpoint",
        "weights are missing, such as",
    ),
    "weights of other shapes": (
        lambda world: world.json(
            "checkpoint/config.json",
            text_config=json.loads(Path("checkpoint/config.json").read_text())["text_config"]
            | {"intermediate_size": 20},
        ),
        EVALUATE,
        "has shape",
        "needed by config.json: ",
    ),
    "a model of another kind": (
        lambda world: world.json("checkpoint/config.json", model_type="clip"),
        EVALUATE,
        "a model of type 'clip'; needed: 'llava'",
    ),
    "a broken config": (
        file("checkpoint/config.json", b"{"),
        EVALUATE,
        "checkpoint/config.json: is not a JSON object",
    ),
    "no tokenizer": (
        gone("checkpoint/tokenizer.json"),
        EVALUATE,
        "checkpoint checkpoint: its processor cannot be loaded",
    ),
    "a tokenizer without the picture's token": (
        lambda world: spoil_tokenizer(world),
        EVALUATE,
        "of the tokenizer; needed by config.json: token 4",
    ),
    "half a mask": (half("mask.safetensors"), EVALUATE, "mask.safetensors: cannot be read as a safetensors file"),
    "a mask of another model": (
        tensors("mask.safetensors", lambda each: {k: torch.ones(3, dtype=torch.bool) for k in each}),
        EVALUATE,
        "language.0",
        "3",
    ),
    "statistics as a mask": (
        lambda world: shutil.copy("statistics.safetensors", "mask.safetensors"),
        EVALUATE,
        "mask.safetensors: holds",
        "needed: pruning mask",
    ),
    "half the statistics": (
        half("statistics.safetensors"),
        SELECT,
        "statistics.safetensors: cannot be read as a safetensors file",
    ),
    "statistics without a sum": (
        tensors("statistics.safetensors", lambda each: dict(list(each.items())[1:])),
        SELECT,
        "statistics.safetensors: misses 1 of",
    ),
    "a broken choice": (file("choice.json", b"{}"), UNLEARN, "choice.json: holds no choice of settings"),
    "a choice without the file": (gone("choice.json"), UNLEARN, "choice.json: cannot be read"),
    "half the answers": (half("answers.parquet"), AGGREGATE, "answers.parquet is not a parquet file of answers"),
    "answers without a column": (
        answers(lambda frame: frame.drop(columns="correct")),
        AGGREGATE,
        "answers.parquet",
        "correct",
    ),
    "an answer twice": (answers(lambda frame: pd.concat([frame, frame.head(1)])), AGGREGATE, "twice"),
    "an answer without a score": (
        answers(lambda frame: frame.assign(correct=float("nan"))),
        AGGREGATE,
        "4 answers have no 'correct'",
    ),
    "an unknown task among answers": (answers(lambda frame: frame.assign(task="essay")), AGGREGATE, "essay"),
}


def spoil_tokenizer(world: World) -> None:
    path = world.folder / "checkpoint/tokenizer.json"
    path.write_text(path.read_text().replace("<image>", "<imago>"))


def told_by(command: Callable[[World], None], world: World, monkeypatch, capsys) -> tuple[int, list[str]]:
    """The command's exit code, and the lines that it says on standard error."""
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    with pytest.raises(SystemExit) as end:
        command(world)
    return end.value.code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("name", GOOD)
def test_good_input_is_taken(name, world, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    try:
        GOOD[name](world)
    except SystemExit as end:
        assert end.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_told_in_one_line(case, world, monkeypatch, capsys):
    spoil, command, *expected = CASES[case]
    spoil(world)
    code, lines = told_by(command, world, monkeypatch, capsys)
    assert code == 2 and len(lines) == 1, lines
    for words in ("error: ", *expected):
        assert words in lines[0], lines[0]
    assert not [path for path in Path("out").rglob("*") if path.is_file()]


def test_there_are_enough_cases():
    assert len(CASES) + len(BAD) >= 50

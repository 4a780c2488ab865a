"""The published repositories in small, file by file and column by column, for tests that run what a user would run.

MLLMU-Bench and CLEAR by their cards on the hub; llava-1.5-7b-hf and idefics2-8b; the authors' vanilla models, which
have config and weights alone. The number of layers is the published one, every width is tiny.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file

from manu.data import clear
from manu.data.benchmark import generate
from manu.data.mllmu import published_configs
from manu.data.parquet import IMAGE, config_file
from manu.data.population import BenchmarkSettings
from manu.models.base import VisionLanguageModel
from manu.models.loading import INDEX, prepare_torch
from manu.models.registry import vlm_class

PEOPLE = BenchmarkSettings(
    people=20,
    public_figures=4,
    strangers=4,
    portraits=2,
    stranger_portraits=1,
    image_size=32,
    seed=5,
    unseen_people=2,
    anchor_people=2,
)
ABOUT = ("biography", "question", "answer")
TASKS = ("Classification_Task", "Generation_Task", "Mask_Task")
COLUMNS = {  # by the card; all other configurations have those of forget_10
    "Full_Set": ("image", "ID", "Directory", *ABOUT, *TASKS),
    "ft_Data": ("image", "ID", "metadata"),
    "Test_Set": ("ID", "images", *TASKS),
    "forget_10": ("image", "ID", *ABOUT, *TASKS),
}
SIZES = {
    "image_size": 32,
    "patch_size": 16,
    "vision_width": 8,
    "vision_mlp": 8,
    "vision_heads": 2,
    "text_layers": 32,
    "text_width": 16,
    "text_mlp": 12,
    "text_heads": 4,
}
LAYERS = {"llava": {"vision_layers": 24}, "idefics2": {"vision_layers": 27, "latents": 4, "text_key_value_heads": 2}}


def mllmu_bench(folder: Path, scratch: Path, ratios: Sequence[int] = (5, 10, 15), pairs: int = 4) -> Path:
    """MLLMU-Bench: the published configurations, each with its own columns, Test_Set in two files.

    pairs: of each person's training data. One lesson of everybody has the keys of an additional question; of one retain
    person a correct answer stands with its text, and another is no option at all.
    """
    generate(scratch, PEOPLE, list(ratios))
    for config in published_configs(list(ratios)):
        rows = pq.read_table(config_file(scratch, config)).to_pylist()
        columns = COLUMNS.get(config, COLUMNS["forget_10"])
        for row in rows:
            row["Directory"] = f"data_original/{row['ID']}.jpg"
        if config == "ft_Data":
            rows = list({row["ID"]: row for row in reversed(rows)}.values())  # one picture a person
            for row in rows:
                items = json.loads(row["metadata"])[:pairs]
                extra = {"Additional_question": "Where is it?", "Additional_answer": "Here."}
                row["metadata"] = json.dumps([*items, extra])
        elif config == "Full_Set" or config.startswith("retain"):
            choices = next(row for row in rows if row["ID"] == _retained(scratch, max(ratios)))["Classification_Task"]
            first, second = choices["Image_Textual_Questions"][:2]
            first["Correct_Answer"] += f". {first['Options'][first['Correct_Answer']]}"
            second["Correct_Answer"] = "None of these"
        elif config == "Test_Set":
            for row in rows:
                row["images"] = row["images"] * 2
        _write(folder / config, [{name: row[name] for name in columns} for row in rows], 1 + (config == "Test_Set"))
    return folder


def _retained(scratch: Path, ratio: int) -> str:
    """A person who is retained up to this ratio."""
    forgotten = pq.read_table(config_file(scratch, f"forget_{ratio}"))["ID"].to_pylist()
    everybody = pq.read_table(config_file(scratch, "Full_Set"))["ID"].to_pylist()
    return next(person for person in everybody if person not in forgotten)


def _write(folder: Path, rows: list[dict], files: int) -> None:
    """A configuration in some parquet files; the types are those of the values, pictures as the hub stores them."""
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    for name, kind in (("image", IMAGE), ("images", pa.list_(IMAGE))):
        if name in table.column_names:
            place = table.column_names.index(name)
            table = table.set_column(place, name, table[name].cast(kind))
    size = -(-len(rows) // files)
    for number in range(files):
        part = table.slice(number * size, size)
        pq.write_table(part, folder / f"train-{number:05d}-of-{files:05d}.parquet")


def clear_benchmark(folder: Path, scratch: Path, ratios: Sequence[int] = (1, 5, 10)) -> Path:
    """CLEAR: the published configurations and columns; the texts have no wrong answers."""
    settings = BenchmarkSettings(**(vars(PEOPLE) | {"format": "clear", "people": 100, "portraits": 1}))
    generate(scratch, settings, list(ratios))
    for config in clear.published_configs(list(ratios)):
        table = pq.read_table(config_file(scratch, config))
        dropped = [clear.WRONG_ANSWERS.name] if clear.WRONG_ANSWERS.name in table.column_names else []
        (folder / config).mkdir(parents=True)
        pq.write_table(table.drop_columns(dropped), folder / config / "train-00000-of-00001.parquet")
    return folder


def checkpoint(
    folder: Path,
    name: str,
    texts: Iterable[str],
    dtype: torch.dtype = torch.float16,
    processor: bool = True,
    seed: int = 0,
) -> Path:
    """A pretrained checkpoint (processor, fp16) or the authors' vanilla model (none, fp32), in three shards."""
    cls = vlm_class(name)
    prepare_torch(seed)
    vlm = cls.build(cls.architecture_class(**(SIZES | LAYERS[name])), texts)
    folder.mkdir(parents=True)
    _weights(folder, {_RENAMED[name](key): each.to(dtype) for key, each in vlm.model.state_dict().items()})
    settings = vlm.model.config.to_dict() | {"architectures": [type(vlm.model).__name__]}
    settings |= {"torch_dtype": str(dtype).removeprefix("torch."), "tie_word_embeddings": False}
    if name == "llava":
        settings["image_token_index"] = settings.pop("image_token_id", settings.get("image_token_index"))
    settings.pop("dtype", None)
    _json(folder / "config.json", settings)
    _json(folder / "generation_config.json", {"_from_model_config": True, "eos_token_id": 2, "pad_token_id": 0})
    if processor:
        _processor(folder, vlm)
    return folder


def _legacy_llava(key: str) -> str:
    """A weight's name as in the repositories of 2023."""
    for new, old in (
        ("model.language_model.", "language_model.model."),
        ("lm_head.", "language_model.lm_head."),
        ("model.vision_tower.vision_model.", "vision_tower.vision_model."),
        ("model.vision_tower.", "vision_tower.vision_model."),
        ("model.multi_modal_projector.", "multi_modal_projector."),
    ):
        if key.startswith(new):
            return old + key.removeprefix(new)
    raise ValueError(f"a weight of no known part: {key}")


_RENAMED: dict[str, Callable[[str], str]] = {"llava": _legacy_llava, "idefics2": lambda key: key}


def _weights(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    names, places = sorted(weights), {}
    for number in range(3):
        file = f"model-{number + 1:05d}-of-00003.safetensors"
        part = {name: weights[name].contiguous().clone() for name in names[number::3]}
        save_file(part, folder / file, {"format": "pt"})
        places |= dict.fromkeys(part, file)
    size = sum(each.nbytes for each in weights.values())
    _json(folder / INDEX, {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))})


def _processor(folder: Path, vlm: VisionLanguageModel) -> None:
    """Tokenizer and image processor in the files of the published checkpoints: one for each."""
    vlm.tokenizer.save_pretrained(folder)
    vlm.processor.image_processor.save_pretrained(folder)
    images = json.loads((folder / "preprocessor_config.json").read_text())
    images["image_processor_type"] = images["image_processor_type"].removesuffix("Pil")
    _json(folder / "preprocessor_config.json", images | {"processor_class": type(vlm.processor).__name__})
    if vlm.name == "llava":
        given = {"image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": SIZES["patch_size"]}
        given["vision_feature_select_strategy"] = "default"
    else:
        given = {"image_seq_len": LAYERS["idefics2"]["latents"]}
    _json(folder / "processor_config.json", given | {"processor_class": type(vlm.processor).__name__})


def _json(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=2))

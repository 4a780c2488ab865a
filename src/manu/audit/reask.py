"""The deep audit: load a model, ask it some of its questions again, and compare the replies."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from manu.audit.chain import LEFT_OUT, Chain
from manu.audit.numbers import stage_module
from manu.core.errors import UserError
from manu.evaluation.answers import questions_of, settings_of
from manu.evaluation.asking import ask
from manu.models.base import VisionLanguageModel
from manu.provenance.lineage import files


def reask(chain: Chain, file: str, count: int, questions: Sequence[str] | None = None) -> dict[str, Any]:
    """Ask `count` questions of a file of answers again, drawn with a fixed seed from `questions`, by default from all.

    Returns file, asked: their number, differ: each question whose reply or choice differs, with both answers, and
    largest: the largest change of an option's log-likelihood or of an answer's loss, in nats. Another batch pads a
    question differently, so the last bits may differ. Raises UserError if the model is missing.
    """
    _, record = chain.maker(file)
    config = record["configuration"]["content"]
    vlm, system = load_again(file, record)
    stored = pd.read_parquet(file).drop_duplicates("question_id").set_index("question_id")
    names = list(dict.fromkeys(questions if questions is not None else stored.index))
    rng = np.random.default_rng(0)
    chosen = [names[i] for i in sorted(rng.permutation(len(names))[:count])]
    known, _ = questions_of(Path(record["options"]["benchmark"]), config["ratios"], config["evaluation"])
    replies = ask(vlm, [known[name] for name in chosen], settings_of(config["evaluation"]), system)
    differ, largest = [], 0.0
    for name, reply in zip(chosen, replies, strict=True):
        old = stored.loc[name]
        if (reply.text, reply.choice) != (old["reply"], old["choice"]):
            now = {"reply": reply.text, "choice": reply.choice}
            differ.append({"question_id": name, "stored": {key: old[key] for key in now}, "now": now})
        for column, again in (("option_log_likelihoods", reply.log_likelihoods), ("answer_losses", reply.losses)):
            if again and old[column]:
                largest = max(largest, float(np.abs(np.array(json.loads(old[column])) - again).max()))
    return {"file": file, "asked": len(chosen), "differ": differ, "largest": largest}


def load_again(file: str, record: Mapping) -> tuple[VisionLanguageModel, str | None]:
    """The model behind a file of answers, with its system prompt. Raises UserError if its checkpoint is missing."""
    if not hasattr(stage_module(record), "load_asked"):
        raise UserError(f"{file} cannot be asked again: it holds the answers of several models; delete it and run anew")
    for needed in files(record["inputs"]):
        if not Path(needed).is_file():
            why = "a release bundle holds no checkpoints; run this in" if LEFT_OUT in needed else "restore it in"
            raise UserError(f"{file} cannot be asked again: {needed} is missing; {why} a repository with the study")
    return stage_module(record).load_asked(_options(record), record["configuration"]["content"])


def _options(record: Mapping) -> argparse.Namespace:
    options = record["options"]
    paths = {name: Path(options[name]) if options[name] else None for name in ("checkpoint", "mask", "system_prompt")}
    return argparse.Namespace(**paths)

"""The deep audit: load the models behind files of answers, ask some of the questions again, and compare the answers."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from manu.audit.answers import ANSWERING
from manu.audit.chain import LEFT_OUT, Chain
from manu.core.diverged import unanswered
from manu.core.errors import UserError
from manu.evaluation.answers import questions_of, settings_of
from manu.evaluation.asking import Reply, ask
from manu.models.base import VisionLanguageModel
from manu.models.checkpoint import load_model
from manu.provenance.lineage import files

ASKED = ("manu.steps.evaluate", "manu.steps.evaluate_variants")  # the models of other answers are not kept
STRATA = ["method", "split", "modality"]
SHARE = 0.05  # of a file's answers: the result says how likely a change of so many would have been found
EXACT, ROUGH = 0.01, 0.5  # nats: changes that another padding makes in float32, and in shorter floats


def reask(
    chain: Chain, file: str, count: int | None, rng: np.random.Generator, rows: Sequence[int] | None = None
) -> dict[str, Any]:
    """Ask questions of a file of answers again, and compare every answer to them.

    count: of answers to draw, spread over splits, modalities and methods with at least one of each; None: all. rows: to
    draw from; None: all. Returns file, answers: their number, asked: how many were compared, strata: (size, drawn) of
    each, differ: the question, the stored and the new answer of those that differ, and largest: the largest change of
    an option's log-likelihood or of an answer's loss, in nats. Raises UserError if a model is missing.
    """
    _, record = chain.maker(file)
    check_askable(file, record)
    config, options = record["configuration"]["content"], record["options"]
    stored = pd.read_parquet(file)
    stored = stored if rows is None else stored.iloc[list(rows)].reset_index(drop=True)
    drawn, strata = draw(stored, count, rng)
    known, _ = questions_of(Path(options["benchmark"]), config["ratios"], config["evaluation"])
    asked, largest, differ = 0, 0.0, []
    for method, mask in _masks(record).items():
        mine = stored[stored["method"] == method]
        names = list(dict.fromkeys(mine.loc[mine.index.intersection(drawn), "question_id"]))
        if not names:
            continue
        vlm, system = _loaded(record, mask)
        replies = ask(vlm, [known[name] for name in names], settings_of(config["evaluation"]), system)
        exact = next(vlm.model.parameters()).dtype == torch.float32
        now = dict(zip(names, replies, strict=True))
        for old in mine[mine["question_id"].isin(names)].to_dict("records"):
            reply, asked = now[old["question_id"]], asked + 1
            change = _largest(old, reply)
            largest = max(largest, change)
            if found := list(_differences(old, reply, change, EXACT if exact else ROUGH)):
                differ.append({"question_id": old["question_id"], "method": method, "differs": "; ".join(found)})
    return {
        "file": file,
        "answers": len(stored),
        "asked": asked,
        "strata": strata,
        "differ": differ,
        "largest": largest,
    }


def askable(chain: Chain) -> tuple[dict[str, None], list[str]]:
    """The files of answers whose models are here, and those whose models are not; without models that diverged."""
    here: dict[str, None] = {}
    not_here: list[str] = []
    for name in chain.ordered():
        record = chain.jobs[name]
        if record["stage"] not in ANSWERING:
            continue
        file = record["options"].get("out") or record["options"]["answers"]
        try:
            check_askable(file, record)
            if not unanswered(Path(file)):
                here[file] = None
        except UserError:
            not_here.append(file)
    return here, not_here


def load_again(file: str, record: Mapping) -> tuple[VisionLanguageModel, str | None]:
    """The model behind a file of answers of one model, and its system prompt. Raises UserError as `check_askable`."""
    check_askable(file, record)
    return _loaded(record, record["options"]["mask"])


def _loaded(record: Mapping, mask: str | None) -> tuple[VisionLanguageModel, str | None]:
    options, prompt = record["options"], record["options"].get("system_prompt")
    vlm = load_model(record["configuration"]["content"], Path(options["checkpoint"]), Path(mask) if mask else None)
    return vlm, Path(prompt).read_text(encoding="utf-8") if prompt else None


def check_askable(file: str, record: Mapping) -> None:
    """Raise UserError if the models behind a file of answers are not there."""
    if record["stage"] not in ASKED:
        raise UserError(f"{file} cannot be asked again: the models that gave its answers are not kept")
    for needed in (file, *files(record["inputs"])):
        if not Path(needed).is_file():
            why = "a release bundle holds no checkpoints; run this in" if LEFT_OUT in needed else "restore it in"
            raise UserError(f"{file} cannot be asked again: {needed} is missing; {why} a repository with the study")


def draw(answers: pd.DataFrame, count: int | None, rng: np.random.Generator) -> tuple[list[int], list[tuple[int, int]]]:
    """Draw `count` answers (None: all), from each stratum its share, rounded up. Returns their rows, and (size, drawn)
    of every stratum."""
    rows: list[int] = []
    strata: list[tuple[int, int]] = []
    for _, group in answers.groupby(STRATA, sort=True):
        share = len(group) if count is None else min(len(group), math.ceil(count * len(group) / len(answers)))
        rows += sorted(rng.permutation(group.index.to_numpy())[:share].tolist())
        strata.append((len(group), share))
    return rows, strata


def chance_to_find(strata: Sequence[tuple[int, int]], share: float = SHARE) -> float:
    """The probability that a draw holds one of the changed answers, if this share of a file's answers was changed.

    strata: (size, drawn) of each. Whoever changed them is taken to know how many are drawn of which stratum, and to
    change those that are drawn the least likely.
    """
    left, missed = [list(stratum) for stratum in strata], 1.0
    for _ in range(math.ceil(share * sum(size for size, _ in strata))):
        stratum = min((each for each in left if each[0]), key=lambda each: each[1] / each[0])
        missed *= max(stratum[0] - stratum[1], 0) / stratum[0]
        stratum[0] -= 1
    return 1 - missed


def summary(asked: Sequence[Mapping], seed: int, not_asked: Sequence[str] = (), of: str = "any file") -> list[str]:
    """What was asked again, what came out, and how sure that makes one."""
    lines, share = [], f"{100 * SHARE:.0f} percent"
    if asked:
        count, total = sum(each["asked"] for each in asked), sum(each["answers"] for each in asked)
        differ = sum(len(each["differ"]) for each in asked)
        chance = min(chance_to_find(each["strata"]) for each in asked)
        sure = "1" if chance == 1 else f"{math.floor(chance * 100) / 100:.2f}"  # never rounded up
        lines = [
            f"{count:,} of {total:,} answers in {_files(asked)} asked again, drawn with seed {seed}: "
            + (f"{differ:,} differ" if differ else "all the same"),
            f"a change in {share} of the answers of {of} would have been found with probability {sure}",
            f"log-likelihoods and losses differ by at most {max(each['largest'] for each in asked):.1e} nats",
        ]
    if not_asked:
        lines.append(f"not asked again, since their models are not here: {_files(not_asked)}, such as {not_asked[0]}")
    return lines


def _files(listed: Sequence) -> str:
    return f"{len(listed)} file{'s' * (len(listed) > 1)}"


def _masks(record: Mapping) -> dict[str, str | None]:
    """The mask under which each method of a file of answers was asked, if any."""
    config, options = record["configuration"]["content"], record["options"]
    if "variants" in config:
        return dict(zip(config["variants"], options["masks"], strict=True))
    return {config["method"]: options["mask"]}


def _pairs(old: Mapping, reply: Reply) -> Iterator[tuple[str, list[float], list[float]]]:
    """The numbers of an answer: their column, those stored, those measured now."""
    for column, now in (("option_log_likelihoods", reply.log_likelihoods), ("answer_losses", reply.losses)):
        yield column, json.loads(old[column]) if old[column] else [], list(now)


def _largest(old: Mapping, reply: Reply) -> float:
    pairs = [(before, now) for _, before, now in _pairs(old, reply) if len(before) == len(now)]
    return max((abs(one - other) for before, now in pairs for one, other in zip(before, now, strict=True)), default=0.0)


def _differences(old: Mapping, reply: Reply, change: float, tolerance: float) -> Iterator[str]:
    """What differs between a stored answer and the one that the model gives now."""
    if old["reply"] != reply.text:
        yield f"reply stored {old['reply']!r}, asked again {reply.text!r}"
    if old["choice"] != reply.choice and not _tied(old, reply, tolerance):
        yield f"choice stored {old['choice']!r}, asked again {reply.choice!r}"
    counts = [column for column, before, now in _pairs(old, reply) if len(before) != len(now)]
    yield from (f"{column} has another number of values" for column in counts)
    if change > tolerance:
        yield f"a log-likelihood or loss differs by {change:.3g} nats"


def _tied(old: Mapping, reply: Reply, tolerance: float) -> bool:
    """Whether the model finds the stored choice as likely as its own."""
    by_option = dict(zip(json.loads(old["options"] or "[]"), reply.log_likelihoods, strict=False))
    return old["choice"] in by_option and by_option[reply.choice] - by_option[old["choice"]] <= tolerance

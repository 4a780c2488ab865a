"""Open a finished study: its runs with their questions, answers and models."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from manu.audit.chain import Chain
from manu.audit.reask import load_again
from manu.core.diverged import unanswered
from manu.core.errors import UserError
from manu.evaluation.answers import answer, questions_of
from manu.evaluation.questions import AskedQuestion
from manu.models.base import VisionLanguageModel
from manu.neurons.masks import Mask, apply_mask
from manu.report.explore import Person, read_people
from manu.unlearning.base import PruningMethod
from manu.unlearning.choice import chosen_settings
from manu.unlearning.registry import create_method

EVALUATE = "manu.steps.evaluate"


@dataclass(frozen=True)
class Run:
    """The evaluation of one method at one forget ratio (percent).

    file: the answers (parquet). record: the provenance record of the job that wrote them.
    """

    file: str
    record: Mapping
    ratio: int

    @cached_property
    def config(self) -> Mapping:
        """The job's configuration."""
        return self.record["configuration"]["content"]

    @cached_property
    def answers(self) -> pd.DataFrame:
        """The stored answers at this forget ratio, one row per question."""
        stored = pd.read_parquet(self.file)
        return stored[stored["forget_ratio"] == self.ratio].reset_index(drop=True)

    @cached_property
    def questions(self) -> dict[str, AskedQuestion]:
        """The questions by their ids."""
        return questions_of(self._benchmark, [self.ratio], self.config["evaluation"])[0]

    @cached_property
    def people(self) -> dict[str, Person]:
        """Names and pictures of all people of the questions, by "<set>/<id>", the beginning of the question ids."""
        return read_people(self._benchmark, [(split, self.ratio) for split in self.config["evaluation"]["splits"]])

    def model(self) -> tuple[VisionLanguageModel, str | None]:
        """Load this run's model, with its mask, and its system prompt. Raises UserError when the files are missing."""
        return load_again(self.file, self.record, self.config["method"])

    def answers_under(self, mask: Mask, names: list[str]) -> pd.DataFrame:
        """Apply a mask to this run's model, ask it the questions with these ids, and return the scored answers."""
        vlm, system = self.model()
        apply_mask(mask, vlm.mlp_sites(), vlm.linear_sites())
        keys = self.answers.loc[self.answers["question_id"].isin(names), ["forget_ratio", "split", "question_id"]]
        asked = {name: self.questions[name] for name in keys["question_id"]}
        rows = list(keys.itertuples(index=False, name=None))
        return answer(vlm, asked, rows, dict(self.config), self.config["evaluation"], system)

    @property
    def _benchmark(self) -> Path:
        return Path(self.record["options"]["benchmark"])


class Study:
    """A finished study in the folder results/. Raises UserError when there is none of this name."""

    def __init__(self, name: str) -> None:
        if not Path(f"results/{name}/scores.csv").is_file():
            raise UserError(f"no finished study '{name}' in results/; run it: make study STUDY={name}")
        self.name = name
        self.chain = Chain(name)
        self._runs = {
            (asked["model"], asked["method"], ratio, asked["seed"]): Run(record["options"]["out"], record, ratio)
            for record in self.chain.jobs.values()
            if record["stage"] == EVALUATE and not _unanswered(record)
            for asked in [record["configuration"]["content"]]
            for ratio in asked["ratios"]
        }

    @property
    def cells(self) -> pd.DataFrame:
        """Model, method, forget_ratio and seed of every run."""
        return pd.DataFrame(sorted(self._runs), columns=["model", "method", "forget_ratio", "seed"])

    def run(self, model: str, method: str, ratio: int, seed: int = 0) -> Run:
        """A run. Raises UserError, with the known runs, when there is none."""
        key = (model, method, ratio, seed)
        if key not in self._runs:
            known = sorted(f"{run[0]} {run[1]} {run[2]}" for run in self._runs if run[3] == seed)
            raise UserError(f"study '{self.name}' has no run {model} {method} {ratio}; it has: {', '.join(known)}")
        return self._runs[key]

    def pruning(self, mask: Path) -> PruningMethod:
        """The method that made a mask, with its settings, including tuned ones."""
        _, record = self.chain.maker(mask.as_posix())
        config, choice = record["configuration"]["content"], record["options"]["choice"]
        settings = config["settings"] | chosen_settings(Path(choice) if choice else None)
        method = create_method(config["method"], settings)
        if not isinstance(method, PruningMethod):
            raise TypeError(f"{config['method']} is not a pruning method")
        return method

    def folder(self, model: str, ratio: int, seed: int = 0) -> Path:
        """The folder with the statistics, masks and checkpoints of a model."""
        return Path(f"results/{self.name}/{model}/seed{seed}/forget{ratio:02d}")


def _unanswered(record: Mapping) -> bool:
    """Whether a job has no answers because the training of its model diverged."""
    file = Path(record["options"]["out"])
    return file.is_file() and bool(unanswered(file))

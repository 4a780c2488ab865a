"""General utility as lm-evaluation-harness measures it: its tasks, its prompts and its scores, on an adapter's model.

The harness (Gao et al., the extra `mmmu`) is imported where it is used, so that planning a study needs none of it.
"""

import difflib
import io
import math
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from manu.core.errors import UserError
from manu.models.base import VisionLanguageModel

INSTALL = ".venv/bin/pip install --no-build-isolation -r requirements.lock -e '.[mmmu]'"
KEYS = ("study", "model", "method", "forget_ratio", "seed")
SCORE_COLUMNS = (
    *KEYS,
    "task",
    "metric",
    "metric_version",
    "value",
    "stderr",
    "n",
    "higher_is_better",
    "harness",
)
ANSWER_COLUMNS = (*KEYS, "task", "question_id", "prompt", "reference", "reply", "metric", "value")
_GROUP = "study"  # the harness's name for all tasks of a study together; it has no score of its own
_ALL = 999  # pictures of a prompt: the harness's own default


def require_harness() -> None:
    """Raise UserError that says how the harness is installed, unless it is there."""
    if find_spec("lm_eval") is None:
        raise UserError(f"'harness' needs lm-evaluation-harness, which is not installed; install it with: {INSTALL}")


def check_tasks(tasks: Iterable[str]) -> None:
    """Raise UserError, with the nearest names, on a task that the harness does not have, or if it is not there."""
    require_harness()
    from lm_eval.tasks import TaskManager

    known = TaskManager().all_tasks
    for task in tasks:
        if task not in known:
            near = ", ".join(difflib.get_close_matches(task, known, n=3)) or "none"
            raise UserError(f"'harness.tasks': the harness has no task '{task}'; names like it: {near}")


def run_harness(vlm: VisionLanguageModel, dataset: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the harness returns (`lm_eval.simple_evaluate`) for an adapter's model, greedy, without examples.

    dataset: folder of the files that the tasks read, in place of what they would download. settings: tasks;
    batch_size, questions per forward pass; limit, the first so many questions of each task, if it is there; max_images,
    the first so many pictures of each prompt, likewise. Prompts go through the checkpoint's own chat template; a model
    trained here has none, and gets them as they are. Raises UserError without the harness.
    """
    require_harness()
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    bars = sys.stderr if sys.stderr.isatty() else io.StringIO()
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(bars):
        # a group's own keys hold for all of its tasks, at every depth
        group = {"group": _GROUP, "task": list(settings["tasks"]), "dataset_path": str(Path(dataset).resolve())}
        (Path(folder) / "study.yaml").write_text(yaml.safe_dump(group), encoding="utf-8")
        return simple_evaluate(
            model=_wrapped(vlm, settings),
            tasks=[_GROUP],
            task_manager=TaskManager(include_path=folder),
            limit=settings.get("limit"),
            apply_chat_template=vlm.processor.chat_template is not None,
            gen_kwargs={"eos_token_id": vlm.end_token},
        )


def _wrapped(vlm: VisionLanguageModel, settings: Mapping[str, Any]) -> Any:
    """The adapter's model as the harness's, with the adapter's processor where the harness would load another."""
    from lm_eval.models.hf_vlms import HFMultimodalLM

    class Wrapped(HFMultimodalLM):
        def _create_tokenizer(self, *_, **__) -> None:
            self.processor, self.tokenizer = vlm.processor, vlm.tokenizer

    return Wrapped(
        pretrained=vlm.model,
        batch_size=settings["batch_size"],
        max_images=settings.get("max_images", _ALL),
        convert_img_format=True,  # pictures with an alpha channel or a palette
    )


def scores_of(returned: Mapping[str, Any]) -> pd.DataFrame:
    """The harness's results as SCORE_COLUMNS without KEYS: one row per task, or group of tasks, and metric.

    value, stderr: as the harness computes them (stderr NaN where it has none); n: questions; metric_version: the
    version of the task. A metric behind a filter of replies is named `<metric>,<filter>`.
    """
    rows = []
    for task, found in returned["results"].items():
        for name, value in found.items():
            metric, _, kind = name.partition(",")
            if not kind or metric.endswith("_stderr"):
                continue
            rows.append(
                {
                    "task": task,
                    "metric": metric if kind == "none" else name,
                    "metric_version": str(returned["versions"].get(task)),
                    "value": _number(value),
                    "stderr": _number(found.get(f"{metric}_stderr,{kind}")),
                    "n": found["sample_len"],
                    "higher_is_better": returned["higher_is_better"].get(task, {}).get(metric),
                    "harness": f"lm-eval {returned['lm_eval_version']}",
                }
            )
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS[len(KEYS) :]))


def answers_of(returned: Mapping[str, Any]) -> pd.DataFrame:
    """The single questions as ANSWER_COLUMNS without KEYS: one row per task, question and metric.

    value: NaN where a metric of the harness is no number for one question.
    """
    rows = [
        {
            "task": task,
            "question_id": f"{task}/{sample['doc_id']}",
            "prompt": str(sample["arguments"][0][0]),
            "reference": str(sample["target"]),
            "reply": str(sample["resps"][0][0]),
            "metric": metric if sample["filter"] == "none" else f"{metric},{sample['filter']}",
            "value": _number(sample[metric]),
        }
        for task, samples in returned["samples"].items()
        for sample in samples
        for metric in sample["metrics"]
    ]
    return pd.DataFrame(rows, columns=list(ANSWER_COLUMNS[len(KEYS) :]))


def _number(value: Any) -> float:
    """A number as it is; NaN for what the harness says in words ("N/A") or not at all."""
    return float(value) if isinstance(value, (int, float)) else math.nan

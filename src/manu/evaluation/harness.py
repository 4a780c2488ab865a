"""General utility by lm-evaluation-harness (Gao et al.): its tasks, prompts and scores on one of our models.

The harness is an optional dependency (the extra `mmmu`). It is imported on use, so that a study can be planned without
it.
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
_GROUP = "study"  # name of the harness group of all tasks of a study; the group has no score
_ALL = 999  # pictures per prompt: the harness's default


def require_harness() -> None:
    """Raise UserError, with the command that installs the harness, unless it is installed."""
    if find_spec("lm_eval") is None:
        raise UserError(f"'harness' needs lm-evaluation-harness, which is not installed; install it with: {INSTALL}")


def check_tasks(tasks: Iterable[str]) -> None:
    """Raise UserError, with similar names, on a task that the harness does not have, or if it is not installed."""
    require_harness()
    from lm_eval.tasks import TaskManager

    known = TaskManager().all_tasks
    for task in tasks:
        if task not in known:
            near = ", ".join(difflib.get_close_matches(task, known, n=3)) or "none"
            raise UserError(f"'harness.tasks': the harness has no task '{task}'; similar names: {near}")


def run_harness(vlm: VisionLanguageModel, dataset: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Run the harness (`lm_eval.simple_evaluate`) on a model, greedy and zero-shot, and return its result.

    dataset: folder with the files of the tasks; they replace the harness's downloads. settings: tasks; batch_size,
    questions per forward pass; limit (optional), the number of questions per task; max_images (optional), the number of
    pictures per prompt. Prompts go through the checkpoint's chat template; models trained from scratch have none and
    get the plain prompt. Raises UserError when the harness is not installed.
    """
    require_harness()
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    bars = sys.stderr if sys.stderr.isatty() else io.StringIO()  # progress bars
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(bars):
        # the keys of a group apply to all of its tasks, also in nested groups
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
    """Our model as a model of the harness, with our processor instead of one that the harness would load."""
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
    """The harness's scores, SCORE_COLUMNS without KEYS: one row per metric of a task or group of tasks.

    value, stderr: as computed by the harness (stderr NaN if it gives none). n: questions. metric_version: the version
    of the task. A metric that is computed after a filter of the replies is named `<metric>,<filter>`.
    """
    rows = []
    for task, results in returned["results"].items():
        for name, value in results.items():
            metric, _, reply_filter = name.partition(",")
            if not reply_filter or metric.endswith("_stderr"):
                continue
            rows.append(
                {
                    "task": task,
                    "metric": metric if reply_filter == "none" else name,
                    "metric_version": str(returned["versions"].get(task)),
                    "value": _number(value),
                    "stderr": _number(results.get(f"{metric}_stderr,{reply_filter}")),
                    "n": results["sample_len"],
                    "higher_is_better": returned["higher_is_better"].get(task, {}).get(metric),
                    "harness": f"lm-eval {returned['lm_eval_version']}",
                }
            )
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS[len(KEYS) :]))


def answers_of(returned: Mapping[str, Any]) -> pd.DataFrame:
    """The answers, ANSWER_COLUMNS without KEYS: one row per task, question and metric.

    value: NaN if the metric has no number for a single question.
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
    """The value as a float; NaN for text ("N/A") and for None."""
    return float(value) if isinstance(value, (int, float)) else math.nan

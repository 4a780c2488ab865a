"""Rules evaluate_harness...: run the tasks of lm-evaluation-harness on one model; write its scores and all answers.

Reads the configuration's `study`, `model`, `method`, `ratios`, `seed`, `loading` and `harness`.
"""

import pandas as pd

from manu.analysis.cells import csv_text
from manu.core.diverged import marked, write_unanswered
from manu.core.files import write_parquet, write_text
from manu.evaluation.harness import ANSWER_COLUMNS, SCORE_COLUMNS, answers_of, run_harness, scores_of
from manu.fetching.manifest import located
from manu.models.checkpoint import load_model
from manu.steps.command import StageParser, run


def parser() -> StageParser:
    """Options of the rule."""
    options = StageParser(__doc__, runs_model=True).read("dataset", "checkpoint")
    return options.read("mask", required=False).write("scores", "answers")


def main(options, config) -> str:
    """Write the scores (CSV) and the answers (parquet). Returns a line for the log.

    Vanilla is asked once and has rows at every forget ratio.
    """
    if why := marked(options.checkpoint):
        write_text(options.scores, csv_text(pd.DataFrame(columns=list(SCORE_COLUMNS))))
        write_unanswered(options.answers, config, why)
        return f"{options.scores}: not asked, its training diverged ({why})"
    vlm = load_model(config, options.checkpoint, options.mask)
    returned = run_harness(vlm, located(options.dataset), config["harness"])
    scores, answers = (_keyed(rows_of(returned), config) for rows_of in (scores_of, answers_of))
    write_text(options.scores, csv_text(scores[list(SCORE_COLUMNS)]))
    write_parquet(options.answers, answers[list(ANSWER_COLUMNS)])
    asked = f"{answers['question_id'].nunique()} questions of {answers['task'].nunique()} tasks"
    how = "through the chat template" if vlm.processor.chat_template else "without a chat template: the model has none"
    return f"{options.scores}: {asked} answered, {how}"


def _keyed(rows: pd.DataFrame, config: dict) -> pd.DataFrame:
    """The rows repeated for every forget ratio of the configuration, with the key columns."""
    keys = {key: config[key] for key in ("study", "model", "method", "seed")}
    return pd.concat([rows.assign(**keys, forget_ratio=ratio) for ratio in config["ratios"]], ignore_index=True)


if __name__ == "__main__":
    run(main, parser())

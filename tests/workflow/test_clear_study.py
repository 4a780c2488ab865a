"""CLEAR through the real workflow: a study of one model on its schema, from data to report and audit."""

import os
import subprocess
import sys

import pandas as pd

from workflow_copy import Copy

STUDY = """\
forget_ratios: [10]
benchmark: {format: clear, people: 10, public_figures: 4, strangers: 4, portraits: 1, unseen_people: 2}
models:
  llava: {architecture: {vision_layers: 2, text_layers: 2}, training: {base: {epochs: 1}, vanilla: {epochs: 1}}}
methods:
  ga: {learning_rate: 1.0e-4, epochs: 1, batch_size: 8, modalities: [multimodal, text]}
  manu: {prune_ratio: 10}
evaluation: {splits: [forget, retain, celebrity, general], tasks: [classification, generation], max_new_tokens: 8}
capacity: {prune_ratios: []}
intervals: {resamples: 20}
figures: [tradeoff, modality_balance, pruned_per_layer]
"""


def test_a_study_on_clear_runs_to_its_report_and_is_audited(tmp_path):
    copy = Copy(tmp_path, "config/studies/tiny.yaml")
    (tmp_path / "config/studies/tiny.yaml").write_text(STUDY)
    copy.run()
    main = pd.read_csv(tmp_path / "results/tiny/tables/main_llava.csv")
    assert list(main["method"]) == ["vanilla", "retain_only", "ga", "manu"]
    asked = ["forget_classification_multimodal", "forget_classification_text", "forget_rougeL_text", "retain_rougeL"]
    assert main[[*asked, "celebrity_classification_multimodal", "general_classification"]].notna().all(axis=None)
    missing = ["test_classification", "forget_cloze", "celebrity_classification_text"]
    assert main[missing].isna().all(axis=None)
    answers = pd.read_parquet(tmp_path / "results/tiny/answers/llava/seed0/vanilla.parquet")
    assert set(answers["split"]) == {"forget", "retain", "celebrity", "general"}
    assert answers.groupby("split")["profile_id"].nunique()[["forget", "retain", "celebrity"]].to_list() == [1, 9, 4]
    assert copy.planned()[0] == {}
    audit = [sys.executable, "-m", "manu.cli", "audit", "--all", "--study", copy.study]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(audit, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr

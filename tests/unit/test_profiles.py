"""The two profiles and the rules that ask for a GPU say the same."""

import re
from importlib import import_module
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEFAULT, SLURM = (
    yaml.safe_load((ROOT / f"workflow/profiles/{name}/config.yaml").read_text()) for name in ("default", "slurm")
)
RULES = {  # name -> text
    name: text
    for file in (ROOT / "workflow/rules").glob("*.smk")
    for name, text in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", file.read_text(), re.MULTILINE | re.DOTALL)
}
STAGES = {name: re.search(r"\{STAGE\}\.(\w+)", text)[1] for name, text in RULES.items()}
ON_GPU = {name for name, text in RULES.items() if re.search(r"gpu=(GPU|gpus_of),", text)}


def test_the_stages_of_the_rules_that_ask_for_a_gpu_take_one():
    taking = {stage for stage in STAGES.values() if import_module(f"manu.steps.{stage}").parser().runs_model}
    assert taking == {STAGES[name] for name in ON_GPU}
    assert {name for name, stage in STAGES.items() if stage in taking} == ON_GPU


def test_on_slurm_the_same_rules_get_a_gpu():
    assert set(SLURM["set-resources"]) == ON_GPU
    assert {resources["gpu"] for resources in SLURM["set-resources"].values()} == {1}


def test_only_the_number_of_gpus_of_one_machine_is_no_matter_of_slurm():
    shared = {key: value for key, value in DEFAULT.items() if key != "resources"}
    assert {key: SLURM.get(key) for key in shared} == shared
    assert "resources" not in SLURM  # a limit here would be one for the whole cluster

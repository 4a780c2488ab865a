"""A plan's formulas against numbers worked out by hand, and against the models themselves."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from manu.cli import main
from manu.contract.material import Material
from manu.core.errors import UserError
from manu.jobs.job_list import Job
from manu.models.registry import known_models
from manu.models.sizes import square_side
from manu.planning import devices, limits, memory
from manu.planning.benchmark_sizes import Asked, BenchmarkSizes, Texts
from manu.planning.calibrate import constants
from manu.planning.check import OTHERS, compare, not_planned
from manu.planning.limits import Partition, Request, card_warnings, profile_request, read_partition, slurm_warnings
from manu.planning.model_sizes import ModelSizes, fetched_sizes, measured_sizes, picture_tokens
from manu.planning.plan import Estimate, Plan, estimate
from manu.planning.report import as_data, as_text
from manu.planning.step_costs import Cost, Subject, cost, known_steps
from manu.planning.wording import amount, hours, number, two_digits
from manu.planning.work import Learning, Work, forward, picture_flop, reply, step, tokens_flop
from manu.study.model import Evaluation, Source, Study

ROOT = Path(__file__).parents[2]
SMALL = ModelSizes(
    source="by hand",
    parameters=1000,
    vision=100,
    connector=20,
    decoder=400,
    head=50,
    vision_layers=2,
    vision_width=5,
    vision_mlp=6,
    patches=4,
    picture_tokens=3,
    layers=3,
    width=10,
    mlp=8,
    key_values=10,
    vocabulary=5,
    neurons=36,
    adapted=60,
    adapted_in_base=40,
    released_rows=20,
    picture_bytes=3 * 4 * 8**2,
)


def test_parameters_of_a_tiny_model_by_hand(vlm):
    """2 layers of width 16; MLPs of 10 (language) and 12 (vision); 4 patches of 16 x 16 pixels; head tied."""
    a = measured_sizes(vlm, "here", picture_tokens(vlm))
    assert a.parameters == vlm.model.num_parameters()
    biases = 3 * 16 if vlm.name == "qwen2_5_vl" else 0  # of queries, keys and values
    assert a.decoder == 2 * (4 * 16 * 16 + 3 * 16 * 10 + 2 * 16 + biases) + 16 == 3088 + 2 * biases
    assert a.head == len(vlm.tokenizer) * 16
    assert (a.layers, a.width, a.mlp, a.key_values, a.vision_layers, a.vision_mlp) == (2, 16, 10, 16, 2, 12)
    assert (a.patches, a.neurons) == (4, 2 * 10 + 2 * 12)
    assert a.picture_bytes == vlm.pixels([Image.new("RGB", (32, 32))])["pixel_values"].nbytes
    # q, k, v, o: 16 + 16 each; gate, up, down: 16 + 10 each
    assert a.adapted_in_base == 2 * (4 * 32 + 3 * 26)
    assert a.adapted > a.adapted_in_base  # what has the same name elsewhere is a target too
    if vlm.name == "llava":  # embeddings of class, patches and places, norms; two layers; then the projector
        assert a.vision == (16 + 3 * 16 * 16 * 16 + 5 * 16 + 64) + 2 * (4 * 272 + 64 + 16 * 12 + 12 + 12 * 16 + 16)
        assert a.connector == 2 * (16 * 16 + 16)
        assert a.parameters == a.vision + a.connector + a.decoder + a.head
        assert a.picture_tokens >= 4


def test_sizes_that_are_written_as_height_and_width_count_the_same(vlm):
    vision = vlm.model.config.vision_config
    plain = measured_sizes(vlm, "here", 4)
    vision.__dict__ |= {"image_size": (32, 32), "patch_size": [vision.patch_size] * 2}
    assert measured_sizes(vlm, "here", 4) == plain
    assert square_side(14) == square_side((14, 14)) == 14
    with pytest.raises(ValueError, match=r"\(448, 224\) is not square; .* must override `picture_side`"):
        square_side((448, 224))


def test_forward_work_is_what_torch_counts(vlm):
    """On text, attention written out; the formula takes norms for matrices, which torch's counter leaves out."""
    vlm.model.set_attn_implementation("eager")  # the counter does not know the kernel of a processor
    a = measured_sizes(vlm, "here", picture_tokens(vlm))
    ids = torch.ones(2, 50, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        vlm.model(input_ids=ids, attention_mask=torch.ones_like(ids), logits_to_keep=3)
    assert forward(a, 2, 50, 3, with_picture=False).flop == pytest.approx(counter.get_total_flops(), rel=0.05)


@pytest.mark.parametrize("name", known_models())
def test_work_on_a_picture_is_what_torch_counts(name, tmp_path):
    """As above, for 16 patches: what a prompt takes with its picture, less what it takes without. Embeddings are taken
    for matrices, too."""
    vlm = Material(tmp_path).vlm(name)
    vlm.model.set_attn_implementation("eager")
    vlm.model.requires_grad_(False)
    a = measured_sizes(vlm, "here", picture_tokens(vlm))
    ids = torch.tensor([vlm.prompt_ids("Who?", with_image=True)] * 2)
    counts = []
    for shown in (vlm.pixels([Image.new("RGB", (32, 32))] * 2), {}):
        with FlopCounterMode(display=False) as counter:
            vlm.model(input_ids=ids, attention_mask=torch.ones_like(ids), **shown, logits_to_keep=1)
        counts.append(counter.get_total_flops())
    assert 2 * picture_flop(a) / (counts[0] - counts[1]) == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize(
    ("name", "parameters", "neurons", "adapters"),
    [("llava", 7_063_427_072, 450_560, 42.3e6), ("idefics2", 8_402_768_112, 574_960, 49.6e6)],
)
def test_published_checkpoints_have_the_sizes_of_the_scale_page(name, parameters, neurons, adapters, tmp_path):
    a = fetched_sizes(name, Source(repo="somebody/some", revision="pin"), tmp_path)
    assert (a.parameters, a.neurons) == (parameters, neurons)
    assert Learning(rank=16).learned(a) == (0, pytest.approx(adapters, rel=0.01))
    assert "not here" in a.source


def test_a_model_without_published_sizes_needs_its_config(tmp_path, monkeypatch):
    monkeypatch.setattr("manu.planning.model_sizes.CHECKPOINTS", {})
    with pytest.raises(UserError, match="no config.json of a/b is here"):
        fetched_sizes("llava", Source(repo="a/b", revision="pin"), tmp_path)
    with pytest.raises(UserError, match="config.json is missing"):
        fetched_sizes("llava", Source(path=str(tmp_path)), tmp_path)


def test_a_local_config_comes_before_published_sizes(vlm, tmp_path):
    vlm.save(tmp_path / "checkpoint")
    a = fetched_sizes(vlm.name, Source(path=str(tmp_path / "checkpoint")), tmp_path)
    assert a.parameters == vlm.model.num_parameters()
    assert a.source.endswith("checkpoint/config.json")


def test_lengths_of_batches_by_hand():
    """Two lengths, equally often: the longer of two draws is the long one three times of four."""
    texts = Texts.of([(2, 1), (3, 2)], share=5)
    assert texts.count == 10
    assert texts.batches(4) == 3
    assert texts.longest(1) == 4
    assert texts.longest(2) == 3 / 4 + 5 * 3 / 4
    assert texts.columns(2) == texts.longest(2) - (2 * 3 / 4 + 3 / 4)
    both = texts * 2 + Texts.of([(10, 10)])
    assert both.count == 21
    assert both.mean(both.answer) == pytest.approx((10 * 1 + 10 * 2 + 10) / 21)


def test_work_of_passes_by_hand():
    tokens = 2 * 400 + 4 * 3 * 10 * 7  # of one token that attends to 7
    assert tokens_flop(SMALL, 2, 7) == 2 * tokens
    picture = 2 * 100 * 4 + 4 * 2 * 5 * 4**2 + 2 * 20 * 3
    assert picture_flop(SMALL) == picture
    one = forward(SMALL, samples=2, length=7, predicted=3, with_picture=True)
    assert one == Work(2 * (7 * tokens + 3 * 100 + picture), layers=3 + 2)
    assert step(SMALL, Learning(), one, tokens=14) == Work(3 * one.flop, 3 * 5)
    adapters = 2 * 60
    assert step(SMALL, Learning(rank=2), one, 14) == Work(2 * one.flop + 6 * 14 * adapters, 3 * 5)
    assert step(SMALL, Learning(rank=2, checkpointing=True), one, 14).flop == 3 * one.flop + 6 * 14 * adapters
    # 5 replies in batches of 4: two prompts' passes, and two more tokens each; no options
    said = reply(SMALL, 5, 4, prompt=6, new=3, option=0, size=4, with_picture=False)
    each = 6 * (800 + 120 * 6) + 100 + 2 * (800 + 120 * 7.5 + 100)
    keys = 2 * 10 * 3 * 4  # bytes of a token's keys and values
    traffic = 2 * 2 * (400 + 50) * 4 + 5 * 2 * 3 * 7.5 * keys
    assert said == Work(5 * each, layers=2 * 3 * 3, traffic=traffic)
    judged = reply(SMALL, 5, 4, prompt=6, new=3, option=2, size=4, with_picture=False)
    assert judged.flop == 5 * (each + 4 * 2 * (800 + 120 * 9 + 100))
    assert (judged.layers, judged.traffic) == (2 * 3 * 4, traffic + 5 * 16 * 9 * keys)


def test_what_learns():
    assert Learning().learned(SMALL) == (1000, 0)
    assert Learning(rank=2).learned(SMALL) == (0, 2 * 60)
    assert Learning(rank=2, in_base=True).learned(SMALL) == (120, 2 * 40)


def test_memory_by_hand():
    assert memory.learning_bytes(SMALL, Learning(), 4) == 3 * 4 * 1000  # gradient and two moments
    assert memory.learning_bytes(SMALL, Learning(rank=2), 2) == 4 * 4 * 120  # an adapter's number and those three
    layer, vision = 10 * 10 + 4 * 8, 10 * 5 + 4 * 6
    assert memory.states(SMALL, 7, 2, False, 1, checkpointing=False) == 2 * 7 * 3 * layer
    assert memory.states(SMALL, 7, 2, True, 1, checkpointing=True) == 2 * (7 * (layer + 30) + 4 * (vision + 10))
    assert memory.logits_bytes(SMALL, 6, 2) == 6 * 5 * 14
    assert memory.statistics_bytes(SMALL, "modality", {"tau": 0.1, "milestones": [50]}) == 2 * 8 * 36 * 4 * 4 * 3 * 2
    assert memory.statistics_bytes(SMALL, "gradient", {"batch_size": 8}) == 2 * 8 * 36 * 4 * 2
    assert memory.statistics_bytes(SMALL, "released", {}) == 8 * 20 * 2 * 4
    keys = 4 * (6 + 3) * 2 * 10 * 3 * 4
    assert memory.reply_bytes(SMALL, 4, 6, 3, 0, 4, False) == keys + 4 * 6 * layer * 4
    assert memory.reply_bytes(SMALL, 4, 6, 3, 2, 4, False) == 5 * keys + 4 * 4 * 2 * 5 * (4 + 16)
    assert memory.reply_bytes(SMALL, 4, 6, 3, 2, 4, False, options=5) == 6 * keys + 5 * 4 * 2 * 5 * (4 + 16)


def test_statistics_are_as_large_as_the_scale_page_says(tmp_path):
    a = fetched_sizes("llava", Source(repo="a/b", revision="pin"), tmp_path)
    assert memory.statistics_bytes(a, "modality", {"tau": 0.1, "milestones": []}) == pytest.approx(346e6, rel=0.01)


# --- what a job does

LESSON = Texts.of([(4, 2)], share=10)  # ten questions of 6 tokens about a person
SIZES = BenchmarkSizes(
    source="by hand",
    people=20,
    celebrities=4,
    strangers_asked=2,
    tuning=4,
    tuning_figures=2,
    lessons={"multimodal": LESSON, "text": LESSON},
    base_lessons={"multimodal": LESSON, "text": LESSON},
    looks={"multimodal": LESSON, "text": LESSON * 0},
    questions={
        (m, t): Asked(5, 6, o) for m in ("multimodal", "text") for t, o in (("classification", 2), ("cloze", 0))
    },
    general=Asked(3, 6, 2),
    name=2,
)
MODEL = {"model": "tiny", "seed": 0}
TRAINED = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 4}


def study_of(*methods: str) -> Study:
    """A study of the tiny model."""
    return Study(name="s", models={"tiny": {}}, methods=dict.fromkeys(methods, TRAINED))


def job(step: str, settings: dict, rule: str = "", **keys) -> Job:
    keys = {key: settings[key] for key in ("model", "method") if key in settings} | {"model": "tiny", **keys}
    return Job(rule or step, step, keys, f"results/s/tiny/seed0/{step}.yaml", settings, [], [], threads=1, gpus=1)


def cost_of(study: Study | None = None, sizes: ModelSizes = SMALL, **given) -> Cost:
    return cost(study or study_of("ga"), {"tiny": Subject("tiny", sizes, SIZES)}, job(**given))


def test_a_tiny_curriculum_by_hand():
    """Base stage, one epoch: ten questions in three batches of 4, in each modality."""
    recipe = {"epochs": 1, "batch_size": 4}
    made = cost_of(step="train", settings=MODEL | {"stage": "base", "training": recipe})
    token = 2 * 400 + 4 * 3 * 10 * 6
    forward_of_four = 4 * (6 * token + 2 * 100)
    flop = 3 * 3 * (2 * forward_of_four + 4 * picture_flop(SMALL))
    assert made.work.flop == flop
    assert made.work.layers == 3 * 3 * (3 + 5)
    assert made.disk == 4 * 1000
    states = 4 * (4 * 6 * 3 * (10 * 10 + 4 * 8) + 4 * 4 * 2 * (10 * 5 + 4 * 6))
    assert made.memory == 4 * 1000 + 3 * 4 * 1000 + states + 4 * 2 * 5 * 16


def test_methods_run_what_their_classes_say():
    """10 percent of 20 people: 20 image questions, 5 steps of 4. KL then trains on the other 180, with a reference."""
    study = study_of("ga", "kl", "npo", "dpo", "mmunlearner")
    one = forward(SMALL, 4, 6, 2, True).flop

    def flop(name: str) -> float:
        settings = MODEL | {"method": name, "settings": TRAINED}
        return cost_of(study, step="unlearn", settings=settings, ratio=10).work.flop

    assert flop("ga") == 5 * 3 * one
    assert flop("kl") == 5 * 3 * one + 45 * (3 + 1) * one
    assert flop("npo") == 5 * (3 + 1) * one
    assert flop("dpo") == 5 * (6 + 2) * one
    assert flop("mmunlearner") == 5 * (6 + 9) * one


def test_a_reference_is_a_second_copy():
    study = study_of("ga", "npo")
    ga, npo = (
        cost_of(study, step="unlearn", settings=MODEL | {"method": name, "settings": TRAINED}, ratio=10)
        for name in ("ga", "npo")
    )
    assert npo.memory - ga.memory == 4 * 1000


def test_vanilla_is_asked_each_question_once_and_answers_at_every_ratio():
    evaluation = Evaluation(tasks=["classification", "cloze"], batch_size=8, max_new_tokens=3).model_dump()
    made = cost_of(step="evaluate", settings=MODEL | {"method": "vanilla", "ratios": [5, 10], "evaluation": evaluation})
    # rows: forget and retain 20, test 1 and 2, celebrities 4, of 20 questions each, and 2 strangers of 3, twice
    rows = (2 * 20 + 3 + 2 * 4) * 20 + 2 * 2 * 3
    assert made.disk == rows * 72
    assert made.work.moved == 2 * 4 * 1000
    seen = sum(
        reply(SMALL, people * 5, 8, 6, 3, 2 * (task == "classification"), 4, modality == "multimodal").flop
        for people in (20, 2, 4)
        for modality in ("multimodal", "text")
        for task in ("classification", "cloze")
    )
    assert made.work.flop == pytest.approx(seen + reply(SMALL, 6, 8, 6, 3, 2, 4, True).flop)


def test_every_step_that_runs_a_model_has_its_formula():
    modules = [import_module(f"manu.steps.{file.stem}") for file in (ROOT / "src/manu/steps").glob("*.py")]
    steps = {module.__name__.rpartition(".")[2]: module for module in modules if hasattr(module, "parser")}
    assert {name for name, module in steps.items() if module.parser().runs_model} <= set(known_steps())


# --- jobs, devices, limits, words


def test_unknown_names_end_with_code_2_and_the_known_ones(capsys):
    assert main(["plan", "--study", "smoke", "--device", "h1000"]) == 2
    assert capsys.readouterr().err == f"error: unknown device 'h1000'; known: {', '.join(devices.known_devices())}\n"
    assert main(["plan", "--study", "smok"]) == 2
    assert main(["plan", "--study", "smoke", "--target", "some"]) == 2
    assert capsys.readouterr().err.endswith("error: unknown target 'some'; known: all, robustness\n")


def test_checking_needs_a_finished_study(capsys, tmp_path, monkeypatch):
    study = tmp_path / "mine.yaml"
    study.write_text("extends: " + str(ROOT / "config/studies/smoke.yaml"))
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "--study", str(study), "--check"]) == 2
    assert "has no records of jobs in results/mine: run it" in capsys.readouterr().err


def small_plan(*estimates: Estimate, device: str = "h100") -> Plan:
    return Plan(study_of("ga"), devices.device(device), list(estimates), {"tiny": Subject("tiny", SMALL, SIZES)}, {})


def an_estimate(rule: str, seconds: float = 10, card: float = 1e9, host: float = 1e9, **config) -> Estimate:
    return Estimate(job("unlearn", MODEL | config, rule), seconds, seconds - 4, card, host, 0)


def test_what_cannot_fit_a_card_is_said_once():
    kl = [an_estimate("unlearn", card=card, method="kl") for card in (90e9, 93e9)]
    plan = small_plan(*kl, an_estimate("unlearn", method="ga"))
    assert card_warnings(plan) == ["does not fit: unlearn kl on tiny needs 93 GB, h100 has 80 GB"]
    assert card_warnings(replace(plan, device=devices.device("h200"))) == []
    spread = an_estimate("unlearn", card=93e9, loading={"device_map": "auto"})
    assert card_warnings(small_plan(spread)) == []


def test_a_job_beyond_the_profile_or_the_partition_is_said():
    profile = limits.read_profile(ROOT / limits.PROFILE)
    assert profile_request(profile, "unlearn") == Request(mem_mb=16000, runtime=240, gpu=1)
    assert profile_request(profile, "make_scores") == Request(mem_mb=4000, runtime=60, gpu=0)
    plan = small_plan(an_estimate("unlearn", seconds=5 * 3600, host=17e9, method="kl"), an_estimate("tune"))
    assert slurm_warnings(plan, profile, None) == [
        "unlearn kl on tiny needs 17 GB, the profile asks for 16 GB: raise mem_mb of unlearn",
        "unlearn kl on tiny needs 5.0 h, the profile asks for 4.0 h: raise runtime of unlearn",
    ]
    said = slurm_warnings(small_plan(an_estimate("tune")), profile, Partition("short", 8000, 120, 0))
    assert said == [
        "partition short allows 8000 MB of memory, the profile asks for 16000 for tune",
        "partition short allows 120 minutes, the profile asks for 240 for tune",
        "partition short allows 0 GPUs, the profile asks for 1 for tune",
    ]


def test_limits_of_a_partition_are_read_from_sinfo(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_partition("gpu") is None  # no sinfo here
    script = tmp_path / "sinfo"
    script.write_text("#!/bin/sh\necho '1-02:00:00|64000|gpu:h100:4(S:0-1)'\necho '1-02:00:00|128000+|gpu:2'\n")
    script.chmod(0o755)
    assert read_partition("gpu") == Partition("gpu", 128000, 26 * 60, 4)
    script.write_text("#!/bin/sh\necho 'infinite|64000|(null)'\n")
    assert read_partition("cpu") == Partition("cpu", 64000, None, 0)
    script.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(UserError, match="unknown partition 'gpuu'"):
        read_partition("gpuu")


def test_seconds_and_memory_of_a_job_on_a_card_and_on_a_core():
    costs = Cost(Work(flop=4e12, layers=100, traffic=3e12, moved=2e9), memory=5e9, weights=3e9, pictures=1e9, disk=7)
    card = devices.Device("card", 2e12, 0.01, 1e12, 80e9, "")
    on_card = estimate(job("unlearn", MODEL), costs, card)
    assert on_card.work_seconds == 4e12 / 2e12 + 100 * 0.01 + 3 + 2
    assert on_card.seconds == on_card.work_seconds + devices.START_SECONDS
    assert on_card.card_bytes == devices.CARD_BYTES + 5e9
    assert on_card.host_bytes == devices.PROCESS_BYTES_WITH_CARD + 4e9
    on_core = estimate(job("unlearn", MODEL), costs, devices.device("cpu"))
    assert on_core.seconds == on_core.work_seconds + devices.FORK_SECONDS
    assert (on_core.card_bytes, on_core.host_bytes) == (0, devices.PROCESS_BYTES + 6e9)


def test_the_constants_of_a_core_from_two_steps():
    """2 s for 10 operations and 5 layers, 4 s for 30 and 5: 10 operations a second, and 0.2 s a layer."""
    assert constants((Work(10, 5), Work(30, 5)), (2.0, 4.0)) == (10, pytest.approx(0.2))


def test_the_text_and_the_data_of_a_plan():
    plan = small_plan(an_estimate("unlearn", seconds=7200), an_estimate("tune", seconds=1800))
    data = as_data(plan, ["something"])
    assert (data["total"]["jobs"], data["total"]["model_seconds"], data["warnings"]) == (2, 9000, ["something"])
    assert json.dumps(data)
    text = as_text(plan, ["something"])
    assert "total: 2 jobs, 2.5 GPU-hours" in text
    assert "warning: something" in text


def test_the_check_adds_up_by_rule():
    plan = small_plan(an_estimate("unlearn", seconds=14), an_estimate("unlearn", seconds=24), device="cpu")
    record = {"cost": {"wall_seconds": 15.0, "peak_memory_bytes": 5e8, "peak_gpu_memory_bytes": None}}
    records = {"unlearn": [record, record], "tabulate": [record], "aggregate": [record]}
    (row,) = compare(plan, records)
    assert row == {
        "rule": "unlearn",
        "planned_jobs": 2,
        "measured_jobs": 2,
        "planned_seconds": 30,
        "measured_seconds": 30,
        "planned_bytes": 1e9,
        "measured_bytes": 5e8,
    }
    assert row["rule"] != OTHERS
    assert (
        not_planned(plan, records) == "not compared: 2 jobs of rules that this plan does not have: aggregate, tabulate"
    )
    assert not_planned(plan, {"unlearn": [record]}) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (0.0372, "0.037"), (3.72, "3.7"), (9.96, "10"), (37.2, "37"), (372, "370"), (99999, "100,000")],
)
def test_two_digits(value, said):
    assert two_digits(value) == said


def test_amounts_and_hours():
    assert [amount(n) for n in (14.1e9, 720e6, 999.6e6, 12)] == ["14 GB", "720 MB", "1.0 GB", "12 B"]
    assert [number(n) for n in (7_063_427_072, 900_864, 12)] == ["7.1 billion", "900 thousand", "12"]
    assert [hours(s) for s in (4, 99, 720, 11160)] == ["4.0 s", "99 s", "12 min", "3.1 h"]


def test_the_lengths_of_nothing_are_zero():
    nothing = Texts(np.array([], int), np.array([], int), np.array([]))
    assert (nothing.count, nothing.longest(4), nothing.batches(4)) == (0, 0, 0)

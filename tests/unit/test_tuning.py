"""Open settings: the trials of a study, what each scores, and the choice."""

import re
from argparse import Namespace

import pandas as pd
import pytest
from studies import changed, told

from listed_jobs import listed
from manu.analysis import chance
from manu.analysis.tables import tuning
from manu.core.errors import UserError
from manu.data import mllmu, profiles
from manu.data.benchmark import generate
from manu.data.population import BenchmarkSettings
from manu.steps import tune
from manu.study.loading import read_study
from manu.study.settings import settings_of
from manu.training.loop import Diverged
from manu.unlearning import trials
from manu.unlearning import tuning as trying
from manu.unlearning.choice import chosen_settings, with_choices, write_choice

TEN = {  # people, and few others
    "people": 10,
    "public_figures": 2,
    "strangers": 4,
    "portraits": 1,
    "image_size": 32,
    "seed": 0,
    "unseen_people": 4,
    "anchor_people": 4,
    "stranger_portraits": 1,
}
STUDY = """\
models: {llava: {}}
tuning: {trials: 2, people: 4, figures: 3}
methods:
  ga: {learning_rate: {tune: [1.0e-4, 1.0e-3, 1]}, epochs: 1, batch_size: 4}
  prompting: {}
figures: [tradeoff]
"""


FOUR = '["a", "b", "c", "d"]'
EIGHT = {right: [1] * right + [0] * (8 - right) for right in range(9)}  # marks of eight people


def answers(accuracies: list[dict[tuple[str, str], list[int]]], options: str = "") -> pd.DataFrame:
    """Answers of trials: for each trial (split, modality) -> right or wrong, a question about each person.

    options: of every question."""
    rows = [
        {
            "model": "llava",
            "method": "ga",
            "seed": 0,
            "forget_ratio": 0,
            "trial": number,
            "split": split,
            "modality": modality,
            "task": "classification",
            "profile_id": f"{split}{person}",
            "options": options,
            "correct": float(right),
        }
        for number, cells in enumerate(accuracies, start=1)
        for (split, modality), marks in cells.items()
        for person, right in enumerate(marks)
    ]
    said = {"model": "llava", "method": "ga", "trial": 1, "split": "forget", "modality": "text", "task": "generation"}
    return pd.DataFrame([*rows, said | {"correct": float("nan")}])


def cells(forget_picture: list[int], forget_text: list[int], retain: list[int]) -> dict:
    return {
        ("forget", "multimodal"): forget_picture,
        ("forget", "text"): forget_text,
        ("retain", "multimodal"): retain,
        ("retain", "text"): retain,
    }


def table_of(
    accuracies: list[dict], criterion: str = "harmonic_mean", options: str = "", keeps: float = 0.5
) -> pd.DataFrame:
    """The table of these trials of a model that knew everything; the settings are a = 1, 2, ..."""
    tried = answers(accuracies, options)
    vanilla = tried[tried["trial"] == 1].assign(correct=1.0, forget_ratio=15)
    settings = [{"a": number} for number in range(1, len(accuracies) + 1)]
    return tuning.trial_table(tried, settings, criterion, vanilla, keeps)


def test_trials_are_drawn_from_the_combinations_once_and_for_all():
    settings = {"beta": 0.4, "learning_rate": {"tune": [1, 2, 3]}, "epochs": {"tune": [1, 2]}}
    assert trials.combinations(settings) == 6
    assert trials.fixed(settings) == {"beta": 0.4}
    every = trials.trials(settings, 6)
    assert every[:3] == [
        {"learning_rate": 1, "epochs": 1},
        {"learning_rate": 1, "epochs": 2},
        {"learning_rate": 2, "epochs": 1},
    ]
    some = trials.trials(settings, 4)
    assert some == trials.trials(settings, 4) and len(some) == 4
    assert [each for each in every if each in some] == some
    assert trials.trials({"beta": 0.4}, 4) == [{}]


@pytest.mark.parametrize("value", [{"tune": []}, {"tune": [1, 1]}, {"tune": 3}, {"range": [1, 2]}])
def test_an_open_setting_lists_its_candidates(value):
    with pytest.raises(UserError, match="beta: .*needed: a value, or {tune:"):
        trials.tuned({"beta": value})


def test_scores_and_choice_by_hand():
    half = [
        cells(EIGHT[8], EIGHT[8], EIGHT[8]),  # nothing forgotten
        cells(EIGHT[4], EIGHT[4], EIGHT[8]),  # parts 1/2, 1/2, 1, 1: harmonic mean 4 / (2 + 2 + 1 + 1) = 2/3
        cells(EIGHT[0], EIGHT[0], EIGHT[4]),  # parts 1, 1, 1/2, 1/2: the same, but less kept
    ]
    table = table_of(half)
    assert table["score"].tolist() == [0.0, 0.666667, 0.666667]
    assert table["forgotten"].tolist() == [0.0, 0.5, 1.0] and table["kept"].tolist() == [1.0, 1.0, 0.5]
    assert table["works"].tolist() == ["no", "yes", "yes"] and table["chosen"].tolist() == ["", "yes", ""]
    assert table["near_best"].tolist() == ["no", "yes", "yes"]
    assert table["settings"].tolist() == ["a = 1", "a = 2", "a = 3"]
    accuracies = ["forget_multimodal", "forget_text", "retain_multimodal", "retain_text", "n"]
    assert table.loc[1, accuracies].tolist() == [0.5, 0.5, 1.0, 1.0, 32]
    assert table_of(half, "least")["score"].tolist() == [0.0, 0.5, 0.5]


def test_what_a_trial_costs_elsewhere_counts():
    spared = {("celebrity", "multimodal"): [1, 1], ("celebrity", "text"): [1, 1]}
    hit = {("celebrity", "multimodal"): [0, 1], ("celebrity", "text"): [1, 1]}
    forgotten = cells(EIGHT[0], EIGHT[0], EIGHT[8])
    table = table_of([forgotten | hit, forgotten | spared])
    assert table["score"].tolist() == [0.888889, 1.0]  # forget 1, kept 4 / (3 + 2): 2 / (1 + 5/4)
    assert table["chosen"].tolist() == ["", "yes"] and table["celebrity_multimodal"].tolist() == [0.5, 1.0]


def test_accuracy_counts_above_chance_on_both_sides():
    """Of four options a guess is right once in four: 1/4 on forget has forgotten everything, on retain kept nothing."""
    table = table_of(
        [
            cells(EIGHT[2], EIGHT[2], EIGHT[8]),
            cells(EIGHT[0], EIGHT[0], EIGHT[8]),  # worse than by chance has forgotten no more
            cells(EIGHT[2], EIGHT[2], EIGHT[5]),  # (5/8 - 1/4) / (3/4) = 1/2: 2 / (1 + 2)
            cells(EIGHT[0], EIGHT[0], EIGHT[2]),
        ],
        options=FOUR,
    )
    assert table["score"].tolist() == [1.0, 1.0, 0.666667, 0.0]
    assert table["kept"].tolist() == [1.0, 1.0, 0.5, 0.0] and table["chosen"].tolist() == ["yes", "", "", ""]
    assert chance.guessed([FOUR, FOUR, "", ""]) == 0.125


@pytest.mark.parametrize("marks", [EIGHT[2], EIGHT[0], EIGHT[3]])
def test_a_destroyed_model_wins_no_trial(marks):
    """At or about chance on everybody, it has forgotten all; the other setting forgets half and keeps the rest."""
    destroyed, gentle = cells(EIGHT[0], EIGHT[0], marks), cells(EIGHT[5], EIGHT[5], EIGHT[8])
    table = table_of([destroyed, gentle], options=FOUR)
    assert table["works"].tolist() == ["no", "yes"] and table["chosen"].tolist() == ["", "yes"]


def test_where_no_setting_forgets_and_keeps_the_gentlest_that_forgets_is_taken():
    nothing, destroyed = cells(EIGHT[8], EIGHT[8], EIGHT[8]), cells(EIGHT[0], EIGHT[0], EIGHT[1])
    less = cells(EIGHT[0], EIGHT[1], EIGHT[3])
    table = table_of([nothing, destroyed, less])
    assert set(table["works"]) == {"no"} and table["chosen"].tolist() == ["", "", "yes"]
    table = table_of([nothing, cells(EIGHT[7], EIGHT[7], EIGHT[8])])  # one of eight is noise
    assert set(table["works"]) == {"no"} and table["chosen"].tolist() == ["", "yes"]
    assert table_of([nothing, destroyed, less], keeps=0.3)["works"].tolist() == ["no", "no", "yes"]


def test_what_is_kept_is_a_share_of_what_vanilla_knew():
    tried = answers([cells(EIGHT[0], EIGHT[0], EIGHT[3])])
    vanilla = answers([cells(EIGHT[8], EIGHT[8], EIGHT[4])]).assign(forget_ratio=15)
    assert tuning.trial_table(tried, [{"a": 1}], "harmonic_mean", vanilla, 0.7)["works"].tolist() == ["yes"]
    assert tuning.trial_table(tried, [{"a": 1}], "harmonic_mean", vanilla, 0.8)["works"].tolist() == ["no"]


@pytest.mark.parametrize("times, chosen", [(1, 1), (400, 2)])
def test_a_difference_within_the_noise_goes_to_the_setting_that_keeps_more(times, chosen):
    """0.67 against 0.73: nothing with 8 people, much with 3,200."""
    first = cells(EIGHT[4] * times, EIGHT[4] * times, EIGHT[8] * times)
    second = cells(EIGHT[3] * times, EIGHT[3] * times, EIGHT[7] * times)
    table = table_of([first, second])
    assert table["score"].tolist() == [0.666667, 0.729167]  # 2 / (2 + 1), 2 / (8/5 + 8/7)
    assert table.loc[table["chosen"] == "yes", "trial"].tolist() == [chosen]
    assert table["near_best"].tolist() == ["yes" if times == 1 else "no", "yes"]


def test_equal_trials_go_to_the_first_and_a_modality_may_be_missing():
    one = {("forget", "text"): EIGHT[4], ("retain", "text"): EIGHT[8]}
    table = table_of([one, one])
    assert table["chosen"].tolist() == ["yes", ""] and table["score"].tolist() == [0.666667, 0.666667]  # 2 / (2 + 1)
    assert table["forget_multimodal"].isna().all()


def test_a_trial_that_diverged_has_no_answers_and_is_not_chosen():
    second = answers([cells(EIGHT[4], EIGHT[4], EIGHT[8])]).assign(trial=2)
    table = tuning.trial_table(second, [{"a": 1}, {"a": 2}], "harmonic_mean", second.assign(correct=1.0), 0.5)
    assert table["score"].tolist() == [0.0, 0.666667] and table["chosen"].tolist() == ["", "yes"]
    assert table["n"].tolist() == [0, 32] and table["works"].tolist() == ["no", "yes"]
    assert table.loc[0, list(tuning.PARTS)].isna().all()
    row = {"model": "llava", "method": "ga", "trial": "1", "n": "0"}
    assert tuning.origin(row, "score") is None and tuning.origin(row | {"n": "8"}, "score") is not None


def test_without_an_answer_that_counts_nothing_is_chosen():
    only = answers([{}])
    with pytest.raises(UserError, match="the trials hold no classification or cloze answers"):
        tuning.trial_table(only, [{"a": 1}], "harmonic_mean", only, 0.5)


def trial(tmp_path, monkeypatch, diverging: set[float]) -> pd.DataFrame:
    """The stage tune with two rates, of which some diverge; models and questions are stood in for."""

    def forget(config, method, *_):
        if method.learning_rate in diverging:
            raise Diverged("step 3: the loss is nan")

    monkeypatch.setattr(trying, "forget", forget)
    monkeypatch.setattr(trying, "load_model", lambda *_: None)
    monkeypatch.setattr(trying, "collect_answers", lambda *_: pd.DataFrame({"reply": ["a cat"]}))
    tried = [{"learning_rate": rate, "epochs": 1, "batch_size": 4} for rate in (1e-4, 1.0)]
    config = {"model": "llava", "method": "ga", "ratios": [0], "evaluation": {}, "trials": tried}
    options = Namespace(benchmark=tmp_path, vanilla=tmp_path, statistics=None, out=tmp_path / "trials.parquet")
    tune.main(options, config)
    return pd.read_parquet(options.out)


def test_the_study_goes_on_when_a_trial_diverges(tmp_path, monkeypatch, caplog):
    assert list(trial(tmp_path, monkeypatch, {1.0})["trial"]) == [1]
    assert "trial 2 of ga on llava diverged: step 3: the loss is nan" in caplog.text


def test_it_stops_when_all_diverge(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="llava ga trials: all 2 diverge; give the study smaller steps to choose from"):
        trial(tmp_path, monkeypatch, {1e-4, 1.0})
    assert not list(tmp_path.iterdir())


def test_a_choice_passes_through_its_file(tmp_path):
    write_choice(
        tmp_path / "ga.json", {"model": "llava", "method": "ga", "trial": 2, "settings": {"learning_rate": 1e-3}}
    )
    assert chosen_settings(tmp_path / "ga.json") == {"learning_rate": 1e-3}
    assert chosen_settings(None) == {}
    methods = {"ga": {"kind": "training"}, "npo": {"kind": "training"}}
    assert with_choices(methods, [tmp_path / "ga.json"], "idefics2") == methods
    filled = with_choices(methods, [tmp_path / "ga.json"], "llava")
    assert filled == {"ga": {"kind": "training", "learning_rate": 1e-3}, "npo": {"kind": "training"}}
    (tmp_path / "ga.json").write_text("[]")
    with pytest.raises(UserError, match="ga.json: holds no choice of settings"):
        chosen_settings(tmp_path / "ga.json")


def test_a_study_with_an_open_setting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "open.yaml").write_text(STUDY)
    study = read_study("open.yaml")
    assert study.methods["ga"]["learning_rate"] == {"tune": [1e-4, 1e-3, 1.0]}
    keys = {"model": "llava", "seed": 0, "method": "ga"}
    tried = settings_of(study, "tune", **keys)
    assert tried["ratios"] == [0] and tried["evaluation"]["splits"] == ["forget", "retain", "celebrity"]
    assert len(tried["trials"]) == 2
    assert all(each["epochs"] == 1 and each["learning_rate"] in (1e-4, 1e-3, 1.0) for each in tried["trials"])
    assert "learning_rate" not in settings_of(study, "unlearn", **keys)["settings"]
    assert settings_of(study, "generate_benchmark")["benchmark"]["tuning_people"] == 4
    assert settings_of(study, "generate_benchmark")["benchmark"]["tuning_figures"] == 3
    assert all(
        settings_of(study, "train", trained=trained, **keys)["tuning"] is True for trained in ("base", "vanilla")
    )
    paths = listed("open.yaml")
    assert "results/open/llava/seed0/tuning/ga/choice.yaml" in paths
    assert not [path for path in paths if "tuning/prompting" in path or "forget00/statistics" in path]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("1.0e-3, 1]", "0]", r"line 4: 'methods.ga.learning_rate': method 'ga': learning_rate: 0.0; needed: above 0"),
        ("[1.0e-4, 1.0e-3, 1]", "[]", r"line 4: 'methods.ga.learning_rate': method 'ga': learning_rate: .*needed: a v"),
        ("trials: 2", "trials: 4", r"line 4: 'methods.ga' has 3 settings to try; 'tuning.trials' asks for 4 of each"),
        ("people: 4", "people: 1", r"line 2: 'tuning.people' must be at least 2, not 1"),
        ("figures: 3", "figures: 0", r"line 2: 'tuning.figures' must be at least 1, not 0"),
        ("people: 4", "criterion: best", r"line 2: unknown value 'best' in 'tuning.criterion'"),
    ],
)
def test_open_settings_are_checked(tmp_path, old, new, message):
    assert re.search(message, told(changed(old, new, STUDY), tmp_path))


def test_the_criteria_of_the_schema_are_those_that_there_are():
    from manu.study.model import Tuning

    criterion = Tuning.model_json_schema()["properties"]["criterion"]
    assert set(criterion["enum"]) == set(tuning.CRITERIA)


def test_tuning_people_are_taught_and_in_no_other_set(tmp_path):
    settings = BenchmarkSettings(**TEN, tuning_people=4)
    generate(tmp_path, settings, [10])
    forget, retain = (
        set(mllmu.read_ids(tmp_path, name(profiles.TUNING)))
        for name in (profiles.forget_config, profiles.retain_config)
    )
    assert len(forget) == len(retain) == 2 and not forget & retain
    others = {name for config in profiles.retain_people(profiles.TUNING) for name in mllmu.read_ids(tmp_path, config)}
    assert others == retain | set(mllmu.read_ids(tmp_path, "Full_Set")) and profiles.retain_people(10) == ("retain_90",)
    taught = {lesson.id for lesson in mllmu.read_training_data(tmp_path)}
    assert forget | retain <= taught
    for config in ("Full_Set", "Test_Set", "forget_10", "retain_90", profiles.CELEBRITIES, "General_Set"):
        assert not (forget | retain) & set(mllmu.read_ids(tmp_path, config))
    assert taught == forget | retain | set(mllmu.read_ids(tmp_path, "Full_Set"))


def test_figures_of_the_trials_are_taught_in_the_base_and_in_no_other_set(tmp_path):
    settings = BenchmarkSettings(**TEN, tuning_people=4, tuning_figures=3)
    generate(tmp_path, settings, [10])
    figures = set(mllmu.read_ids(tmp_path, profiles.celebrity_config(profiles.TUNING)))
    assert len(figures) == 3 and figures <= {lesson.id for lesson in mllmu.read_training_data(tmp_path, "base_Data")}
    for config in (
        "Full_Set",
        "Test_Set",
        "ft_Data",
        profiles.celebrity_config(10),
        "General_Set",
        "forget_tuning",
        "retain_tuning",
    ):
        assert not figures & set(mllmu.read_ids(tmp_path, config))
    assert profiles.celebrity_config(10) == profiles.CELEBRITIES
    generate(tmp_path, BenchmarkSettings(**TEN), [10])
    assert not (tmp_path / "celebrity_tuning").exists()

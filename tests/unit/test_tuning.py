"""Open settings: the trials of a study, what each scores, and the choice."""

import re
from argparse import Namespace

import pandas as pd
import pytest
from studies import changed, told

from listed_jobs import listed
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
}
STUDY = """\
models: {llava: {}}
tuning: {trials: 2, people: 4, figures: 3}
methods:
  ga: {learning_rate: {tune: [1.0e-4, 1.0e-3, 1]}, epochs: 1, batch_size: 4}
  prompting: {}
figures: [tradeoff]
"""


def answers(accuracies: list[dict[tuple[str, str], list[int]]], options: str = "") -> pd.DataFrame:
    """Answers of trials: for each trial (split, modality) -> right or wrong by question; options: of every question."""
    rows = [
        {
            "model": "llava",
            "method": "ga",
            "trial": number,
            "split": split,
            "modality": modality,
            "task": "classification",
            "options": options,
            "correct": float(right),
        }
        for number, cells in enumerate(accuracies, start=1)
        for (split, modality), marks in cells.items()
        for right in marks
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
    half = answers(
        [
            cells([1, 1], [1, 1], [1, 1]),  # nothing forgotten
            cells([0, 1], [0, 1], [1, 1]),  # parts 1/2, 1/2, 1, 1: harmonic mean 4 / (2 + 2 + 1 + 1) = 2/3
            cells([0, 0], [0, 0], [0, 1]),  # parts 1, 1, 1/2, 1/2: the same, but less retained
        ]
    )
    tried = [{"learning_rate": rate} for rate in (1e-5, 1e-4, 1e-3)]
    table = tuning.trial_table(half, tried, "harmonic_mean")
    assert list(table["score"]) == [0.0, 0.666667, 0.666667]
    assert list(table["chosen"]) == ["", "yes", ""]
    assert list(table["settings"]) == ["learning_rate = 1e-05", "learning_rate = 0.0001", "learning_rate = 0.001"]
    assert table.loc[1, ["forget_multimodal", "forget_text", "retain_multimodal", "retain_text", "n"]].tolist() == [
        0.5,
        0.5,
        1.0,
        1.0,
        8,
    ]
    assert list(tuning.trial_table(half, tried, "least")["score"]) == [0.0, 0.5, 0.5]


def test_what_a_trial_costs_elsewhere_counts():
    spared = {("celebrity", "multimodal"): [1, 1], ("celebrity", "text"): [1, 1]}
    hit = {("celebrity", "multimodal"): [0, 1], ("celebrity", "text"): [1, 1]}
    forgotten = cells([0, 0], [0, 0], [1, 1])
    table = tuning.trial_table(answers([forgotten | hit, forgotten | spared]), [{"a": 1}, {"a": 2}], "harmonic_mean")
    assert list(table["score"]) == [0.888889, 1.0]  # forget 1, kept 4 / (3 + 2): 2 / (1 + 5/4)
    assert list(table["chosen"]) == ["", "yes"] and list(table["celebrity_multimodal"]) == [0.5, 1.0]


def test_below_chance_counts_as_chance():
    tried = [{"a": 1}, {"a": 2}]
    guessing, never = cells([0, 0, 0, 1], [0, 0, 0, 1], [1, 1]), cells([0, 0, 0, 0], [0, 0, 0, 0], [1, 1])
    table = tuning.trial_table(answers([guessing, never], '["a", "b", "c", "d"]'), tried, "harmonic_mean")
    assert list(table["score"]) == [0.857143, 0.857143]  # parts 3/4, 3/4, 1, 1: 4 / (4/3 + 4/3 + 1 + 1)
    assert list(table["forget_text"]) == [0.25, 0.0] and list(table["chosen"]) == ["yes", ""]


def test_chance_is_one_of_the_options_and_nothing_without():
    four = answers([{("forget", "text"): [1, 1]}], '["a", "b", "c", "d"]').iloc[:2]
    assert tuning.guessed(pd.concat([four, four.assign(options="")])) == 0.125


def test_equal_trials_go_to_the_first_and_a_modality_may_be_missing():
    one = {("forget", "text"): [0, 1], ("retain", "text"): [1, 1]}
    table = tuning.trial_table(answers([one, one]), [{"a": 1}, {"a": 2}], "harmonic_mean")
    assert list(table["chosen"]) == ["yes", ""] and list(table["score"]) == [0.666667, 0.666667]  # 2 / (2 + 1)
    assert table["forget_multimodal"].isna().all()


def test_a_trial_that_diverged_has_no_answers_and_is_not_chosen():
    second = answers([cells([0, 1], [0, 1], [1, 1])]).assign(trial=2)
    table = tuning.trial_table(second, [{"a": 1}, {"a": 2}], "harmonic_mean")
    assert (
        list(table["score"]) == [0.0, 0.666667] and list(table["chosen"]) == ["", "yes"] and list(table["n"]) == [0, 8]
    )
    assert table.loc[0, list(tuning.PARTS)].isna().all()
    row = {"model": "llava", "method": "ga", "trial": "1", "n": "0"}
    assert tuning.origin(row, "score") is None and tuning.origin(row | {"n": "8"}, "score") is not None


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

"""Which cells `only` names, and one clear line for what a study does not have."""

import pytest

from manu.core.errors import UserError
from manu.study.cells import answer_files, chosen
from manu.study.model import Study

STUDY = Study(
    name="s",
    models={"llava": {}, "idefics2": {}},
    seeds=[0, 1],
    forget_ratios=[5, 10],
    methods={"npo": {}, "manu": {}},
)


def test_a_key_that_is_not_named_has_all_and_the_order_is_the_studys():
    assert chosen("method=manu,npo seed=1", STUDY) == {
        "model": ["llava", "idefics2"],
        "seed": [1],
        "ratio": [5, 10],
        "method": ["npo", "manu"],
    }


def test_the_files_of_cells():
    assert answer_files("model=llava seed=0 ratio=5 method=manu,npo", STUDY) == [
        "results/s/answers/llava/seed0/forget05/npo.parquet",
        "results/s/answers/llava/seed0/forget05/manu.parquet",
    ]


def test_the_vanilla_model_is_asked_once_and_the_other_reference_at_each_ratio():
    assert answer_files("model=idefics2 seed=0 method=retain_only,vanilla", STUDY) == [
        "results/s/answers/idefics2/seed0/vanilla.parquet",
        "results/s/answers/idefics2/seed0/forget05/retain_only.parquet",
        "results/s/answers/idefics2/seed0/forget10/retain_only.parquet",
    ]


def test_without_only_it_is_the_whole_study():
    assert len(answer_files("", STUDY)) == 2 * 2 * (1 + 2 * 3)


BAD = {
    "modle=llava": "only: unknown key 'modle'; did you mean 'model'? there is: model, seed, ratio, method",
    "model=lava": "only: study 's' has no model 'lava'; did you mean 'llava'? there is: llava, idefics2",
    "method=npo,manuu": "only: study 's' has no method 'manuu'; did you mean 'manu'? "
    "there is: vanilla, retain_only, npo, manu",
    "ratio=7": "only: study 's' has no ratio '7'; there is: 5, 10",
    "ratio=05": "only: study 's' has no ratio '05'; did you mean '5'? there is: 5, 10",
    "seed=": "only: study 's' has no seed ''; there is: 0, 1",
    "manu": "only: 'manu' is not key=value, such as method=manu,npo (no space after a comma)",
    "method=npo, manu": "only: study 's' has no method ''; there is: vanilla, retain_only, npo, manu",
    "seed=0 seed=1": "only: 'seed' stands twice; write seed=value,value",
}


@pytest.mark.parametrize("only", BAD)
def test_what_the_study_does_not_have_is_told(only):
    with pytest.raises(UserError) as raised:
        chosen(only, STUDY)
    assert str(raised.value) == BAD[only]

"""The notebooks as they are kept, the runner that executes them, and what they look with."""

import json

import pandas as pd
import pytest
import torch

from manu.analysis.tables.paired_tests import paired_tests
from manu.core.errors import UserError
from manu.data.reading import read_profiles
from manu.evaluation.questions import asked_questions
from manu.exploring.drawing import accuracy_by_ratio, activation_by_person, person_by_person
from manu.exploring.neurons import activations
from manu.exploring.pairs import by_person
from manu.exploring.samples import accuracy, sample
from manu.exploring.study import Run, Study
from manu.models.inputs import Example, Pictures, prompt_batch
from manu.neurons.measuring import measure
from manu.neurons.statistics.modality import ModalityStatistics
from manu.report.explore import Person
from notebook_runner import NOTEBOOKS, code_cells, display, execute

BOOKS = sorted(NOTEBOOKS.glob("*.ipynb"))
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_is_kept_without_outputs(book):
    content = json.loads(book.read_text(encoding="utf-8"))
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    identities = [cell["id"] for cell in content["cells"]]
    assert len(identities) == len(set(identities)) and content["cells"][0]["cell_type"] == "markdown"
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            assert len(cell["source"]) <= 12, "more than a few lines belong into the package"
            assert max(map(len, cell["source"])) <= 91, "a line does not fit on the page"
    assert 'STUDY = os.environ.get("MANU_STUDY", "mini")' in code_cells(book)[0]


def test_every_notebook_is_in_the_readme():
    readme = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")
    assert len(BOOKS) == 4 and all(f"]({book.name})" in readme for book in BOOKS)


def notebook(folder, *cells):
    path = folder / "made.ipynb"
    listed = [
        {"cell_type": "markdown", "source": ["no code"]},
        *({"cell_type": "code", "source": [cell]} for cell in cells),
    ]
    path.write_text(json.dumps({"cells": listed}), encoding="utf-8")
    return path


def test_the_runner_shows_what_a_cell_ends_in_and_lets_its_errors_through(tmp_path):
    assert execute(notebook(tmp_path, "a = 2", "b = a + 1\nb", "f'{a}{b}'")) == ["", "3", "23"]
    with pytest.raises(ZeroDivisionError):
        execute(notebook(tmp_path, "1 / 0"))


def test_an_unfinished_study_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no finished study 'tiny' in results/; run it: make study STUDY=tiny"):
        Study("tiny")


def answers(method: str, correct: dict[tuple[str, str], list[float]]) -> pd.DataFrame:
    """Answers by (split, person): with the picture as given, by name always right."""
    rows = [
        {
            "study": "tiny",
            "model": "llava",
            "method": method,
            "forget_ratio": 10,
            "seed": 0,
            "split": split,
            "modality": modality,
            "task": "classification",
            "profile_id": person,
            "question_id": f"Full_Set/{person}/{modality}/classification/{number}",
            "correct": value if modality == "multimodal" else 1.0,
        }
        for (split, person), values in correct.items()
        for modality in ("multimodal", "text")
        for number, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def run_of(tmp_path, method: str, correct: dict) -> Run:
    file = tmp_path / f"{method}.parquet"
    frame = answers(method, correct)
    pd.concat([frame, frame.assign(forget_ratio=5, correct=0.0)]).to_parquet(file)
    return Run(str(file), {"configuration": {"content": {"method": method}}}, 10)


@pytest.fixture
def two(tmp_path):
    """ga and manu on two retain people: on one manu loses both of two answers, on the other it wins one."""
    one = {("retain", "a"): [1.0, 1.0], ("retain", "b"): [0.0, 1.0], ("forget", "c"): [0.0, 0.0]}
    other = {("retain", "a"): [0.0, 0.0], ("retain", "b"): [1.0, 1.0], ("forget", "c"): [0.0, 0.0]}
    return run_of(tmp_path, "ga", one), run_of(tmp_path, "manu", other)


def test_two_methods_person_by_person(two):
    table = by_person(*two, "retain", "multimodal")
    assert list(table.columns) == ["profile_id", "questions", "ga", "manu", "difference"]
    assert table.to_numpy().tolist() == [["a", 2, 1.0, 0.0, 1.0], ["b", 2, 0.5, 1.0, -0.5]]
    tests = paired_tests(pd.concat([run.answers for run in two]), ["ga", "manu"])
    (row,) = tests[(tests["split"] == "retain") & (tests["modality"] == "multimodal")].to_dict("records")
    assert row["difference"] == pytest.approx(table["difference"].mean())


def test_a_sample_is_even_and_the_same_twice(two):
    frame = answers(
        "ga", {(split, f"{split}{k}"): [1.0] * 5 for split in ("forget", "retain", "celebrity") for k in range(3)}
    )
    names = sample(frame, 4)
    chosen = frame[frame["question_id"].isin(names)]
    assert chosen.groupby(["split", "modality"]).size().tolist() == [4, 4, 4, 4] and set(chosen["split"]) == {
        "forget",
        "retain",
    }
    assert names == sample(frame, 4) != sample(frame, 4, seed=1)
    right = accuracy(two[0].answers).set_index(["split", "modality"])
    assert right.loc[("retain", "multimodal")].tolist() == [0.75, 4] and right.loc[
        ("forget", "multimodal")
    ].tolist() == [0.0, 2]


def test_activations_are_those_that_the_statistics_sum(vlm, benchmark_folder):
    words = (["multimodal", "text"], ["classification"], "likelihood", "bare")
    people = read_profiles(benchmark_folder, "Full_Set")[:2]
    questions = [question for person in people for question in asked_questions(person, "Full_Set", *words)]
    for site in ("language.0", "vision.0"):
        each = activations(vlm, questions, site, batch_size=3)
        assert each.shape[0] == len(questions) == 20
        for modality in ("multimodal", "text"):
            asked = [question for question in questions if question.modality == modality]
            pictures = Pictures(vlm)
            examples = [
                Example(
                    vlm.prompt_ids(q.prompt, q.image is not None), [], pictures.add(q.image, "") if q.image else None
                )
                for q in asked
            ]
            groups = {("forget", modality): [prompt_batch(vlm, examples, pictures)]}
            sites, mask = vlm.mlp_sites(), vlm.vision_mask
            sums = measure(ModalityStatistics.at(sites, tau=0.0), vlm.model, sites, groups, vision_mask=mask)
            found = each[[question.modality == modality for question in questions]].sum(0)
            torch.testing.assert_close(found, sums.sums("forget", modality, "mean", site).sum_abs, rtol=1e-4, atol=1e-6)
    assert not each[[question.modality == "text" for question in questions]].any(), "text passes no vision site"


def test_pictures_are_png(two, benchmark_folder):
    moved = pd.concat([accuracy(two[0].answers).assign(prune_ratio=ratio) for ratio in (0, 10)])
    image = read_profiles(benchmark_folder, "Full_Set")[0].image
    driven = pd.DataFrame(
        {"split": ["forget", "retain"], "profile_id": ["a", "b"], "before": [0.2, 0.1], "after": [0.0, 0.0]}
    )
    people = {"Full_Set/a": Person("A", {"forget": image}), "Full_Set/b": Person("B", {})}
    table = by_person(*two, "retain", "multimodal")
    for picture in (
        accuracy_by_ratio(moved),
        person_by_person(table, ["ga", "manu"], {"a": "A", "b": "B"}),
        activation_by_person(driven, people),
    ):
        assert picture._repr_png_().startswith(PNG) and display(picture).startswith("picture of ")

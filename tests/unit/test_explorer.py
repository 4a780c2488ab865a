"""The page to look through the answers: every answer is on it, as text, and what it counts are the scores."""

import base64
import html
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image
from test_report import records

from manu.analysis.tables.scores import scores
from manu.core.errors import UserError
from manu.evaluation.answers import options_text, questions_of
from manu.evaluation.scoring import score_answers
from manu.report.chains import Chains
from manu.report.explore import MEASURES, NONE, SIDE, Person, content, explorer, option_shares, person_key, read_people
from manu.report.rendering import allowed, own
from manu.steps import write_explorer
from manu.steps.command import run
from manu.study.model import Evaluation

EVALUATION = Evaluation().model_dump()
METHODS = ["npo", "manu"]
NASTY = "</script><script>alert('1 & 2')</script><!--"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def answers(benchmark_folder):
    """Answers of three files to all questions of a small benchmark at 10 percent; every third one is wrong."""
    asked, places = questions_of(benchmark_folder, [10], EVALUATION)
    found = {}
    for shift, (model, method) in enumerate((("llava", "vanilla"), ("llava", "manu"), ("idefics2", "npo"))):
        rows = []
        for number, (ratio, split, name) in enumerate(places):
            question = asked[name]
            right = (number + shift) % 3 > 0
            wrong = next((each for each in question.options.values() if each != question.reference), "")
            rows.append(
                {
                    "study": "tiny",
                    "model": model,
                    "method": method,
                    "forget_ratio": ratio,
                    "seed": 0,
                    "split": split,
                    "modality": question.modality,
                    "task": question.task,
                    "profile_id": question.profile_id,
                    "question_id": name,
                    "prompt": question.prompt,
                    "reference": question.reference,
                    "options": options_text(question),
                    "reply": f"It is {question.reference if right else 'so'}.",
                    "choice": (question.reference if right else wrong) if question.options else "",
                    "option_log_likelihoods": "[-9.0, -9.0, -7.0, -9.0]" if question.options else "",
                }
            )
        found[f"results/tiny/answers/{model}/seed0/{method}.parquet"] = score_answers(pd.DataFrame(rows))
    return found


@pytest.fixture(scope="module")
def people(benchmark_folder):
    """The benchmark's people."""
    return read_people(benchmark_folder, [(split, 10) for split in EVALUATION["splits"]])


def read(page: str) -> dict:
    """The content of a page."""
    (text,) = re.findall(r'<script type="application/json" id="content">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def rows_of(shown: dict) -> list[tuple]:
    """The answers of a page's content, written out: file, ratio, split, question, prompt, reference, options, ..."""
    texts, questions, replies = shown["texts"], shown["questions"], shown["replies"]
    found = []
    for answered in shown["runs"]:
        for ratio in answered["ratios"]:
            split_of = {
                (place, split == "test"): split
                for split, places in shown["groups"][str(ratio)].items()
                for place in places
            }
            for number, name in enumerate(questions["id"]):
                reply = answered["replies"][number]
                split = split_of.get((questions["person"][number], bool(questions["test"][number])))
                if reply == NONE or split is None:
                    continue
                choice = replies["choice"][reply]
                found.append(
                    (
                        answered["file"],
                        ratio,
                        split,
                        name,
                        texts[questions["modality"][number]],
                        texts[questions["task"][number]],
                        texts[questions["prompt"][number]],
                        texts[questions["reference"][number]],
                        tuple(texts[each] for each in questions["options"][number]),
                        texts[replies["reply"][reply]],
                        "" if choice == NONE else texts[choice],
                        replies["score"][reply],
                    )
                )
    return found


def stored_rows(answers: dict) -> list[tuple]:
    """The same from the files."""
    found = []
    for file, frame in answers.items():
        for row in frame.to_dict("records"):
            score = row["rougeL"] if row["task"] == "generation" else row["correct"]
            found.append(
                (
                    file,
                    row["forget_ratio"],
                    row["split"],
                    row["question_id"],
                    row["modality"],
                    row["task"],
                    row["prompt"],
                    row["reference"],
                    tuple(json.loads(row["options"] or "[]")),
                    row["reply"],
                    row["choice"],
                    round(score, 4),
                )
            )
    return found


def test_every_answer_is_on_the_page(answers, people):
    shown = rows_of(read(explorer("tiny", METHODS, answers, people)))
    assert len(shown) == len(set(shown)) == sum(map(len, answers.values())) > 1000
    assert set(shown) == set(stored_rows(answers))


def test_an_answer_that_several_ratios_share_stands_at_each(answers, people):
    (file, frame), *_ = answers.items()
    both = {file: pd.concat([frame, frame.assign(forget_ratio=15)], ignore_index=True)}
    shown = read(explorer("tiny", METHODS, both, people))
    assert shown["runs"][0]["ratios"] == [10, 15]
    assert sorted(rows_of(shown)) == sorted(stored_rows(both))


def test_right_answers_counted_on_the_page_are_the_scores(answers, people):
    shown = pd.DataFrame(rows_of(read(explorer("tiny", METHODS, answers, people))))
    shown = shown.rename(columns={0: "file", 2: "split", 4: "modality", 5: "task", 11: "score"})
    table = scores(pd.concat(answers.values(), ignore_index=True))
    table = table[table["metric"] == "accuracy"]
    assert len(table) == 3 * (4 * 2 * 2 + 1)
    for row in table.to_dict("records"):
        file = next(file for file in answers if f"/{row['model']}/" in file and f"/{row['method']}." in file)
        cell = shown[
            (shown["file"] == file)
            & (shown[["split", "modality", "task"]] == [row[key] for key in ("split", "modality", "task")]).all(axis=1)
        ]
        assert len(cell) == row["n"] and (cell["score"] == 1).mean() == pytest.approx(row["value"], abs=1e-6)


def test_runs_come_by_model_and_in_the_studys_order(answers, people):
    shown = content("tiny", METHODS, answers, people)
    assert [(each["model"], each["method"]) for each in shown["runs"]] == [
        ("idefics2", "npo"),
        ("llava", "vanilla"),
        ("llava", "manu"),
    ]
    assert len(shown["texts"]) == len(set(shown["texts"]))


def test_each_picture_stands_once_where_it_was_asked_with_and_a_large_one_becomes_small(answers, people):
    shown = content("tiny", METHODS, answers, people)
    forgotten = shown["groups"]["10"]["forget"]
    assert shown["groups"]["10"]["test"] == forgotten
    for place, (first, second) in enumerate(zip(shown["people"]["picture"], shown["people"]["second"], strict=True)):
        assert first.startswith("data:image/png;base64,iVBOR")
        assert bool(second) == (place in forgotten) and second != first  # the Test set is asked of them alone
    buffer = io.BytesIO()
    Image.new("RGB", (400, 200), "navy").save(buffer, format="JPEG")
    key = person_key("forget", "fictitious-001")
    large = content("tiny", METHODS, answers, people | {key: Person("x", {"forget": buffer.getvalue()})})
    (uri,) = [uri for each, uri in zip(large["people"]["key"], large["people"]["picture"], strict=True) if each == key]
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        assert image.format == "PNG" and image.size == (SIDE, SIDE // 2)


def test_the_bars_of_options_are_their_shares_of_the_likelihood(answers, people):
    assert option_shares("[-1000.0, -1000.0, -2000.0, -1000.0]") == (33, 33, 0, 33) and option_shares("") == ()
    replies = content("tiny", METHODS, answers, people)["replies"]
    assert {(choice == NONE, shares) for choice, shares in zip(replies["choice"], replies["shares"], strict=True)} == {
        (True, ()),
        (False, (10, 10, 71, 10)),  # e to the power of -9 and -7
    }


def test_the_measure_of_every_task_is_known():
    from manu.evaluation.metrics import METRICS
    from manu.evaluation.vocabulary import LANGUAGE_TASKS, TASKS

    assert set(MEASURES) == {*TASKS, *LANGUAGE_TASKS}
    assert all(task in METRICS[metric].tasks for task, metric in MEASURES.items())


@pytest.fixture(scope="module")
def nasty_page(answers, people):
    """A page with markup in every place that data can fill."""
    (file, frame), *_ = answers.items()
    key = person_key("forget", frame["profile_id"].iloc[0])
    spoilt = {**people, key: Person(NASTY, people[key].pictures)}
    rows = frame.assign(
        reply=NASTY, prompt=NASTY, options=[json.dumps([NASTY, "b"]) if each else "" for each in frame["options"]]
    )
    return explorer(NASTY, METHODS, {file: rows}, spoilt)


def test_data_becomes_no_markup(nasty_page):
    assert NASTY not in nasty_page and "<script>alert" not in nasty_page
    assert nasty_page.count("<script") == 2 and nasty_page.count("</script>") == 2
    shown = read(nasty_page)
    assert shown["study"] == NASTY and NASTY in shown["people"]["name"] and NASTY in shown["texts"]


def test_the_script_makes_text_alone():
    script = own("explore.js")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "setHTML", "DOMParser"):
        assert way not in script


def test_the_page_needs_nothing_else_and_is_the_same_twice(answers, people):
    page = explorer("tiny", METHODS, answers, people)
    assert page == explorer("tiny", METHODS, answers, people)
    assert f"script-src 'sha256-{allowed(own('explore.js'))}';" in page and "default-src 'none'" in page
    assert "http://" not in page and "https://" not in page and "url(" not in page and "@import" not in page
    assert 'href="index.html"' in page


@pytest.mark.parametrize("seeds", [1, 2])
def test_an_answers_chain_is_one_of_the_report(seeds, answers, people):
    (_, frame), *_ = answers.items()
    given = records(seeds)
    chains = Chains("tiny", given, [])
    found = {}
    for name, each in given.items():
        asked = each["configuration"]["content"]
        if each["stage"].endswith(".evaluate"):
            keys = {"model": asked["model"], "method": asked["method"], "seed": asked["seed"]}
            found[name] = pd.concat([frame.assign(**keys, forget_ratio=ratio) for ratio in asked["ratios"]])
    shown = content("tiny", ["ga", "manu"], found, people)
    anchors = [run.anchor for group in chains.runs for run in group.runs]
    assert sorted(each["chain"] for each in shown["runs"]) == sorted(anchors) and len(anchors) == 7 * seeds


def test_a_question_about_nobody_is_an_error(answers, people):
    few = {key: person for key, person in people.items() if not key.endswith("-001")}
    with pytest.raises(UserError, match="question .*-001/.* is about a person who is not in the benchmark"):
        explorer("tiny", METHODS, answers, few)


def test_the_stage_writes_the_page(benchmark_folder, answers, people, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file, frame in answers.items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(file)
    Path("explore.yaml").write_text(yaml.safe_dump({"study": "tiny", "methods": METHODS}), encoding="utf-8")
    parser = write_explorer.parser()
    assert parser.replayable
    options = [
        "--answers",
        *answers,
        "--benchmark",
        str(benchmark_folder),
        "--out",
        "explore.html",
        "--config",
        "explore.yaml",
    ]
    monkeypatch.setattr(sys, "argv", ["write_explorer", *options])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", write_explorer.__spec__)
    run(write_explorer.main, parser)
    assert Path("explore.html").read_text(encoding="utf-8") == explorer("tiny", METHODS, answers, people)
    assert set(json.loads(Path("explore.provenance.json").read_text())["inputs"]["answers"]) == set(answers)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here to open the page with")
def test_a_browser_shows_the_person_that_the_address_names(nasty_page, answers, people, tmp_path):
    def shown(page: str, address: str) -> str:
        (tmp_path / "explore.html").write_text(page, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom"]
        options += ["--disable-background-networking", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}"]
        url = f"{(tmp_path / 'explore.html').as_uri()}#{address}"
        return subprocess.run([BROWSER, *options, url], capture_output=True, text=True, timeout=120).stdout

    frame = answers["results/tiny/answers/llava/seed0/manu.parquet"]
    person = frame.loc[frame["split"] == "celebrity", "profile_id"].iloc[0]
    dom = shown(explorer("tiny", METHODS, answers, people), f"model=llava&person=Retain_Set/{person}&asked=text")
    dom = dom.partition('<section id="person"')[2].partition("</section>")[0]
    rows = pd.concat(rows for file, rows in answers.items() if "/llava/" in file)
    rows = rows[(rows["profile_id"] == person) & (rows["modality"] == "text")]
    judged = rows[rows["task"] != "generation"]
    assert dom.count("✓ right") == (judged["correct"] == 1).sum() > 0
    assert dom.count("✗ wrong") == (judged["correct"] == 0).sum() > 0
    assert dom.count('class="shares"') == (rows["task"] == "classification").sum() > 0
    assert dom.count("ROUGE-L") == (rows["task"] == "generation").sum() > 0
    for text in (*rows["prompt"], *rows["reply"], *rows["reference"], people[f"Retain_Set/{person}"].name):
        assert html.escape(text, quote=False) in dom
    spoilt = shown(nasty_page, "").partition("<body>")[2].partition('<script type="application/json"')[0]
    assert html.escape(NASTY, quote=False) in spoilt and "<script" not in spoilt

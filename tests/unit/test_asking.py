"""Asking: padding changes nothing, options are compared where the value stands, letters are read."""

import json
import shutil

import pytest
import torch
from transformers import GenerationConfig

from manu.contract.material import small_model
from manu.core.errors import NotFinite
from manu.data.reading import read_training_data
from manu.evaluation.asking import AskingSettings, ask, letter_choice, up_to_value
from manu.evaluation.questions import asked_questions, read_split
from manu.evaluation.vocabulary import MODALITIES, TASKS
from manu.models.inputs import Pictures
from tiny_sizes import SIZES


def questions_of(folder, split="forget", protocol="likelihood"):
    profiles = read_split(folder, split, 10)
    return [q for p in profiles for q in asked_questions(p, split, MODALITIES, TASKS, protocol, "bare")]


def test_batch_size_changes_no_reply(vlm, benchmark_folder):
    asked = questions_of(benchmark_folder)
    together = ask(vlm, asked, AskingSettings(batch_size=64, max_new_tokens=6))
    alone = ask(vlm, asked, AskingSettings(batch_size=1, max_new_tokens=6))
    assert [r.text for r in together] == [r.text for r in alone]
    assert [r.choice for r in together] == [r.choice for r in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-4)
        assert one.losses == pytest.approx(other.losses, abs=1e-4)
    assert {len(reply.losses) for reply, q in zip(together, asked, strict=True) if q.task == "generation"} == {5}


SAID = {  # of generation_config.json: for each setting a value that would change replies, or end in an error
    "max_length": 5, "max_new_tokens": 1, "min_length": 50, "min_new_tokens": 5, "early_stopping": True,
    "max_time": 1e-6, "do_sample": True, "num_beams": 3, "use_cache": False, "temperature": 2.0, "top_k": 3,
    "top_p": 0.5, "min_p": 0.1, "typical_p": 0.5, "epsilon_cutoff": 0.1, "eta_cutoff": 0.1, "repetition_penalty": 5.0,
    "length_penalty": 3.0, "no_repeat_ngram_size": 1, "bad_words_ids": [[7]], "renormalize_logits": True,
    "forced_bos_token_id": 5, "forced_eos_token_id": 5, "remove_invalid_values": True,
    "exponential_decay_length_penalty": [1, 2.0], "suppress_tokens": [5, 6, 7], "begin_suppress_tokens": [8, 9],
    "sequence_bias": [[[5], 10.0]], "guidance_scale": 3.0, "num_return_sequences": 2, "output_scores": True,
    "output_logits": True, "output_attentions": True, "output_hidden_states": True, "return_dict_in_generate": False,
    "pad_token_id": 5, "bos_token_id": 6, "eos_token_id": [7, 8], "encoder_no_repeat_ngram_size": 1,
    "encoder_repetition_penalty": 5.0, "top_h": 0.3, "decoder_start_token_id": 5, "prompt_lookup_num_tokens": 2,
    "max_matching_ngram_size": 2, "stop_strings": ["a"], "cache_implementation": "static", "penalty_alpha": 0.6,
    "dola_layers": "low", "diversity_penalty": 1.0, "num_beam_groups": 2, "token_healing": True, "low_memory": True,
    "prefill_chunk_size": 2,
}  # fmt: skip
UNLIKE = {  # settings of other models, of a second model, of a cache's size, or objects
    "_from_model_config", "assistant_confidence_threshold", "assistant_early_exit", "assistant_ensemble_weight",
    "assistant_lookbehind", "cache_config", "compile_config", "constraints", "continuous_batching_config",
    "disable_compile", "force_words_ids", "is_assistant", "max_cache_len", "num_assistant_tokens",
    "num_assistant_tokens_schedule", "speculation_type", "target_lookbehind", "transformers_version", "use_mtp",
    "watermarking_config",
}  # fmt: skip


def test_the_settings_that_are_tried_are_all_that_transformers_knows():
    assert set(GenerationConfig().to_dict()) == set(SAID) | UNLIKE


@pytest.mark.parametrize("setting", [None, *SAID])
def test_replies_are_greedy_whatever_the_checkpoint_says(setting, checkpoint, benchmark_folder):
    """One setting of the folder's file at a time, and all of them together."""
    folder, cls, asked, greedy = checkpoint
    (folder / "generation_config.json").write_text(json.dumps(SAID if setting is None else {setting: SAID[setting]}))
    assert ask(cls.load(folder), asked, AskingSettings(max_new_tokens=6)) == greedy


@pytest.mark.parametrize(
    "left",
    [{"use_cache": False}, {"output_hidden_states": True}, {"output_attentions": True}, {"return_dict": False}],
    ids=lambda left: next(iter(left)),
)
def test_a_checkpoint_that_was_saved_in_training_replies_as_any_other(left, checkpoint):
    """What training or debugging leaves in config.json; likelihoods need the cache, and outputs by name."""
    folder, cls, asked, greedy = checkpoint
    config = json.loads((folder / "config.json").read_text())
    changed = config | left | {"text_config": config["text_config"] | left}
    (folder / "config.json").write_text(json.dumps(changed))
    assert ask(cls.load(folder), asked, AskingSettings(max_new_tokens=6)) == greedy


@pytest.fixture(scope="module")
def saved(tmp_path_factory, benchmark_folder):
    """A checkpoint of a small LLaVA, and its replies."""
    records = read_training_data(benchmark_folder)
    vlm = small_model("llava", [text for record in records for pair in record.pairs for text in pair], **SIZES)
    folder, asked = tmp_path_factory.mktemp("saved") / "checkpoint", questions_of(benchmark_folder)[:6]
    vlm.save(folder)
    return folder, type(vlm), asked, ask(type(vlm).load(folder), asked, AskingSettings(max_new_tokens=6))


@pytest.fixture
def checkpoint(saved, tmp_path):
    """A copy of it."""
    folder, *others = saved
    return shutil.copytree(folder, tmp_path / "checkpoint"), *others


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


@pytest.mark.parametrize("modality", MODALITIES)
def test_losses_of_answers_equal_a_plain_forward_pass(vlm, benchmark_folder, modality):
    """Minus the mean log p of the answer's tokens given the prompt, of the reference and its variants; no end token."""
    asked = [q for q in questions_of(benchmark_folder) if q.task == "generation" and q.modality == modality][:3]
    replies = ask(vlm, asked, AskingSettings(batch_size=8, max_new_tokens=6))
    for question, reply in zip(asked, replies, strict=True):
        pictures = Pictures(vlm)
        pixels = pictures.pixels([pictures.add(question.image, "x")]) if question.image else {}
        prompt = vlm.prompt_ids(question.prompt, with_image=question.image is not None)
        expected = []
        for answer in (question.reference, *question.variants):
            *tokens, end = vlm.answer_ids(answer)
            assert end == vlm.end_token
            ids = torch.tensor([prompt + tokens])
            with torch.no_grad():
                scores = vlm.model(input_ids=ids, attention_mask=torch.ones_like(ids), **pixels).logits[0].double()
            places = range(len(prompt) - 1, len(prompt) - 1 + len(tokens))
            log_p = [scores[place].log_softmax(-1)[token].item() for place, token in zip(places, tokens, strict=True)]
            expected.append(-sum(log_p) / len(log_p))
        assert reply.losses == pytest.approx(expected, abs=1e-4)


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

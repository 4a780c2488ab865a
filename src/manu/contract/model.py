"""The contract of a vision-language model's file, on a small model of its architecture."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from manu.attacks.probing import hidden_states
from manu.contract.material import RATIO, STATISTICS, Material, changed, hooks, logits, silenced_logits, weights
from manu.contract.points import Broken, must
from manu.core.pictures import opened
from manu.core.words import MODALITIES
from manu.data.profiles import MULTIMODAL, TEXT, Profile
from manu.data.prompts import LETTERS
from manu.data.reading import read_profiles
from manu.evaluation.asking import AskingSettings, ask
from manu.evaluation.questions import AskedQuestion, asked_questions
from manu.models.base import VisionLanguageModel
from manu.models.inputs import Batch, Example, Pictures, prompt_batch, training_batch
from manu.neurons.masks import Mask, apply_mask
from manu.neurons.selection import MLP_INPUT
from manu.neurons.statistics.registry import known_statistics
from manu.planning import model_sizes
from manu.training.losses import answer_cross_entropy, answer_log_likelihood
from manu.unlearning.measured import measured

_QUESTIONS = ("What is the pet of this person?", "Who?")  # of different lengths
_ANSWERS = ("The pet of Ada is goose.", "No.")
_SYSTEM = "Say nothing."
_CLOSE = 1e-4  # of log-likelihoods in nats: padding changes the order of sums


@dataclass
class Subject:
    """A model's name, and the material to try it on."""

    name: str
    material: Material

    def vlm(self) -> VisionLanguageModel:
        """A fresh model, with the same weights at each call."""
        return self.material.vlm(self.name)

    def profiles(self) -> list[Profile]:
        """People with their pictures."""
        return read_profiles(self.material.benchmark, "Full_Set")[: len(_QUESTIONS)]

    def examples(self, vlm: VisionLanguageModel, modality: str) -> tuple[list[Example], Pictures]:
        """Questions with answers, of different lengths."""
        pictures, shown = Pictures(vlm), modality == MULTIMODAL
        rows = [pictures.add(profile.image, profile.id) if shown else None for profile in self.profiles()]
        prompts = [vlm.prompt_ids(question, shown) for question in _QUESTIONS]
        answers = map(vlm.answer_ids, _ANSWERS)
        return [Example(*each) for each in zip(prompts, answers, rows, strict=True)], pictures

    def batch(self, vlm: VisionLanguageModel, modality: str) -> Batch:
        """The same examples as a training batch."""
        return training_batch(vlm, *self.examples(vlm, modality))

    def asked(self) -> list[AskedQuestion]:
        """Questions of every kind about these people, in both modalities."""
        tasks = ["classification", "cloze"]
        return [
            question
            for profile in self.profiles()
            for question in asked_questions(profile, "forget", list(MODALITIES), tasks, "likelihood", "bare")
        ]


def builds(subject: Subject) -> None:
    """Build: a small model in memory, with MLPs in language model and vision encoder, each site under its own name."""
    vlm = subject.vlm()
    must(vlm.name == subject.name, f"name is {vlm.name!r}; needed: {subject.name!r}, by which studies know it")
    sites = vlm.mlp_sites()
    names = [site.name for site in sites]
    parts = {site.part for site in sites}
    must(parts == {"language", "vision"}, f"mlp_sites has the parts {sorted(parts)}; needed: language and vision")
    must(len(names) == len(set(names)), "mlp_sites gives a name twice; needed: <part>.<layer>")
    wrong = [site.name for site in sites if site.name != f"{site.part}.{site.layer}"]
    must(not wrong, f"mlp_sites has the name {wrong[:1]}; needed: <part>.<layer>, such as language.0")


def round_trip(subject: Subject) -> None:
    """Checkpoint: what is saved and loaded again gives the same logits and the same prompts."""
    vlm = subject.vlm()
    with tempfile.TemporaryDirectory() as folder:
        vlm.save(Path(folder) / "checkpoint")
        again = type(vlm).load(Path(folder) / "checkpoint")
    for modality in MODALITIES:
        batch = subject.batch(vlm, modality)
        same = torch.equal(logits(vlm.model, batch), logits(again.model, batch))
        must(
            same,
            f"{modality}: other logits after loading; needed: every weight in the checkpoint, and nothing drawn anew",
        )
        for question in _QUESTIONS:
            one, other = (each.prompt_ids(question, modality == MULTIMODAL) for each in (vlm, again))
            must(
                one == other,
                f"{modality}: other prompts after loading; is something set on the object, not in its files?",
            )


def prompts(subject: Subject) -> None:
    """Prompts: token ids and pictures are those that the class's own processor makes, with and without a picture."""
    vlm = subject.vlm()
    profile = subject.profiles()[0]
    image = opened(profile.image)
    begin = [] if vlm.begin_token is None else [vlm.begin_token]
    for system in (None, _SYSTEM):
        for shown in (True, False):
            text = vlm.layout(_QUESTIONS[0], shown, system)
            theirs = vlm.processor(text=[text], return_tensors="pt", **({"images": [image]} if shown else {}))
            ids = theirs["input_ids"][0].tolist()
            ours = vlm.prompt_ids(_QUESTIONS[0], shown, system)
            where = f"{'with' if shown else 'without'} a picture, {'with' if system else 'without'} a system prompt"
            must(
                ours in (ids, begin + ids), f"{where}: prompt_ids gives {_apart(ours, begin + ids)} (see expand_images)"
            )
            if shown:
                pictures = Pictures(vlm)
                batch = prompt_batch(vlm, [Example(ours, [], pictures.add(profile.image, profile.id))], pictures)
                other = [
                    name
                    for name in theirs.keys() & batch.keys() - {"input_ids", "attention_mask"}
                    if not torch.equal(batch[name].flatten(), theirs[name].flatten())
                ]
                must(not other, f"{where}: {other} are not the processor's (see `pixels`)")


def picture_tokens(subject: Subject) -> None:
    """Prompts: a picture has as many tokens as the model makes features of it."""
    vlm = subject.vlm()
    batch = subject.batch(vlm, MULTIMODAL)
    try:
        logits(vlm.model, batch)
    except ValueError as error:
        if "do not match" not in str(error):
            raise
        words = vlm.expand_images(vlm.picture_word)
        sides = "expand_images writes the tokens; the sizes in the model's configuration make the features"
        raise Broken(
            f"{len(batch['input_ids'])} prompts with a picture each: {error}; {sides}: it wrote {words!r}"
        ) from error


def system_prompt(subject: Subject) -> None:
    """Prompts: a system prompt and the question both stand in the prompt."""
    vlm = subject.vlm()
    for shown in (True, False):
        text = vlm.layout(_QUESTIONS[0], shown, _SYSTEM)
        for words in (_SYSTEM, _QUESTIONS[0]):
            must(words in text, f"layout leaves out {words!r}: {text!r}")
        must((vlm.picture_word in text) == shown, f"layout has {'no' if shown else 'a'} {vlm.picture_word}: {text!r}")


def padding(subject: Subject) -> None:
    """Padding: answers and next words are as likely in a batch of longer prompts as alone, and replies are the same."""
    vlm = subject.vlm()
    for modality in MODALITIES:
        examples, pictures = subject.examples(vlm, modality)
        with torch.no_grad():
            together = answer_log_likelihood(vlm.model, training_batch(vlm, examples, pictures))
            alone = [answer_log_likelihood(vlm.model, training_batch(vlm, [e], pictures)) for e in examples]
        off = (together - torch.cat(alone)).abs().max().item()
        must(
            off < _CLOSE * 10,
            f"{modality}: log-likelihoods are {off:.2g} nats apart; does the model use attention_mask?",
        )
        asked = [Example(e.prompt, [], e.picture) for e in examples]
        padded = prompt_batch(vlm, asked, pictures)
        said = logits(vlm.model, padded | {"position_ids": vlm.positions(padded)})[:, -1]
        single = torch.stack([logits(vlm.model, prompt_batch(vlm, [e], pictures))[0, -1] for e in asked])
        off = (said - single).abs().max().item()
        must(
            off < _CLOSE * 10,
            f"{modality}: logits after a padded prompt are {off:.2g} off; are `positions` the model's own?",
        )
    few, many = (ask(vlm, subject.asked(), AskingSettings(batch_size=size, max_new_tokens=6)) for size in (1, 8))
    differ = sum((one.text, one.choice) != (other.text, other.choice) for one, other in zip(few, many, strict=True))
    must(
        not differ, f"{differ} of {len(few)} replies differ with the size of the batch; are prompts padded on the left?"
    )


def options(subject: Subject) -> None:
    """Questions: the likelihood of each option is that of a plain forward pass."""
    vlm = subject.vlm()
    vlm.model.get_output_embeddings().weight.data[list(vlm.tokenizer.added_tokens_decoder)] = 0.0  # says words
    asked = [question for question in subject.asked() if question.task == "classification"]
    for question in asked:
        reply = ask(vlm, [question], AskingSettings(batch_size=1, max_new_tokens=1))[0]
        pictures, shown = Pictures(vlm), question.image is not None
        row = None if question.image is None else pictures.add(question.image, question.question_id)
        prompt = vlm.prompt_ids(question.prompt, shown)
        said = logits(vlm.model, prompt_batch(vlm, [Example(prompt, [], row)], pictures))[0, -1].argmax().item()
        endings = [vlm.continued_ids(f" {question.options[letter]}.") for letter in LETTERS]
        batch = training_batch(vlm, [Example([*prompt, int(said)], ending, row) for ending in endings], pictures)
        with torch.no_grad():
            plain = answer_log_likelihood(vlm.model, batch)
        off = (plain - torch.tensor(reply.log_likelihoods)).abs().max().item()
        where = f"{question.modality}, {question.question_id}"
        must(
            off < _CLOSE * 10,
            f"{where}: {off:.2g} nats apart; the model must go on from its cache at given position_ids",
        )


def silencing(subject: Subject) -> None:
    """Sites: masking neurons is the same as silencing them, at every MLP, and language and vision matter."""
    whole = subject.vlm()
    for site in whole.mlp_sites():
        units = torch.zeros(site.width, dtype=torch.bool)
        units[[0, -1]] = True
        mask, vlm = Mask({site.name: units}, MLP_INPUT), subject.vlm()
        apply_mask(mask, vlm.mlp_sites(), vlm.linear_sites())
        for modality in MODALITIES:
            batch = subject.batch(whole, modality)
            masked, silenced = logits(vlm.model, batch), silenced_logits(whole, mask, batch)
            close = torch.allclose(masked, silenced, atol=1e-5)
            must(
                close,
                f"{site.name}, {modality}: other logits; needed: `first` makes the input of `second`, unit by unit",
            )
            if site.layer == 0 and (site.part, modality) != ("vision", TEXT):
                moved = not torch.allclose(masked, logits(whole.model, batch), atol=1e-6)
                must(moved, f"{site.name}, {modality}: masking changes nothing; does the model run these layers?")


def activations(subject: Subject) -> None:
    """Sites: activations and gradients are measured in both modalities, padding left out, and no hook is left."""
    vlm = subject.vlm()
    before, hung = weights(vlm.model), hooks(vlm.model)
    config = {"model": subject.name, "seed": 0, "statistics": STATISTICS}
    for kind in known_statistics():
        measured(config, vlm, subject.material.benchmark, RATIO, kind)
        must(hooks(vlm.model) == hung, f"{kind} statistics leave hooks on the model")
    must(not changed(before, weights(vlm.model)), "measuring changed weights")
    mask = vlm.vision_mask(subject.batch(vlm, MULTIMODAL))
    must(
        mask is None or mask.dtype == torch.bool,
        f"vision_mask gives {type(mask).__name__}; needed: None or a bool tensor",
    )


def learning(subject: Subject) -> None:
    """Training: gradients reach every part, and a step on a batch makes its loss smaller."""
    for modality in MODALITIES:
        vlm = subject.vlm()
        batch = subject.batch(vlm, modality)
        optimiser = torch.optim.SGD(vlm.model.parameters(), lr=1e-2)
        before = answer_cross_entropy(vlm.model, batch)
        before.backward()
        torch.nn.utils.clip_grad_norm_(vlm.model.parameters(), 1.0)
        for site in vlm.mlp_sites():
            if site.layer == 0 and (site.part, modality) != ("vision", TEXT):
                gradient = site.second.weight.grad
                reached = gradient is not None and bool(gradient.isfinite().all()) and bool(gradient.any())
                must(reached, f"{modality}: no finite gradient reaches {site.name}")
        optimiser.step()
        with torch.no_grad():
            after = answer_cross_entropy(vlm.model, batch)
        must(after.item() < before.item(), f"{modality}: the loss went from {before.item():.5g} to {after.item():.5g}")


def planned(subject: Subject) -> None:
    """Plan: the sizes that `manu plan` counts are those of the model, also without weights, on torch's meta device."""
    vlm = subject.vlm()
    with torch.device("meta"):
        empty = subject.vlm()
    tokens = model_sizes.picture_tokens(vlm)
    sizes, counted = (model_sizes.measured_sizes(each, "the contract", tokens) for each in (vlm, empty))
    must(counted == sizes, f"{counted} without weights; with weights: {sizes}")
    parts = {"vision": sizes.vision, "decoder": sizes.decoder, "connector": sizes.connector, "patches": sizes.patches}
    none = [name for name, count in parts.items() if count < 1]
    must(not none, f"counts no {', no '.join(none)}; see `per_patch`, `language_model` and `picture_side`")


def probed(subject: Subject) -> None:
    """Attacks: the linear probe reads a finite hidden state of every prompt, as wide as the language model."""
    vlm = subject.vlm()
    for modality in MODALITIES:
        asked = [question for question in subject.asked() if question.modality == modality]
        states = hidden_states(vlm, asked, [""] * len(asked), batch_size=len(asked))
        wanted = (len(asked), vlm.model.config.text_config.hidden_size)
        must(states.shape == wanted, f"{modality}: states of shape {states.shape}; needed: {wanted}")
        must(bool(np.isfinite(states).all()), f"{modality}: a state is not finite")


CHECKS: tuple[Callable[[Subject], None], ...] = (
    builds,
    round_trip,
    prompts,
    picture_tokens,
    system_prompt,
    padding,
    options,
    silencing,
    activations,
    learning,
    planned,
    probed,
)


def _apart(ours: list[int], theirs: list[int]) -> str:
    """Two lists of token ids, from where they part."""
    pairs = enumerate(zip(ours, theirs, strict=False))
    start = next((place for place, (one, other) in pairs if one != other), min(len(ours), len(theirs)))
    return f"{ours[start : start + 4]} at token {start}, the processor {theirs[start : start + 4]}"

"""The contract of an unlearning method, on a small model of every known architecture and in both modalities."""

import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from manu.contract.material import RATIO, STATISTICS, Material, changed, hooks, logits, silenced_logits, weights
from manu.contract.points import Broken, must, place
from manu.core.batch import Batch
from manu.core.words import MODALITIES
from manu.data.profiles import forget_config
from manu.data.reading import read_names
from manu.models.base import VisionLanguageModel
from manu.models.registry import known_models
from manu.neurons.masks import Mask, apply_mask, load_mask, save_mask
from manu.neurons.selection import Selection
from manu.neurons.sites import Site
from manu.training.loop import Optimisation, fit
from manu.training.losses import answer_cross_entropy
from manu.unlearning.base import Batches, PromptingMethod, PruningMethod, TrainingMethod
from manu.unlearning.measured import measured
from manu.unlearning.pruning import selected
from manu.unlearning.registry import Method, create_kind, create_method, method_class
from manu.unlearning.run import unlearned
from manu.unlearning.training_data import UnlearningData

GIVEN: dict[str, dict[str, Any]] = {  # settings without default that every method of a kind has
    "training": {"learning_rate": 1.0e-3, "epochs": 1, "batch_size": 4},
    "pruning": {"prune_ratio": 30},
    "prompting": {},
}
_TAUGHT, _STEPS = 20, 5


@dataclass
class Subject:
    """A method by its name, with settings in place of its defaults, and the material to try it on."""

    name: str
    material: Material
    settings: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def method(self) -> Method:
        """The method with its settings. Raises UserError on a missing or wrong one."""
        return create_method(self.name, GIVEN[method_class(self.name).kind] | self.settings)

    @property
    def training(self) -> TrainingMethod:
        """The method as a training method."""
        return create_kind(TrainingMethod, self.name, GIVEN["training"] | self.settings)

    @property
    def pruning(self) -> PruningMethod:
        """The method as a pruning method."""
        return create_kind(PruningMethod, self.name, GIVEN["pruning"] | self.settings)

    @property
    def prompting(self) -> PromptingMethod:
        """The method as a prompting method."""
        return create_kind(PromptingMethod, self.name, GIVEN["prompting"] | self.settings)

    def config(self, model: str) -> dict:
        """The configuration of a job of the method."""
        return {"model": model, "method": self.name, "seed": 0, "statistics": STATISTICS}

    def each(self) -> Iterator[tuple[str, VisionLanguageModel]]:
        """A fresh model of every known architecture."""
        for model in known_models():
            yield model, self.material.vlm(model)

    def unlearn(self, model: str) -> VisionLanguageModel:
        """A model that the method was trained on."""
        vlm = self.material.vlm(model)
        unlearned(self.config(model), self.training, vlm, self.material.benchmark, RATIO)
        return vlm

    def steps(self, vlm: VisionLanguageModel, modality: str) -> list[Batches]:
        """The batches of one step on questions of a modality; of an alternating method, of one step on each set."""
        settings = GIVEN["training"] | self.settings | {"modalities": [modality]}
        method = create_kind(TrainingMethod, self.name, settings)
        data = UnlearningData(vlm, method, self.material.benchmark, RATIO)
        first: dict[bool, Batches] = {}
        for batches in data.epochs(1, np.random.default_rng(0)):
            first.setdefault(batches.has("forget"), batches)
            if len(first) == 1 + method.alternates:
                break
        return list(first.values())

    def selected(self, model: str, vlm: VisionLanguageModel) -> tuple[Selection, Mask]:
        """The units that the method prunes of a model, by statistics of its own kind, and their mask."""
        method = self.pruning
        return selected(method, measured(self.config(model), vlm, self.material.benchmark, RATIO, method.statistics))


def settings(subject: Subject) -> None:
    """Settings: every one has a default, or is one that all methods of its kind have."""
    create_method(subject.name, GIVEN[method_class(subject.name).kind] | subject.settings)


def finite_loss(subject: Subject) -> None:
    """Loss: a finite number, differentiable, on questions with the picture and in plain text."""
    for model, vlm in subject.each():
        reference = _reference(subject, model)
        for modality in MODALITIES:
            for batches in subject.steps(vlm, modality):
                _finite_loss(subject, f"{model}, {modality}", vlm, batches, reference)


def _finite_loss(
    subject: Subject, where: str, vlm: VisionLanguageModel, batches: Batches, reference: torch.nn.Module | None
) -> None:
    try:
        loss = subject.training.loss(vlm.model, batches, reference)
    except (AttributeError, TypeError) as error:
        if reference is None and "NoneType" in str(error):
            said = f"{error} ({place(error)}): the reference is None unless the class says"
            raise Broken(f"{where}: {said} needs_reference: ClassVar[bool] = True") from error
        raise
    must(isinstance(loss, torch.Tensor) and loss.shape == (), f"{where}: {loss!r}; needed: a scalar tensor")
    must(bool(loss.isfinite()), f"{where}: the loss is {loss.item()}; needed: a finite number")
    must(loss.requires_grad, f"{where}: no gradient reaches the model; needed: a loss of the model's own output")


def falling_loss(subject: Subject) -> None:
    """Loss: a few small steps on one batch, which the model has been taught, make it smaller."""
    for model in known_models():
        for modality in MODALITIES:
            for batches in subject.steps(subject.material.vlm(model), modality):
                losses = _losses(subject, subject.material.vlm(model), batches)
                said = f"{losses[0]:.6g} before and {losses[-1]:.6g} after {_STEPS} steps down its own gradient"
                must(losses[-1] < losses[0], f"{model}, {modality}: {said}; needed: less (is something detached?)")


def _losses(subject: Subject, trial: VisionLanguageModel, batches: Batches) -> list[float]:
    """The losses of a few small steps on one batch, which the model has been taught."""
    taught = batches.forget if batches.has("forget") else batches.retain
    fit(
        trial.model,
        [taught] * _TAUGHT,
        partial(answer_cross_entropy, trial.model),
        Optimisation(1e-2, _TAUGHT, "constant"),
    )
    reference = deepcopy(trial.model).requires_grad_(False) if subject.training.needs_reference else None
    optimiser = torch.optim.SGD(trial.model.parameters(), lr=1e-4)
    losses = []
    for _ in range(_STEPS + 1):
        loss = subject.training.loss(trial.model, batches, reference)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trial.model.parameters(), 1.0)
        optimiser.step()
    return losses


def same_weights(subject: Subject) -> None:
    """Training: changes weights, and the same seed gives the same ones."""
    for model, vlm in subject.each():
        trained = (subject.unlearn(model) for _ in range(2))
        before, once, again = (weights(each.model) for each in (vlm, *trained))
        must(
            bool(changed(before, once)),
            f"{model}: no weight changed; needed: a loss, or `finish`, that changes some (a loss with a limit may be "
            "flat on these untrained models: try other --settings)",
        )
        differ = changed(once, again)
        must(
            not differ, f"{model}: {len(differ)} weights such as {differ[:1]} differ; draw from a seeded generator only"
        )


def leaves_the_model(subject: Subject) -> None:
    """Training: leaves no hook on the model, no weight frozen and no weight infinite, and the reference as it was."""
    for model, vlm in subject.each():
        hung = hooks(vlm.model)
        must(
            all(p.requires_grad for p in vlm.model.parameters()),
            f"{model} comes with frozen weights; this is no fault of the method",
        )
        after = subject.unlearn(model).model
        must(hooks(after) == hung, f"{model}: {hooks(after) - hung} hooks are left; remove them, or use a `with` block")
        frozen = [name for name, parameter in after.named_parameters() if not parameter.requires_grad]
        must(
            not frozen, f"{model}: {frozen[:1]} needs no gradient any more; say which weights may change by `restrict`"
        )
        bad = [name for name, parameter in after.named_parameters() if not parameter.isfinite().all()]
        must(
            not bad,
            f"{model}: {bad[:1]} is not finite; needed: finite weights, at the learning rate that a study gives",
        )
        if reference := _reference(subject, model):
            before = weights(reference)
            subject.training.loss(after, subject.steps(vlm, MODALITIES[0])[-1], reference).backward()
            must(not changed(before, weights(reference)), f"{model}: the loss changed the reference model")


def restricted(subject: Subject) -> None:
    """Training: changes no weight that `restrict` does not allow."""
    for model, vlm in subject.each():
        data = UnlearningData(vlm, subject.training, subject.material.benchmark, RATIO)
        apart = np.random.default_rng([0, 1])  # as a job draws them
        masks = subject.training.restrict(vlm.model, vlm.mlp_sites(), data.epochs(1, apart))
        if masks is None:
            return
        before, after = weights(vlm.model), weights(subject.unlearn(model).model)
        moved = [
            name
            for name in changed(before, after)
            if name not in masks or not torch.equal(before[name][~masks[name]], after[name][~masks[name]])
        ]
        must(not moved, f"{model}: {moved[:1]} changed outside of its mask; `finish` must keep to it as well")


def with_adapters(subject: Subject) -> None:
    """Training: works with low-rank adapters (a study's `lora`), which rename the weights below them meanwhile."""
    for model, vlm in subject.each():
        before = weights(vlm.model)
        unlearned(
            subject.config(model) | {"lora": {"rank": 2}}, subject.training, vlm, subject.material.benchmark, RATIO
        )
        after = weights(vlm.model)
        must(before.keys() == after.keys(), f"{model}: the weights have other names afterwards")
        must(bool(changed(before, after)), f"{model}: no weight changed; needed: a loss that reaches the adapters")


def round_trip(subject: Subject) -> None:
    """Checkpoint: what is saved and loaded again gives the same logits."""
    for model in known_models():
        vlm = subject.unlearn(model)
        batch = subject.steps(vlm, MODALITIES[0])[0].forget
        with tempfile.TemporaryDirectory() as folder:
            vlm.save(Path(folder) / "checkpoint")
            again = type(vlm).load(Path(folder) / "checkpoint")
        same = torch.equal(logits(vlm.model, batch), logits(again.model, batch))
        must(
            same,
            f"{model}: other logits after loading; the method may add nothing to the model that is no weight of it",
        )


def scores(subject: Subject) -> None:
    """Selection: a finite score and a rank for every neuron, and of the asked share a mask."""
    for model, vlm in subject.each():
        (selection, _), sites = subject.selected(model, vlm), _widths(vlm)
        for site, mask in selection.masks.items():
            must(site in sites, f"{model}: unknown site {site!r}; known: {', '.join(sites)}")
            for what, each in (("mask", mask), ("scores", selection.scores[site]), ("ranks", selection.ranks[site])):
                shape = tuple(each.shape)
                must(shape == (sites[site],), f"{model}: {what} of {site} have shape {shape}; needed: ({sites[site]},)")
            must(mask.dtype == torch.bool, f"{model}: the mask of {site} is {mask.dtype}; needed: torch.bool")
            finite = selection.scores[site].isfinite().all()
            must(bool(finite), f"{model}: a score of {site} is not finite; needed: finite (guard divisions by `eps`)")
        wanted = subject.pruning.prune_ratio / 100 * selection.total
        near = abs(selection.pruned - wanted) <= len(selection.masks)  # rounded where neurons compete in groups
        must(near, f"{model}: {selection.pruned} of {selection.total} units; needed: {wanted:.1f} (see `select_top`)")


def same_selection(subject: Subject) -> None:
    """Selection: the same statistics give the same mask, with nothing of the model changed."""
    for model, vlm in subject.each():
        before, hung = weights(vlm.model), hooks(vlm.model)
        one, other = (subject.selected(model, vlm)[1].masks for _ in range(2))
        must(one.keys() == other.keys() and not changed(one, other), f"{model}: another mask at the second time")
        must(not changed(before, weights(vlm.model)), f"{model}: selecting changed weights; return a mask only")
        must(hooks(vlm.model) == hung, f"{model}: hooks are left on the model")


def pruned_is_silent(subject: Subject) -> None:
    """Pruning: the masked weights do what silencing these units does, from the stored mask as well."""
    for model, vlm in subject.each():
        _, mask = subject.selected(model, vlm)
        batches = {modality: _forget_batch(subject, vlm, modality) for modality in MODALITIES}
        silenced = {modality: silenced_logits(vlm, mask, batch) for modality, batch in batches.items()}
        with tempfile.TemporaryDirectory() as folder:
            save_mask(Path(folder) / "mask.safetensors", mask)
            apply_mask(load_mask(Path(folder) / "mask.safetensors"), vlm.mlp_sites(), vlm.linear_sites())
        for modality, batch in batches.items():
            close = torch.allclose(logits(vlm.model, batch), silenced[modality], atol=1e-5)
            must(close, f"{model}, {modality}: the masked model's logits are not those of silenced units")


def prompt(subject: Subject) -> None:
    """Prompt: a text that is not empty, the same at every call."""
    names = list(read_names(subject.material.benchmark, forget_config(RATIO)).values())
    said = subject.prompting.system_prompt(names)
    must(isinstance(said, str) and bool(said.strip()), f"system_prompt gives {said!r}; needed: text")
    must(said == subject.prompting.system_prompt(names), "system_prompt says something else at the second time")


TRAINING = (settings, finite_loss, falling_loss, same_weights, leaves_the_model, restricted, with_adapters, round_trip)
PRUNING = (settings, scores, same_selection, pruned_is_silent)
CHECKS: dict[str, tuple[Callable[[Subject], None], ...]] = {
    "training": TRAINING,
    "pruning": PRUNING,
    "prompting": (settings, prompt),
}


def _reference(subject: Subject, model: str) -> torch.nn.Module | None:
    """The model that the method compares with, if it needs one: the same weights, frozen."""
    if not subject.training.needs_reference:
        return None
    return subject.material.vlm(model).model.requires_grad_(False)


def _widths(vlm: VisionLanguageModel) -> dict[str, int]:
    sites: list[Site] = [*vlm.mlp_sites(), *vlm.linear_sites()]
    return {site.name: site.width for site in sites}


def _forget_batch(subject: Subject, vlm: VisionLanguageModel, modality: str) -> Batch:
    return next(subject.material.training_set(vlm).stream(modality, 4, np.random.default_rng(0)))

"""What contracts are checked on: a small benchmark and small models of random weights, built in memory."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor, nn

from manu.core.batch import Batch, without_labels
from manu.data.benchmark import generate
from manu.data.population import BenchmarkSettings
from manu.data.profiles import forget_config
from manu.data.reading import read_training_data
from manu.models.base import VisionLanguageModel
from manu.models.loading import prepare_torch
from manu.models.registry import vlm_class
from manu.neurons.masks import Mask
from manu.neurons.selection import MLP_INPUT
from manu.training.dataset import TrainingSet
from manu.unlearning.training_data import training_set

RATIO = 10  # forget ratio in percent
SIZES = {  # those of them that an architecture has; the others keep its defaults
    "image_size": 32,
    "patch_size": 8,
    "vision_layers": 2,
    "vision_width": 16,
    "vision_mlp": 12,
    "vision_heads": 2,
    "text_layers": 2,
    "text_width": 16,
    "text_mlp": 10,
    "text_heads": 4,
}
STATISTICS = {"tau": 0.1, "batch_size": 8, "milestones": []}
_BENCHMARK = BenchmarkSettings(
    people=20,
    public_figures=2,
    strangers=4,
    portraits=1,
    stranger_portraits=1,
    image_size=32,
    seed=0,
    unseen_people=2,
    anchor_people=2,
)


def small_model(name: str, texts: Iterable[str], **more: int) -> VisionLanguageModel:
    """A small model of an architecture, its weights random and no signal shrunk or blown up, the same at each call.

    texts: what its tokenizer is trained on; more: sizes in place of SIZES.
    """
    cls = vlm_class(name)
    known = {field.name for field in fields(cls.architecture_class)}
    prepare_torch(seed=0)
    sizes = {key: size for key, size in (SIZES | more).items() if key in known}
    vlm = cls.build(cls.architecture_class(**sizes), texts)
    with torch.no_grad():
        for parameter in vlm.model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    vlm.model.eval()
    return vlm


class Material:
    """The benchmark in a folder, and what is made of it."""

    def __init__(self, folder: Path) -> None:
        self.benchmark = folder
        generate(folder, _BENCHMARK, [RATIO])
        self._texts = [text for record in read_training_data(folder) for pair in record.pairs for text in pair]

    def vlm(self, model: str) -> VisionLanguageModel:
        """A model of this name, with the same weights at each call."""
        return small_model(model, self._texts)

    def training_set(self, vlm: VisionLanguageModel, *configs: str, paired: bool = False) -> TrainingSet:
        """The training records of the people of these configurations; without any, of the forget set."""
        configs = configs or (forget_config(RATIO),)
        return training_set(vlm, self.benchmark, configs, paired=paired)


def logits(model: nn.Module, batch: Batch) -> Tensor:
    """A model's logits at every token of a batch."""
    with torch.no_grad():
        return model(**without_labels(batch)).logits


def silenced_logits(vlm: VisionLanguageModel, mask: Mask, batch: Batch) -> Tensor:
    """The logits of the unpruned model while hooks multiply the outputs of a mask's units by its factor."""
    linear = {site.name: site.linear for site in vlm.linear_sites()}
    second = {site.name: site.second for site in vlm.mlp_sites()}
    with ExitStack() as hung:
        for site, units in mask.masks.items():
            keep = torch.where(units, mask.factor, 1.0)
            if mask.unit == MLP_INPUT:
                handle = second[site].register_forward_pre_hook(lambda _, inputs, keep=keep: (inputs[0] * keep,))
            else:
                handle = linear[site].register_forward_hook(lambda _, inputs, output, keep=keep: output * keep)
            hung.callback(handle.remove)
        return logits(vlm.model, batch)


def weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters, by name."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> list[str]:
    """The parameters whose bytes differ."""
    return [name for name in before if not torch.equal(before[name], after[name])]


def hooks(model: nn.Module) -> int:
    """Number of hooks on a model's modules, without those of transformers itself."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    hung = [hook for module in model.modules() for kind in kinds for hook in getattr(module, kind).values()]
    return sum(not getattr(hook, "__module__", "").startswith("transformers.") for hook in hung)

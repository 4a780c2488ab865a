"""One step over several processes (data parallel): each takes a share of the batch, and the step is the same.

CE(D) is a mean over the answer tokens of a batch, so its gradient is the sum of those of the shares, each weighted by
its part of the tokens. A loss that is not such a mean, as those of several unlearning methods are not, cannot be split
like this: only the models that learn by plain cross-entropy are trained so (docs/scale.md#one-model-on-several-gpus).
"""

import torch
from torch import Tensor, nn

from manu.models.inputs import IGNORE, Batch
from manu.training.losses import answer_cross_entropy


def share(batch: Batch, index: int, count: int) -> tuple[Batch, float]:
    """The samples of process `index` of `count`, and their part of the batch's answer tokens, from 0 to 1.

    Neighbouring samples, as evenly as they go. Where no sample is left for a process, as in an epoch's last batch, it
    takes one that counts nothing, since all of them must be there at every step.
    """
    tokens = (batch["labels"][:, 1:] != IGNORE).sum(1).tolist()  # of each sample
    start, end = (len(tokens) * each // count for each in (index, index + 1))
    rows = slice(start, max(end, start + 1))
    return {name: tensor[rows] for name, tensor in batch.items()}, sum(tokens[start:end]) / sum(tokens)


class SharedCrossEntropy:
    """CE(D) of a batch that all processes of a job are given alike: the value of the whole, the gradient of their own
    share, which `backward` adds up over the processes (torch's DistributedDataParallel, by accelerate)."""

    def __init__(self, model: nn.Module) -> None:
        from accelerate import Accelerator, DistributedDataParallelKwargs  # for jobs of several processes alone

        # no batch of text uses the vision encoder: what has no gradient must not be waited for
        parallel = DistributedDataParallelKwargs(find_unused_parameters=True)
        self._accelerator = Accelerator(cpu=not torch.cuda.is_available(), kwargs_handlers=[parallel])
        self._model = model
        self._parallel: nn.Module | None = None

    def __call__(self, batch: Batch) -> Tensor:
        """The loss of one step; scalar, in nats."""
        index, count = self._accelerator.process_index, self._accelerator.num_processes
        if self._parallel is None:  # not before the first step, when adapters are in their places
            self._parallel = self._accelerator.prepare(self._model)
            torch.manual_seed(torch.initial_seed() + index)  # dropout: not the same draw for every share
        mine, weight = share(batch, index, count)
        part = answer_cross_entropy(self._parallel, mine) * weight * count  # the mean over processes is taken
        whole = self._accelerator.reduce(part.detach(), reduction="mean")
        return part + (whole - part.detach())

"""One step over several processes (data parallel): each takes a share of the batch, and the step stays the same.

CE(D) is a mean over the answer tokens of a batch, so its gradient is the sum of the shares' gradients, each weighted by
its fraction of the tokens. Losses that are no such mean, as those of several unlearning methods, cannot be split like
this: only models that learn by plain cross-entropy are trained so (docs/scale.md#one-model-on-several-gpus).
"""

import torch
from torch import Tensor, nn

from manu.models.inputs import IGNORE, Batch
from manu.training.losses import answer_cross_entropy


def share(batch: Batch, index: int, count: int) -> tuple[Batch, float]:
    """The samples of process `index` of `count`, and their fraction of the batch's answer tokens, from 0 to 1.

    Shares are neighbouring samples, of sizes as equal as possible. A process without a sample, as in an epoch's last
    batch, takes one with weight 0, since every process must take part in every step.
    """
    tokens = (batch["labels"][:, 1:] != IGNORE).sum(1).tolist()  # of each sample
    start, end = (len(tokens) * process // count for process in (index, index + 1))
    rows = slice(start, max(end, start + 1))
    return {name: tensor[rows] for name, tensor in batch.items()}, sum(tokens[start:end]) / sum(tokens)


class SharedCrossEntropy:
    """CE(D) of a batch that every process of a job gets: the value of the whole batch, the gradient of the own share.

    `backward` adds the gradients over the processes (torch's DistributedDataParallel, by accelerate).
    """

    def __init__(self, model: nn.Module) -> None:
        from accelerate import Accelerator, DistributedDataParallelKwargs  # only needed by jobs of several processes

        # a batch of text does not use the vision encoder, whose weights then get no gradient
        parallel = DistributedDataParallelKwargs(find_unused_parameters=True)
        self._accelerator = Accelerator(cpu=not torch.cuda.is_available(), kwargs_handlers=[parallel])
        self._model = model
        self._parallel: nn.Module | None = None

    def __call__(self, batch: Batch) -> Tensor:
        """The loss of one step; scalar, in nats."""
        index, count = self._accelerator.process_index, self._accelerator.num_processes
        if self._parallel is None:  # at the first step, when adapters are in place
            self._parallel = self._accelerator.prepare(self._model)
            torch.manual_seed(torch.initial_seed() + index)  # every share draws its own dropout
        mine, weight = share(batch, index, count)
        own = answer_cross_entropy(self._parallel, mine) * weight * count  # accelerate takes the mean over processes
        whole = self._accelerator.reduce(own.detach(), reduction="mean")
        return own + (whole - own.detach())

"""What each step does with a model: passes, memory, bytes written. One function per step, named like it.

Steps without a function make tables and figures: they cost no more than their start.
"""

from dataclasses import dataclass, field, replace

from manu.core.words import MODALITIES
from manu.data.profiles import MULTIMODAL, TEXT
from manu.evaluation.asking import AskingSettings
from manu.jobs.job_list import Job
from manu.models.inputs import KEPT
from manu.models.loading import PRECISIONS
from manu.neurons.statistics.registry import statistics_class
from manu.planning import memory
from manu.planning.benchmark_sizes import SENTENCE, Asked, BenchmarkSizes, Texts
from manu.planning.model_sizes import ModelSizes
from manu.planning.published import MMMU
from manu.planning.work import Learning, Work, forward, reply, step
from manu.study.model import Study
from manu.unlearning import trials
from manu.unlearning.base import PruningMethod, TrainingMethod
from manu.unlearning.registry import Method, create_method

ANSWER_BYTES = 72  # of a row of answers on disk; measured: 10.9 MB for the 151,740 rows of mini-field
MASKED_BYTES = 100  # of a pruned neuron's line in neurons.csv


@dataclass(frozen=True)
class Subject:
    """A model of the study, and the benchmark in this model's tokens."""

    name: str
    model: ModelSizes
    benchmark: BenchmarkSizes


@dataclass(frozen=True)
class Cost:
    """work: of the job; memory: most bytes beside the process, where the model lies; weights: bytes of the model, which
    pass through the machine's memory on their way to a card; pictures: that the machine keeps; disk: bytes written."""

    work: Work = field(default_factory=Work)
    memory: float = 0.0
    weights: float = 0.0
    pictures: float = 0.0
    disk: float = 0.0


class Planner:
    """One job's model, precision and way of learning, from its settings."""

    def __init__(self, study: Study, subject: Subject, job: Job) -> None:
        config, loading = job.settings, job.settings.get("loading", {})
        self.study, self.job, self.config = study, job, config
        self.model, self.sizes = subject.model, subject.benchmark
        self.number = PRECISIONS[loading.get("precision", "float32")].itemsize
        self.weights = self.model.parameters * self.number
        in_base = config.get("stage") == "base"
        checkpointing = loading.get("gradient_checkpointing", False)
        self.learning = Learning(config.get("lora", {}).get("rank", 0), in_base, checkpointing)

    # Passes

    def _fit(self, texts: dict[str, Texts], epochs: int, batch: int, trained: int = 1, reference: int = 0) -> Work:
        """Epochs over `texts`; each step trains on `trained` such batches and runs a frozen model over `reference`."""
        work = Work()
        for modality, each in texts.items():
            one = self._pass(each, batch, modality)
            tokens = batch * each.longest(batch)
            each_step = step(self.model, self.learning, one, tokens) * trained + one * reference
            work += each_step * (epochs * each.batches(batch))
        return work

    def _pass(self, texts: Texts, batch: int, modality: str, all_logits: bool = False) -> Work:
        length = texts.longest(batch)
        predicted = length if all_logits else texts.columns(batch)
        return forward(self.model, batch, length, predicted, modality == MULTIMODAL)

    def _unlearn(self, method: TrainingMethod, ratio: int) -> Work:
        """A training method's steps on the forget people; what else it runs follows from its class.

        Trained on: forget, and retain and refusal if needed. A reference runs on what holds the method: the retain
        batch if it has one, else the forget batch, and refusals. With knowledge: first an epoch of gradients of three
        batches. A method that alternates trains on all of forget, then on all of retain beside the reference. With an
        anchor: replies to its questions first, and in each step another batch, of the method's model and the first one.
        """
        anchored = bool(method.anchor)
        texts = {m: self.sizes.lessons[m] * self.sizes.forget(ratio) for m in method.modalities}
        if method.alternates:
            retain = {m: self.sizes.lessons[m] * self.sizes.retain(ratio) for m in method.modalities}
            beside = int(method.needs_reference) + anchored
            kept = self._fit(retain, method.epochs, method.batch_size, 1 + anchored, beside)
            forgotten = self._fit(texts, method.epochs, method.batch_size, 1 + anchored, int(anchored))
            return kept + forgotten + self._anchor_replies() * anchored
        trained = 1 + method.needs_retain + method.needs_refusal + anchored
        reference = method.needs_reference * (1 + method.needs_refusal) + anchored
        work = self._fit(texts, method.epochs, method.batch_size, trained, reference)
        if method.needs_knowledge:
            work += self._fit(texts, 1, method.batch_size, 3)
        return work + self._anchor_replies() * anchored

    def _anchor_replies(self) -> Work:
        """A reply to every question about the anchor people."""
        asking = AskingSettings()
        work = Work()
        for (modality, _), asked in self.sizes.questions.items():
            without = replace(asked, option=0.0, options=0)
            count = self.study.benchmark.anchor_people * asked.per_person
            work += self._replies(count, without, vars(asking), modality)
        return work

    def _ask(self, people: float, evaluation: dict, system: float = 0.0) -> Work:
        """Every question about so many people, each kind in batches of its own."""
        work = Work()
        for (modality, _), asked in self._questions(evaluation):
            work += self._replies(people * asked.per_person, asked, evaluation, modality, system)
        return work

    def _questions(self, evaluation: dict) -> list[tuple[tuple[str, str], Asked]]:
        asked, wanted = self.sizes.questions, (evaluation["modalities"], evaluation["tasks"])
        return [
            (key, _read(each, key[1], evaluation))
            for key, each in asked.items()
            if key[0] in wanted[0] and key[1] in wanted[1]
        ]

    def _replies(self, count: float, asked: Asked, evaluation: dict, modality: str, system: float = 0.0) -> Work:
        size, new = evaluation["batch_size"], evaluation["max_new_tokens"]
        with_picture, prompt = modality == MULTIMODAL, asked.prompt + system
        return reply(self.model, count, size, prompt, new, asked.option, self.number, with_picture, asked.options)

    def _splits(self, evaluation: dict, ratios: list[int], system: float = 0.0) -> tuple[Work, float]:
        """A whole evaluation, each question once, and the rows of its answers: a question has one at each ratio.

        Forget sets are nested, and forget and retain people are asked the same.
        """
        splits, sizes = evaluation["splits"], self.sizes
        forget, retain = ([of(ratio) for ratio in ratios] for of in (sizes.forget, sizes.retain))
        others = min(retain) if "forget" in splits else max(retain)
        asked = {"forget": max(forget), "test": max(forget), "retain": others, "celebrity": sizes.celebrities}
        people = {"forget": sum(forget), "test": sum(forget), "retain": sum(retain)}
        people["celebrity"] = sizes.celebrities * len(ratios)
        each = sum(kind.per_person for _, kind in self._questions(evaluation))
        work = self._ask(sum(asked.get(split, 0) for split in splits), evaluation, system)
        rows = each * sum(people.get(split, 0) for split in splits)
        looks = sizes.strangers_asked * sizes.general.per_person
        if "general" in splits and MULTIMODAL in evaluation["modalities"]:
            general = _read(sizes.general, "classification", evaluation)
            work += self._replies(looks, general, evaluation, MULTIMODAL, system)
            rows += looks * len(ratios)
        return work, rows

    # Memory

    def _training_memory(self, texts: dict[str, Texts], batch: int, trained: int = 1) -> float:
        states, size = 0.0, self.number
        for modality, each in texts.items():
            length, places = each.longest(batch), batch * each.columns(batch)
            with_picture = modality == MULTIMODAL
            kept = memory.states(self.model, batch * length, size, with_picture, batch, self.learning.checkpointing)
            states = max(states, trained * (kept + memory.logits_bytes(self.model, places, size)))
        return self.weights + memory.learning_bytes(self.model, self.learning, size) + states

    def _shown(self, ratio: int) -> float:
        """Pictures of forget and retain people."""
        return (self.sizes.forget(ratio) + self.sizes.retain(ratio)) * self.sizes.portraits

    def _unlearn_memory(self, method: TrainingMethod, ratio: int) -> float:
        texts = {m: self.sizes.lessons[m] * self.sizes.forget(ratio) for m in method.modalities}
        anchored = bool(method.anchor)
        trained = 1 + (method.needs_retain and not method.alternates) + method.needs_refusal + anchored
        beside = self.weights * (method.needs_reference or anchored)  # the frozen copy
        # two sums of squared gradients and a mask of one byte a weight
        beside += method.needs_knowledge * (2 * self.weights + self.model.parameters)
        return beside + self._training_memory(texts, method.batch_size, trained)

    def _asking_memory(self, evaluation: dict, system: float = 0.0) -> float:
        size, new = evaluation["batch_size"], evaluation["max_new_tokens"]
        return self.weights + max(
            memory.reply_bytes(
                self.model,
                size,
                asked.prompt + system,
                new,
                asked.option,
                self.number,
                key[0] == MULTIMODAL,
                asked.options,
            )
            for key, asked in self._questions(evaluation)
        )

    def _cost(
        self, work: Work, memory: float, disk: float, loads: int = 1, saves: bool = False, pictures: float = 0
    ) -> Cost:
        """A job that hashes its checkpoint and loads it `loads` times, and writes and hashes one if it `saves`.

        pictures: how many it shows; all are kept once they are processed, twice for a moment as they are put together,
        unless they are too many for that.
        """
        moved = Work(moved=self.weights * (1 + loads + 2 * saves))
        kept = pictures * self.model.picture_bytes
        return Cost(work + moved, memory, self.weights, 2 * kept if kept <= KEPT else 0, disk + saves * self.weights)

    def _method(self, name: str, settings: dict) -> Method:
        """The method; a setting that is still open has its first candidate, as none changes what a step costs."""
        return create_method(name, trials.first(self.study.methods[name]) | settings)

    # Steps

    def select_neurons(self) -> Cost:
        """A mask of one byte a unit, and a line for each that goes; no model is loaded."""
        method = self._method(self.config["method"], self.config["settings"])
        share = method.prune_ratio / 100 if isinstance(method, PruningMethod) else 0.0
        return Cost(disk=self.model.neurons * (1 + share * MASKED_BYTES))

    def select_variants(self) -> Cost:
        """A mask for each variant; no model is loaded."""
        return Cost(disk=self.model.neurons * len(self.config["variants"]))

    def train(self) -> Cost:
        """Lessons of the base stage; or of everybody (without forget), tuning people and rehearsal included."""
        recipe, sizes, stage = self.config["training"], self.sizes, self.config["stage"]
        known = {m: each + sizes.looks[m] * recipe.get("looks", 0.0) for m, each in sizes.base_lessons.items()}
        if stage == "base":
            texts, pictures = known, sizes.base_pictures
        else:
            people = sizes.people if stage == "vanilla" else sizes.retain(self.config["ratio"])
            people += sizes.tuning
            pictures = people * sizes.portraits + ("rehearsal" in recipe) * sizes.base_pictures
            taught = recipe.get("modalities", MODALITIES)
            texts = {modality: each * people for modality, each in sizes.lessons.items() if modality in taught}
            for modality in texts if "rehearsal" in recipe else ():
                texts[modality] = texts[modality] + known[modality] * recipe["rehearsal"]
        work = self._fit(texts, recipe["epochs"], recipe["batch_size"])
        most = self._training_memory(texts, recipe["batch_size"])
        return self._cost(work, most, 0, saves=True, pictures=pictures)

    def unlearn(self) -> Cost:
        """A training method at a forget ratio."""
        method, ratio = self._method(self.config["method"], self.config["settings"]), self.job.keys["ratio"]
        if not isinstance(method, TrainingMethod):
            return Cost()
        work, most = self._unlearn(method, ratio), self._unlearn_memory(method, ratio)
        return self._cost(work, most, 0, saves=True, pictures=self._shown(ratio))

    def tune(self) -> Cost:
        """Every trial: load, unlearn half of the tuning people, ask both halves and the figures of the trials."""
        config, (ratio,) = self.config, self.config["ratios"]
        asked_about = self.sizes.tuning + self.sizes.tuning_figures
        work, most, rows = Work(), self._asking_memory(config["evaluation"]), 0.0
        for settings in config["trials"]:
            method = self._method(config["method"], settings)
            if isinstance(method, TrainingMethod):
                work += self._unlearn(method, ratio)
                most = max(most, self._unlearn_memory(method, ratio))
            work += self._ask(asked_about, config["evaluation"])
            rows += asked_about * sum(asked.per_person for _, asked in self._questions(config["evaluation"]))
        return self._cost(work, most, rows * ANSWER_BYTES, loads=len(config["trials"]), pictures=self._shown(ratio))

    def measure_statistics(self) -> Cost:
        """All forget pairs and as many of retain, in both modalities: forward, and for gradients back to the states."""
        settings, kind, ratio = self.config["statistics"], self.job.keys["kind"], self.job.keys["ratio"]
        work, most = self._measured(settings, kind, ratio)
        sums = memory.statistics_bytes(self.model, kind, settings)
        return self._cost(work, most, sums, pictures=self._shown(ratio))

    def _measured(self, settings: dict, kind: str, ratio: int) -> tuple[Work, float]:
        batch, text, cls = settings["batch_size"], self.sizes.lessons[TEXT], statistics_class(kind)
        gradient = cls.gradients
        work, most = Work(), 0.0
        for modality in MODALITIES:
            texts = self.sizes.lessons[modality] * self.sizes.forget(ratio)
            forget = (text * self.sizes.forget(ratio)).batches(batch)  # questions without a text view are left out
            retain = (text * self.sizes.retain(ratio)).batches(batch) if cls.whole_retain_set else forget
            if limit := settings.get("retain_samples"):
                retain = min(retain, -(-limit // batch))
            one = self._pass(texts, batch, modality, all_logits=not gradient) * (2 if gradient else 1)
            work += one * (forget + retain)
            tokens = batch * texts.longest(batch)
            if gradient:
                held = memory.states(self.model, tokens, self.number, modality == MULTIMODAL, batch, False)
            else:
                held = tokens * self.model.vocabulary * self.number
                held += memory.picture_states(self.model, batch, self.number) if modality == MULTIMODAL else 0
            most = max(most, held)
        return work, self.weights + memory.statistics_bytes(self.model, kind, settings) + most

    def evaluate(self) -> Cost:
        """Every question of every split; behind a system prompt every prompt is longer by it."""
        config = self.config
        prompted = config["method"] in self.study.methods_of_kind("prompting")
        named = self.sizes.forget(config["ratios"][0]) if prompted else 0
        system = SENTENCE + named * self.sizes.name if named else 0.0
        work, rows = self._splits(config["evaluation"], config["ratios"], system)
        return self._cost(work, self._asking_memory(config["evaluation"], system), rows * ANSWER_BYTES)

    def evaluate_variants(self) -> Cost:
        """Forget and retain people, asked under each variant's mask."""
        config = self.config
        work, rows = self._splits(config["evaluation"], config["ratios"])
        count = len(config["variants"])
        most = self._asking_memory(config["evaluation"])
        return self._cost(work * count, most, rows * count * ANSWER_BYTES, loads=count)

    def evaluate_harness(self) -> Cost:
        """The harness's tasks, each taken to be what MMMU's validation set is (manu.planning.published)."""
        settings, size = self.config["harness"], self.config["harness"]["batch_size"]
        count = (settings.get("limit") or MMMU["questions"]) * len(settings["tasks"])
        prompt, new = MMMU["prompt"] + self.model.picture_tokens, int(MMMU["reply"])
        most = self.weights + memory.reply_bytes(self.model, size, prompt, new, 0.0, self.number, True)
        work = reply(self.model, count, size, prompt, new, 0.0, self.number, True)
        return self._cost(work, most, count * ANSWER_BYTES)

    def select_random(self) -> Cost:
        """The model is loaded for its widths."""
        return self._cost(Work(), self.weights, self.model.neurons)

    def attack(self) -> Cost:
        """Rounded weights: everybody, each width; other words and portraits; relearning from two sets of lessons, asked
        at every stop; the probe asks everybody once and reads them twice. Its regression and membership inference are
        left out."""
        (ratio,), evaluation, given = self.config["ratios"], self.config["evaluation"], self.config["robustness"]
        forget, everybody = self.sizes.forget(ratio), self.sizes.people
        pictures = evaluation | {"modalities": [m for m in evaluation["modalities"] if m == MULTIMODAL]}
        relearning = given["relearning"]
        others = forget * (1 - relearning["share"])
        work = self._ask(everybody, evaluation) * len(given["bits"])
        work += self._ask(forget, evaluation) + self._ask(forget, pictures) * (1 + len(given["perturbations"]))
        work += self._ask(others, evaluation) * (2 * (1 + len(relearning["steps"])))
        size = relearning["batch_size"]
        lessons = {m: each * forget for m, each in self.sizes.lessons.items()}
        epoch = self._fit(lessons, 1, size)
        work += epoch * (2 * relearning["steps"][-1] / sum(each.batches(size) for each in lessons.values()))
        work += self._ask(everybody, evaluation)
        for (modality, _), asked in self._questions(evaluation):
            work += forward(self.model, 2 * everybody * asked.per_person, asked.prompt, 1, modality == MULTIMODAL)
        most = max(self._asking_memory(evaluation), self.weights + self._training_memory(lessons, size))
        each = sum(asked.per_person for _, asked in self._questions(evaluation))
        rows = each * (everybody * (1 + len(given["bits"])) + forget * 3 + others * 2 * (1 + len(relearning["steps"])))
        return self._cost(work, most, rows * ANSWER_BYTES)

    def forget_in_turn(self) -> Cost:
        """Request after request: statistics if the method prunes, its steps on the forget people, then everybody."""
        config, requests = self.config, self.config["requests"]
        method = self._method(config["method"], config["settings"])
        work, most = Work(), self._asking_memory(config["evaluation"])
        for ratio in requests:
            if method.pruning:
                measured, held = self._measured(config["statistics"], method.pruning.statistics, ratio)
                work, most = work + measured, max(most, held)
            if isinstance(method, TrainingMethod):
                work += self._unlearn(method, ratio)
                most = max(most, self._unlearn_memory(method, ratio))
            work += self._ask(self.sizes.people, config["evaluation"])
        each = sum(asked.per_person for _, asked in self._questions(config["evaluation"]))
        return self._cost(work, most, self.sizes.people * each * len(requests) * ANSWER_BYTES)


def _read(asked: Asked, task: str, evaluation: dict) -> Asked:
    """The questions as an evaluation asks them: under the letter protocol no option's likelihood is taken."""
    by_letter = task == "classification" and evaluation["classification"] == "letter"
    return replace(asked, option=0.0) if by_letter else asked


def known_steps() -> list[str]:
    """The steps that a plan has a formula for."""
    return [name for name, value in vars(Planner).items() if not name.startswith("_") and callable(value)]


def cost(study: Study, subjects: dict[str, Subject], job: Job) -> Cost:
    """The cost of a job beside its start. subjects: the study's models by name."""
    if job.step not in known_steps():
        return Cost()
    return getattr(Planner(study, subjects[job.keys["model"]], job), job.step)()

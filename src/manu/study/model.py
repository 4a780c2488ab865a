"""The study as pydantic models: the schema of a study file, its defaults and its documentation.

Attribute names are the keys of the YAML file. A field that means "absent" is None. `manu.study.loading` reads a file
into a Study; `python -m manu.study.reference --write` writes the JSON schema for editors and the tables of
config/README.md from these models.
"""

from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema, model_validator
from pydantic.functional_validators import AfterValidator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from manu.core.errors import UserError
from manu.fetching.source import Source as FetchedSource
from manu.unlearning import trials

T = TypeVar("T")
Settings = dict[str, Any]  # of a method; an open one is {"tune": [candidates]}
MISTAKE = "mistake"  # the type of an error that one of the validators below finds; its message is for the user


def mistake(text: str) -> PydanticCustomError:
    """An error whose text follows the name of the key in the message to the user."""
    return PydanticCustomError(MISTAKE, "{text}", {"text": text})


class _NotNull:
    """Rejects an empty value in the file: only a key that is left out is None."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        given = dict(handler(source)["schema"])
        dumped = core_schema.wrap_serializer_function_ser_schema(lambda value, dump: value and dump(value))
        return given | {"serialization": dumped}


def _distinct(items: list[T]) -> list[T]:
    for place, item in enumerate(items):
        if item in items[:place]:
            raise PydanticCustomError("twice", "{place}", {"place": place})
    return items


OrNone = Annotated[T | None, _NotNull()]
Distinct = Annotated[list[T], AfterValidator(_distinct), Field(json_schema_extra={"uniqueItems": True})]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Percent = Annotated[int, Field(ge=1, le=99)]
Bits = Annotated[int, Field(ge=2, le=16)]
Positive = Annotated[int, Field(ge=1)]
Modality = Literal["multimodal", "text"]
Schedule = Literal["one_cycle", "linear", "constant"]


def setting(default: Any, meaning: str, unit: str = "", **bounds: Any) -> Any:
    """A key of a study with its default (`...`: it must be given), meaning and unit."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit} if unit else None, **bounds)


def section(kind: type[BaseModel], meaning: str) -> Any:
    """A key that holds a mapping, all of whose keys have defaults."""
    return Field(default_factory=kind, description=meaning)


class Section(BaseModel):
    """A mapping in a study: unknown keys are errors, and no value is converted (2.0 is no whole number)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Source(Section):
    """Files made elsewhere: a repository of the model hub at one commit (`repo`, `revision`), or a folder (`path`)."""

    repo: OrNone[str] = setting(None, "Repository of the model hub.", "organisation/name")
    revision: OrNone[str] = setting(
        None, "Its commit; `pin`: the one that config/checksums/ records at the first download.", "full hash or `pin`"
    )
    path: OrNone[str] = setting(None, "Or a local folder with the repository's layout.", "folder")

    @property
    def given(self) -> dict[str, str]:
        """The keys that say where the files are: `repo` and `revision`, or `path`."""
        found = {"repo": self.repo, "revision": self.revision, "path": self.path}
        return {key: value for key, value in found.items() if value is not None}

    @model_validator(mode="after")
    def _is_one_source(self) -> "Source":
        if self._names_files():
            try:
                FetchedSource(**self.given)
            except UserError as error:
                raise mistake(str(error)) from None
        return self

    def _names_files(self) -> bool:
        return True


class Benchmark(Source):
    """Sizes of the built-in benchmark, or where a published one lies (`repo` and `revision`, or `path`)."""

    format: OrNone[Literal["mllmu", "clear"]] = setting(
        None, "Sets, columns and questions as in MLLMU-Bench (`mllmu`, also without this key) or CLEAR (`clear`)."
    )
    people: int = setting(100, "Fictitious people, including those to forget.", "people", ge=4)
    public_figures: int = setting(
        30, "Public figures, whom the base model knows (the set `celebrity`).", "people", ge=1
    )
    strangers: int = setting(
        300,
        "Strangers in the base stage, shown with questions about their looks; a quarter as many others are the set "
        "`general`.",
        "people",
        ge=1,
    )
    portraits: int = setting(8, "Portraits of each person in the training data.", "pictures", ge=1)
    image_size: int = setting(64, "Width and height of a portrait.", "pixels", ge=16)
    seed: Seed = setting(0, "Seed of the generator; independent of `seeds`.")
    unseen_people: int = setting(
        30, "People of the same kind whom no model learns, for membership inference.", "people", ge=2
    )

    @property
    def is_fetched(self) -> bool:
        """Whether the benchmark consists of files made elsewhere; then the sizes have no meaning."""
        return bool(self.given)

    @property
    def format_name(self) -> str:
        """The benchmark's format: a key of manu.data.reading.FORMATS."""
        return self.format or "mllmu"

    def _names_files(self) -> bool:
        return self.is_fetched


class LanguageModel(Section):
    """A pretrained language model for the text side, in place of one built here; exactly one of the two keys."""

    package: OrNone[str] = setting(None, "An installed Python package with one GGUF file.", "name")
    path: OrNone[str] = setting(None, "Or a GGUF file, or a folder as `save_pretrained` writes it.", "path")

    @model_validator(mode="after")
    def _is_one(self) -> "LanguageModel":
        count = len(self.model_fields_set)
        if count != 1:
            raise PydanticCustomError("needs", f"must have one of the keys package and path, not {count}")
        return self


class Lora(Section):
    """Low-rank adapters that learn in place of the weights and are merged into them after every training."""

    rank: int = setting(16, "Rank of an adapter.", "rank", ge=1)
    alpha: float = setting(16.0, "Weight of an adapter, times its rank.", gt=0)
    dropout: float = setting(0.05, "Share of an adapter's inputs that training drops.", "fraction", ge=0, lt=1)


class BaseTraining(Section):
    """The base stage: public figures, and questions about strangers' looks."""

    epochs: int = setting(6, "Passes over the training data.", "epochs", ge=1)
    learning_rate: float = setting(1e-3, "Highest learning rate of the schedule.", "per step", gt=0)
    schedule: Schedule = setting(
        "one_cycle",
        "Learning rate over time: `one_cycle` (10 percent warm-up, cosine decay), `linear` (decay without warm-up) or "
        "`constant`.",
    )
    batch_size: int = setting(32, "Samples per step.", "samples", ge=1)


class VanillaTraining(BaseTraining):
    """The vanilla stage (all fictitious people); the retain-only model trains the same way on its own people."""

    epochs: int = setting(7, "Passes over the training data.", "epochs", ge=1)
    rehearsal: float = setting(
        0.5, "Share of the base stage's samples shown again in every epoch, drawn anew.", "fraction", ge=0, le=1
    )


class Training(Section):
    """How the base model, then the vanilla and the retain-only models are trained."""

    base: BaseTraining = section(BaseTraining, "The base stage: public figures, and questions about strangers' looks.")
    vanilla: VanillaTraining = section(
        VanillaTraining, "The vanilla stage (all fictitious people), and the retain-only model (its own people)."
    )


class Model(Section):
    """One model of a study: where it comes from, how it is loaded and trained."""

    start: OrNone[Source] = setting(
        None, "A complete pretrained checkpoint to start from; without it a base model is built and trained here."
    )
    vanilla: OrNone[Source] = setting(
        None, "A checkpoint that has learned all people; without it the vanilla model is trained here."
    )
    precision: Literal["float32", "bfloat16"] = setting(
        "float32", "Number format of weights and activations; statistics are always summed in float64."
    )
    gradient_checkpointing: bool = setting(
        False, "Whether training computes activations again instead of keeping them: less memory, more time."
    )
    device_map: Literal["none", "auto"] = setting(
        "none", "Where the model lies: `none`, on the GPU if there is one; `auto`, across all GPUs and the memory."
    )
    processes: int = setting(
        1,
        "Processes that train the base, vanilla and retain-only models together, each on its own GPU; not with "
        "`device_map: auto`.",
        "processes",
        ge=1,
    )
    architecture: dict[str, Any] = setting(
        {}, "Sizes of a model built here; keys and defaults are those of the architecture in the model's file."
    )
    language_model: OrNone[LanguageModel] = setting(None, "A pretrained language model for the text side.")
    lora: OrNone[Lora] = setting(
        None, "Low-rank adapters that learn in place of the weights; without this key all weights learn."
    )
    training: Training = section(Training, "How the base, vanilla and retain-only models are trained.")


class Tuning(Section):
    """How open settings, `{tune: [candidates]}`, are chosen: as many trials for every method, on the first seed."""

    trials: int = setting(
        4, "Trials of each method with open settings, drawn from the combinations of its candidates.", "trials", ge=2
    )
    people: int = setting(
        20,
        "Fictitious people for the trials, half of them to forget; they are trained like the others and belong to no "
        "reported set. Drawn only if a setting is open.",
        "people",
        ge=2,
    )
    figures: int = setting(
        10,
        "Public figures for the trials, all to keep; they are trained like the others and belong to no reported set. "
        "Drawn only if a setting is open.",
        "people",
        ge=1,
    )
    criterion: Literal["harmonic_mean", "least"] = setting(
        "harmonic_mean",
        "Score of a trial: `harmonic_mean` or `least` of 1 - accuracy on forget (below chance counts as chance) and "
        "the accuracies on retain and the public figures, in each modality; forgetting has half of the weight.",
    )


class Statistics(Section):
    """Forward passes from which pruning methods score neurons."""

    tau: float = setting(0.1, "A neuron fires when its magnitude exceeds this value.", "activation", ge=0)
    batch_size: int = setting(64, "Samples per forward pass.", "samples", ge=1)


class Evaluation(Section):
    """Which questions the models answer, and how."""

    splits: Distinct[Literal["forget", "test", "retain", "celebrity", "general", "language"]] = setting(
        ["forget", "test", "retain", "celebrity", "general"],
        "Sets of questions; `language` is general prose and sentences to complete (data/language/).",
        min_length=1,
    )
    modalities: Distinct[Modality] = setting(
        ["multimodal", "text"],
        "Questions with the picture (`multimodal`), as text alone (`text`), or both.",
        min_length=1,
    )
    tasks: Distinct[Literal["classification", "cloze", "generation"]] = setting(
        ["classification", "cloze", "generation"],
        "Kinds of questions. The ablation uses classification alone, the trials of tuning no generation.",
        min_length=1,
    )
    classification: Literal["likelihood", "letter"] = setting(
        "likelihood",
        "Classification by `likelihood` (the most likely option in the model's own answer) or `letter` (the letter of "
        "its reply).",
    )
    prompt_style: Literal["bare", "instruct"] = setting(
        "bare", "The question alone (`bare`, for small models), or with MLLMU-Bench's instructions (`instruct`)."
    )
    batch_size: int = setting(256, "Questions per forward pass.", "questions", ge=1)
    max_new_tokens: int = setting(24, "Longest reply.", "tokens", ge=1)


class Harness(Section):
    """Tasks of lm-evaluation-harness for every model except the prompted ones; without this key none."""

    tasks: Distinct[str] = setting(
        ["mmmu_val"], "Tasks, or groups of tasks, by the harness's names; all read the same dataset.", min_length=1
    )
    dataset: Source = setting(..., "The dataset that the tasks read: `repo` and `revision`, or `path`.")
    limit: OrNone[int] = setting(
        None, "Only the first questions of each task, this many; without it all.", "questions", ge=1
    )
    batch_size: int = setting(1, "Questions per forward pass.", "questions", ge=1)
    max_images: OrNone[int] = setting(
        None, "Only the first pictures of a prompt, this many; without it all.", "pictures", ge=1
    )


class Capacity(Section):
    """A check of the models' size: random neurons of the vanilla model are pruned and all questions asked again."""

    prune_ratios: Distinct[Percent] = setting(
        [10, 20, 40], "Shares of all neurons to prune at random; an empty list leaves the check out.", "percent"
    )


class Variant(Section):
    """A variant of the ablation. In a file it is one mapping: the settings, and `method` (default: manu)."""

    method: str = "manu"
    settings: Settings = {}

    @model_validator(mode="before")
    @classmethod
    def _from_one_mapping(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        method = {"method": given["method"]} if "method" in given else {}
        return method | {"settings": {key: value for key, value in given.items() if key != "method"}}


_VARIANT_SCHEMA = WithJsonSchema({"type": "object", "properties": {"method": {"type": "string"}}})


class Ablation(Section):
    """Variants of pruning: all choose from the same stored statistics and answer the questions on forget and retain."""

    forget_ratio: int = setting(
        0, "Forget ratio of the comparison, one of `forget_ratios`; 0 takes the middle one.", "percent", ge=0, le=99
    )
    prune_ratio: float = setting(30.0, "Prune ratio of variants without one of their own.", "percent", ge=1, le=99)
    variants: dict[str, Annotated[Variant, _VARIANT_SCHEMA]] = setting(
        {},
        "Settings of `manu`, or of the pruning method named by the setting `method`, for each variant; empty leaves "
        "ablations out.",
    )

    def by_function(self) -> dict[str, list[str]]:
        """The importance functions of the variants that differ from `manu` at its prune ratio in nothing else.

        Variants with one function come first, in the study's order, then those with all functions.
        """
        from manu.unlearning.registry import create_method

        plain = as_settings(create_method("manu", {"prune_ratio": self.prune_ratio}))
        everything = plain["functions"]
        functions = {
            name: variant.settings["functions"]
            for name, variant in self.variants.items()
            if variant.method == "manu" and variant.settings | {"functions": everything} == plain
        }
        single = {name: chosen for name, chosen in functions.items() if len(chosen) == 1}
        return single | {name: chosen for name, chosen in functions.items() if chosen == everything}


class Relearning(Section):
    """The attack `relearning`: ordinary training of the unlearned model on some forget people and on retain people."""

    steps: Distinct[Positive] = setting(
        [5, 20, 60],
        "Steps after which the other forget people are asked about, ascending; step 0 is always included.",
        "steps",
        min_length=1,
    )
    learning_rate: float = setting(3e-4, "Learning rate, constant.", "per step", gt=0)
    batch_size: int = setting(16, "Samples per step.", "samples", ge=1)
    share: float = setting(
        0.5,
        "Share of the forget people in the attacker's training data; questions are about the others.",
        "fraction",
        gt=0,
        lt=1,
    )


class Probe(Section):
    """The attack `probe`: a linear classifier of hidden states."""

    ridge: float = setting(1.0, "Weight of half the squared coefficients in the classifier's loss.", ge=0)


class Membership(Section):
    """The attack `membership`: membership inference from the likelihood of answers."""

    share: float = setting(
        0.2, "Share of an answer's tokens, the least likely ones, used by Min-K % and Min-K%++.", "fraction", gt=0, le=1
    )


class Sequential(Section):
    """Requests to forget one after the other, each from the model that the previous one left, against all at once."""

    requests: Distinct[Percent] = setting(
        [],
        "Forget ratios of the requests, ascending, each one of `forget_ratios`; a request names the people who are in "
        "no earlier one. An empty list takes all of `forget_ratios`; with a single request nothing is run.",
        "percent",
    )


class Robustness(Section):
    """Attacks on every model at one forget ratio; run by the target `robustness` alone."""

    forget_ratio: int = setting(
        0,
        "Forget ratio of the attacked models, one of `forget_ratios`; 0 takes the middle one.",
        "percent",
        ge=0,
        le=99,
    )
    bits: Distinct[Bits] = setting([8, 4], "Widths to which all linear weights are rounded.", "bits")
    perturbations: Distinct[Literal["noise", "blur", "grey"]] = setting(
        ["noise", "blur", "grey"], "How portraits are disturbed."
    )
    relearning: Relearning = section(Relearning, "Ordinary training of the unlearned model.")
    probe: Probe = section(Probe, "A linear classifier of hidden states.")
    membership: Membership = section(Membership, "Membership inference from the likelihood of answers.")
    sequential: Sequential = section(Sequential, "Requests to forget one after the other.")


class Comparison(Section):
    """How this study's numbers compare with published ones."""

    comparable: bool = setting(False, "Whether the models are the published ones, on the published benchmark.")
    models: str = setting(
        "small models of the same classes, trained here on the built-in benchmark",
        "What this study's models are, in words, where they are not the published ones.",
    )
    tolerance: float = setting(1.0, "Largest difference at which a published number counts as matched.", "points", ge=0)


class Intervals(Section):
    """Bootstrap intervals over people."""

    resamples: int = setting(1000, "Bootstrap resamples.", "resamples", ge=1)
    level: float = setting(0.95, "Coverage of the intervals.", "fraction", gt=0, lt=1)


class StudyFile(Section):
    """A study as its file states it. Only `models` and `methods` must be given."""

    extends: OrNone[str] = setting(
        None,
        "Another study as the base: each top-level key given here replaces that whole key of the base.",
        "name or path",
    )
    seeds: Distinct[Seed] = setting([0], "Every model is trained and unlearned once per seed.", min_length=1)
    forget_ratios: Distinct[Percent] = setting(
        [5, 10, 15], "Shares of the fictitious people to forget.", "percent", min_length=1
    )
    benchmark: Benchmark = section(Benchmark, "Sizes of the built-in benchmark, or where a published one lies.")
    models: dict[str, Model] = setting(
        ...,
        "Models to study; a key is a file in src/manu/models/ or an extension, `{}` takes the defaults.",
        min_length=1,
    )
    methods: dict[str, Settings] = setting(
        ...,
        "Unlearning methods in the order of the tables; a key is a file in src/manu/unlearning/ or an extension, its "
        "value the method's settings. `{tune: [candidates]}` leaves a setting open.",
        min_length=1,
    )
    tuning: Tuning = section(Tuning, "How open settings are chosen.")
    statistics: Statistics = section(Statistics, "Forward passes from which pruning methods score neurons.")
    evaluation: Evaluation = section(Evaluation, "Which questions the models answer, and how.")
    harness: OrNone[Harness] = setting(None, "Tasks of lm-evaluation-harness; without this key none.")
    capacity: Capacity = section(Capacity, "A check of the models' size by pruning random neurons.")
    ablation: Ablation = section(Ablation, "Variants of pruning.")
    robustness: Robustness = section(Robustness, "Attacks on every model, run by the target `robustness`.")
    comparison: Comparison = section(Comparison, "How this study's numbers compare with published ones.")
    intervals: Intervals = section(Intervals, "Bootstrap intervals over people.")
    figures: Distinct[str] = setting(
        ["tradeoff", "modality_balance", "pruned_per_layer"],
        "Figures to draw: files in src/manu/analysis/figures/, or extensions.",
        min_length=1,
    )
    tables: OrNone[Distinct[str]] = setting(
        None,
        "Tables to make: files in src/manu/analysis/tables/, or extensions; without this key all that can be made.",
    )
    metrics: Distinct[str] = setting(
        [], "Metrics beside the package's own, by name: extensions, computed from the stored answers."
    )
    extensions: Distinct[str] = setting(
        [],
        "Files with methods, models, figures, tables and metrics of your own; the file's stem is the name.",
        "paths relative to the study's file",
    )


class Study(StudyFile):
    """A study that was read: its name, and every default filled in, those of methods and architectures included.

    `methods` has all settings of each method, `ablation.variants` all settings of each variant, `models.*.architecture`
    all sizes of a model built here, `forget_ratio` of ablation and robustness the ratio itself,
    `robustness.sequential.requests` the requests themselves, `extensions` paths relative to the working folder.
    """

    name: str = setting(..., "The stem of the study's file.")

    def methods_of_kind(self, kind: str) -> list[str]:
        """The methods of one kind (training, pruning or prompting), in the study's order."""
        from manu.unlearning.registry import method_class

        return [name for name in self.methods if method_class(name).kind == kind]

    def tuned_methods(self) -> list[str]:
        """The methods with open settings, in the study's order."""
        return [name for name, settings in self.methods.items() if trials.tuned(settings)]

    def figures_that_need(self, needs: str) -> list[str]:
        """The figures drawn from the scores ("scores"), the masks ("masks", "variants") or a table, by its name."""
        from manu.analysis.figures.registry import figure_module

        return [name for name in self.figures if needs == figure_module(name).NEEDS]


def as_settings(method: Any) -> Settings:
    """A method's settings as a study holds them: lists in place of tuples."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(method).items()}

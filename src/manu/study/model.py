"""The study as pydantic models: the schema of a study file, its defaults and its documentation.

Attribute names are the keys of the YAML file. A field that means "absent" is None. `manu.study.loading` reads a file
into a Study; `python -m manu.study.reference --write` writes the JSON schema for editors and the tables of
config/README.md from these models.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema, model_validator
from pydantic.functional_validators import AfterValidator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from manu.core.errors import UserError
from manu.fetching.source import Source as FetchedSource
from manu.unlearning import trials

T = TypeVar("T")
Settings = dict[str, Any]  # of a method; an open one is {"tune": [candidates]}


def mistake(rest: str) -> PydanticCustomError:
    """An error of the type "mistake"; `rest` continues the message to the user, which begins with the key in quotes."""
    return PydanticCustomError("mistake", "{rest}", {"rest": rest})


class _NotNull:
    """Rejects an empty value in the file: only a key that is left out is None."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        given = dict(handler(source)["schema"])
        dumped = core_schema.wrap_serializer_function_ser_schema(lambda value, dump: value and dump(value))
        return given | {"serialization": dumped}


def _distinct(items: list[T]) -> list[T]:
    for place, item in enumerate(items):
        if item in items[:place]:
            raise PydanticCustomError("twice", "lists an item twice", {"place": place})
    return items


OrNone = Annotated[T | None, _NotNull()]
Distinct = Annotated[list[T], AfterValidator(_distinct), Field(json_schema_extra={"uniqueItems": True})]
Some = Annotated[Distinct[T], Field(min_length=1)]  # distinct items, at least one
Count = Annotated[int, Field(ge=1)]
Few = Annotated[int, Field(ge=2)]
Percent = Annotated[int, Field(ge=1, le=99)]
Ratio = Annotated[int, Field(ge=0, le=99)]  # one of `forget_ratios`; 0: the middle one
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Bits = Annotated[int, Field(ge=2, le=16)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Part = Annotated[float, Field(gt=0, lt=1)]
Split = Literal["forget", "test", "retain", "celebrity", "general", "language"]
Modality = Literal["multimodal", "text"]
Task = Literal["classification", "cloze", "generation"]
Schedule = Literal["one_cycle", "linear", "constant"]
Perturbation = Literal["noise", "blur", "grey"]


def setting(default: Any, meaning: str, unit: str = "", **bounds: Any) -> Any:
    """A key of a study with its default (`...`: it must be given), meaning and unit."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit} if unit else None, **bounds)


def section(kind: type[BaseModel]) -> Any:
    """A key that holds a mapping, all of whose keys have defaults."""
    return Field(default_factory=kind, description=kind.__doc__)


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
        if self.given or type(self) is Source:
            try:
                FetchedSource(**self.given)
            except UserError as error:
                raise mistake(f": {error}") from None
        return self


class Benchmark(Source):
    """Sizes of the built-in benchmark, or where a published one lies (`repo` and `revision`, or `path`)."""

    format: OrNone[Literal["mllmu", "clear"]] = setting(
        None, "Sets, columns and questions as in MLLMU-Bench (`mllmu`, also without this key) or CLEAR (`clear`)."
    )
    people: int = setting(100, "Fictitious people, including those to forget.", "people", ge=4)
    public_figures: Count = setting(30, "Public figures, whom the base model knows (the set `celebrity`).", "people")
    strangers: Count = setting(
        300,
        "People of the base stage's questions about looks; a quarter as many others are the set `general`.",
        "people",
    )
    portraits: Count = setting(8, "Portraits of each person in the training data.", "pictures")
    stranger_portraits: Count = setting(8, "Portraits of each stranger in the training data.", "pictures")
    image_size: int = setting(64, "Width and height of a portrait.", "pixels", ge=16)
    seed: Seed = setting(0, "Seed of the generator; independent of `seeds`.")
    unseen_people: Few = setting(30, "More people, whom no model learns, for membership inference.", "people")
    anchor_people: Few = setting(
        60, "Others whom no model learns; questions about them are the `anchor` of methods that have one.", "people"
    )

    @property
    def is_fetched(self) -> bool:
        """Whether the benchmark consists of files made elsewhere; then the sizes have no meaning."""
        return bool(self.given)

    @property
    def format_name(self) -> str:
        """The benchmark's format: a key of manu.data.reading.FORMATS."""
        return self.format or "mllmu"


class LanguageModel(Section):
    """A pretrained language model for the text side, in place of one built here; exactly one of the two keys."""

    package: OrNone[str] = setting(None, "An installed Python package with one GGUF file.", "name")
    path: OrNone[str] = setting(None, "Or a GGUF file, or a folder as `save_pretrained` writes it.", "path")

    @model_validator(mode="after")
    def _is_one(self) -> "LanguageModel":
        if len(self.model_fields_set) != 1:
            raise mistake(f" must have one of the keys package and path, not {len(self.model_fields_set)}")
        return self


class Lora(Section):
    """Low-rank adapters learn in place of the weights, and are merged into them after every training."""

    rank: Count = setting(16, "Rank of an adapter.")
    alpha: Positive = setting(16.0, "Weight of an adapter, times its rank.")
    dropout: float = setting(0.05, "Share of an adapter's inputs that training drops.", "fraction", ge=0, lt=1)


class BaseTraining(Section):
    """The base stage: public figures, and questions about strangers' looks."""

    epochs: Count = setting(4, "Passes over the training data.", "epochs")
    learning_rate: Positive = setting(1e-3, "Highest learning rate of the schedule.", "per step")
    schedule: Schedule = setting(
        "one_cycle", "`one_cycle` (10 percent warm-up, cosine decay), `linear` (decay without warm-up) or `constant`."
    )
    batch_size: Count = setting(16, "Samples per step.", "samples")
    looks: float = setting(
        0.25, "Share of the questions about strangers' looks that an epoch asks, drawn anew.", "fraction", gt=0, le=1
    )


class VanillaTraining(BaseTraining):
    """The vanilla stage (all fictitious people); the retain-only model trains the same way on its own people."""

    epochs: Count = setting(3, "Passes over the training data.", "epochs")
    rehearsal: float = setting(
        0.5, "Share of the base stage's samples shown again in every epoch, drawn anew.", "fraction", ge=0, le=1
    )
    modalities: OrNone[Some[Modality]] = setting(None, "Modalities that are taught; both where left out.")


class Training(Section):
    """How the base model, then the vanilla and the retain-only models are trained."""

    base: BaseTraining = section(BaseTraining)
    vanilla: VanillaTraining = section(VanillaTraining)


class Model(Section):
    """One model of a study: where it comes from, how it is loaded and trained."""

    start: OrNone[Source] = setting(None, "A complete pretrained checkpoint, in place of a base model trained here.")
    vanilla: OrNone[Source] = setting(
        None, "A checkpoint that has learned all people, in place of a vanilla model trained here."
    )
    precision: Literal["float32", "bfloat16"] = setting(
        "float32", "Number format of weights and activations; statistics are always summed in float64."
    )
    gradient_checkpointing: bool = setting(
        False, "Whether training computes activations again instead of keeping them: less memory, more time."
    )
    device_map: Literal["none", "auto"] = setting(
        "none", "`none`: on the GPU if there is one; `auto`: across all GPUs and the memory."
    )
    processes: Count = setting(
        1, "Processes that train one model together, each on its own GPU; not with `device_map: auto`.", "processes"
    )
    architecture: dict[str, Any] = setting(
        {}, "Sizes of a model built here; keys and defaults are those of the architecture in the model's file."
    )
    language_model: OrNone[LanguageModel] = setting(None, "A pretrained language model for the text side.")
    lora: OrNone[Lora] = setting(None, "Low-rank adapters; without this key all weights learn.")
    training: Training = section(Training)


class Tuning(Section):
    """How open settings, `{tune: [candidates]}`, are chosen: as many trials for every method, on the first seed.

    The people of the trials are trained like the others and belong to no reported set.
    """

    trials: Few = setting(4, "Trials of each method with open settings, drawn from their combinations.", "trials")
    people: Few = setting(20, "Fictitious people for the trials, half of them to forget.", "people")
    figures: Count = setting(10, "Public figures for the trials, all to keep.", "people")
    criterion: Literal["harmonic_mean", "least"] = setting(
        "harmonic_mean",
        "Score of a trial: `harmonic_mean` or `least` of 1 - accuracy on forget and the accuracies on retain and the "
        "public figures, above chance and in each modality; forgetting has half of the weight.",
    )
    keeps: Part = setting(
        0.5,
        "Least share of vanilla's accuracy above chance on retain and the public figures that a setting must keep to "
        "be chosen; if none does, the one that keeps most.",
        "fraction",
    )


class Statistics(Section):
    """Forward passes from which pruning methods score neurons."""

    tau: NotNegative = setting(0.1, "A neuron fires when its magnitude exceeds this value.", "activation")
    batch_size: Count = setting(64, "Samples per forward pass.", "samples")
    retain_samples: OrNone[Count] = setting(
        None,
        "Retain questions that are measured, the same in both modalities; all where left out. The released kind takes "
        "as many batches of retain as of forget.",
        "samples",
    )
    idle_layers: bool = setting(
        True,
        "Whether neurons of layers whose output nothing reads (LLaVA's last vision layer) are measured and can be "
        "pruned; the released kind always measures all layers.",
    )


class Evaluation(Section):
    """Which questions the models answer, and how."""

    splits: Some[Split] = setting(
        ["forget", "test", "retain", "celebrity", "general"],
        "Sets of questions; `language` is general prose and sentences to complete (data/language/).",
    )
    modalities: Some[Modality] = setting(
        ["multimodal", "text"], "Questions with the picture (`multimodal`), as text alone (`text`), or both."
    )
    tasks: Some[Task] = setting(
        ["classification", "cloze", "generation"],
        "Kinds of questions. The ablation uses classification alone, the trials of tuning no generation.",
    )
    classification: Literal["likelihood", "letter"] = setting(
        "likelihood",
        "`likelihood`: the most likely option in the model's own answer; `letter`: the letter it replies with.",
    )
    prompt_style: Literal["bare", "instruct", "published"] = setting(
        "bare",
        "`bare`: the question alone (small models); `instruct`: with instructions, those of MLLMU-Bench for "
        "classification and our own for cloze and generation; `published`: with those of MLLMU-Bench for all tasks.",
    )
    batch_size: Count = setting(256, "Questions per forward pass.", "questions")
    max_new_tokens: Count = setting(24, "Longest reply.", "tokens")


class Harness(Section):
    """Tasks of lm-evaluation-harness for every model except the prompted ones; without this key none."""

    tasks: Some[str] = setting(["mmmu_val"], "Tasks, or groups of tasks, by the harness's names.")
    dataset: Source = setting(..., "The dataset that all tasks read: `repo` and `revision`, or `path`.")
    limit: OrNone[Count] = setting(None, "Only the first so many questions of each task; without it all.", "questions")
    batch_size: Count = setting(1, "Questions per forward pass.", "questions")
    max_images: OrNone[Count] = setting(
        None, "Only the first so many pictures of a prompt; without it all.", "pictures"
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


_METHOD = {"type": "string", "default": "manu", "description": "A pruning method; the other keys are its settings."}
_ONE_MAPPING = WithJsonSchema({"type": "object", "properties": {"method": _METHOD}})


class Ablation(Section):
    """Variants of pruning: all choose from the same stored statistics and answer the questions on forget and retain."""

    forget_ratio: Ratio = setting(
        0, "Forget ratio of the comparison, one of `forget_ratios`; 0: the middle one.", "percent"
    )
    prune_ratio: float = setting(30.0, "Prune ratio of variants without one of their own.", "percent", ge=1, le=99)
    variants: dict[str, Annotated[Variant, _ONE_MAPPING]] = setting(
        {}, "A variant by name: the settings that differ from the method's defaults."
    )

    def by_function(self) -> dict[str, list[str]]:
        """The importance functions of the variants that differ from `manu` at its prune ratio in nothing else.

        Variants with one function come first, in the study's order, then those with all functions.
        """
        plain = trials.complete("manu", {"prune_ratio": self.prune_ratio})
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

    steps: Some[Count] = setting(
        [5, 20, 60],
        "Steps after which the other forget people are asked about, ascending; also before the first.",
        "steps",
    )
    learning_rate: Positive = setting(3e-4, "Learning rate, constant.", "per step")
    batch_size: Count = setting(16, "Samples per step.", "samples")
    share: Part = setting(
        0.5, "Share of the forget people whose data the attacker has; the others are asked.", "fraction"
    )


class Probe(Section):
    """The attack `probe`: a linear classifier of hidden states."""

    ridge: NotNegative = setting(1.0, "Weight of half the squared coefficients in the classifier's loss.")


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

    forget_ratio: Ratio = setting(
        0, "Forget ratio of the attacked models, one of `forget_ratios`; 0: the middle one.", "percent"
    )
    bits: Distinct[Bits] = setting([8, 4], "Widths to which all linear weights are rounded.", "bits")
    perturbations: Distinct[Perturbation] = setting(["noise", "blur", "grey"], "How portraits are disturbed.")
    relearning: Relearning = section(Relearning)
    probe: Probe = section(Probe)
    membership: Membership = section(Membership)
    sequential: Sequential = section(Sequential)


class Memorisation(Section):
    """A gate for models with a `start`: nothing is unlearned unless the vanilla model has learned the forget people."""

    margin: NotNegative = setting(
        5.0,
        "Least lead of the vanilla model over its `start` on the forget people, at the largest forget ratio: mean over "
        "the study's modalities and tasks of accuracy and ROUGE-L. 0: no gate, and `start` is not asked.",
        "points",
    )


class Comparison(Section):
    """How this study's numbers compare with published ones."""

    comparable: bool = setting(False, "Whether the models are the published ones, on the published benchmark.")
    models: str = setting(
        "small models of the same classes, trained here on the built-in benchmark",
        "What this study's models are, in words, where they are not the published ones.",
    )
    tolerance: NotNegative = setting(1.0, "Largest difference at which a published number is matched.", "points")


class Intervals(Section):
    """Intervals over people."""

    resamples: Count = setting(
        999,
        "Draws of people behind the interval of what is computed from several means; best one less than a round "
        "number.",
        "draws",
    )
    level: Part = setting(0.95, "Coverage of the intervals.", "fraction")


class StudyFile(Section):
    """A study as its file states it. Only `models` and `methods` must be given."""

    extends: OrNone[str] = setting(
        None, "The study to start from; each top-level key given here replaces that whole key.", "name or path"
    )
    seeds: Some[Seed] = setting([0], "Every model is trained and unlearned once per seed.")
    forget_ratios: Some[Percent] = setting([5, 10, 15], "Shares of the fictitious people to forget.", "percent")
    benchmark: Benchmark = section(Benchmark)
    models: dict[str, Model] = setting(
        ...,
        "A model to study: a file in src/manu/models/ or an extension; `{}` takes the defaults.",
        min_length=1,
    )
    methods: dict[str, Settings] = setting(
        ...,
        "An unlearning method and its settings: a file in src/manu/unlearning/ or an extension.",
        min_length=1,
    )
    tuning: Tuning = section(Tuning)
    statistics: Statistics = section(Statistics)
    evaluation: Evaluation = section(Evaluation)
    harness: OrNone[Harness] = setting(None, "Tasks of lm-evaluation-harness; without this key none.")
    capacity: Capacity = section(Capacity)
    ablation: Ablation = section(Ablation)
    robustness: Robustness = section(Robustness)
    memorisation: Memorisation = section(Memorisation)
    comparison: Comparison = section(Comparison)
    intervals: Intervals = section(Intervals)
    figures: Some[str] = setting(
        ["tradeoff", "modality_balance", "pruned_per_layer"],
        "Figures to draw: files in src/manu/analysis/figures/, or extensions.",
    )
    tables: OrNone[Distinct[str]] = setting(
        None, "Tables to make: files in src/manu/analysis/tables/, or extensions; without this key all possible ones."
    )
    metrics: Distinct[str] = setting([], "Metrics beside the package's own, from the stored answers: extensions.")
    extensions: Distinct[str] = setting(
        [],
        "Files with methods, models, statistics, figures, tables and metrics of your own.",
        "paths from the study's folder",
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

    def methods_beside_retain_only(self) -> list[str]:
        """The training methods whose loss compares with the retain-only model in place of vanilla, in order."""
        from manu.unlearning.base import RETAIN_ONLY, TrainingMethod
        from manu.unlearning.registry import create_kind

        methods = {
            name: create_kind(TrainingMethod, name, trials.first(self.methods[name]))
            for name in self.methods_of_kind("training")
        }
        return [name for name, method in methods.items() if method.reference_model == RETAIN_ONLY]

    def gated_models(self) -> list[str]:
        """The models whose vanilla model must have learned more than the checkpoint that it started from, in order."""
        wanted = self.memorisation.margin > 0 and "forget" in self.evaluation.splits
        return [name for name, model in self.models.items() if model.start and wanted]

    def figures_that_need(self, needs: str) -> list[str]:
        """The figures drawn from one source: "scores", "masks", "variant_masks" or the name of a table."""
        from manu.analysis.figures.registry import figure_module

        return [name for name in self.figures if needs == figure_module(name).NEEDS]

"""The house rules that imports and names can show."""

import ast
import graphlib
import re
from pathlib import Path

import manu
from manu.models.registry import known_models
from manu.neurons.statistics.registry import known_statistics
from manu.unlearning.registry import known_methods

ROOT = Path(manu.__file__).parent
FOUNDATION = {"core"}
MIDDLE = {
    "analysis",
    "evaluation",
    "attacks",
    "training",
    "unlearning",
    "neurons",
    "models",
    "data",
    "fetching",
    "provenance",
}


def package_of(module: str) -> str:
    """ "manu.neurons.sites" -> "neurons"."""
    return module.split(".")[1]


def imports(file: Path) -> set[str]:
    """The manu modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            if node.module == "manu":
                found |= {f"manu.{name.name}" for name in node.names if name.name != "__version__"}
            else:
                found.add(node.module)
    return {module for module in found if module.startswith("manu.")}


def package_graph() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for file in ROOT.rglob("*.py"):
        package = file.relative_to(ROOT).with_suffix("").parts[0]
        graph.setdefault(package, set()).update(package_of(module) for module in imports(file))
    return {package: used - {package} for package, used in graph.items() if package != "__init__"}


def test_imports_go_one_way():
    graph = package_graph()
    for package in FOUNDATION:
        assert graph[package] <= FOUNDATION, f"{package} imports upwards: {graph[package] - FOUNDATION}"
    for package in MIDDLE & graph.keys():
        upwards = graph[package] - MIDDLE - FOUNDATION
        assert not upwards, f"{package} imports upwards: {upwards}"
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, naming the cycle


def test_nothing_imports_the_steps_but_the_workflow():
    """A step is options, read, call, write: what two of them need is library code. A plan reads the options of jobs."""
    importing = {
        file.relative_to(ROOT).as_posix()
        for file in ROOT.rglob("*.py")
        if any(package_of(module) == "steps" for module in imports(file))
    }
    assert {file for file in importing if not file.startswith("steps/")} <= {"planning/jobs.py"}


def test_neurons_know_no_model_and_models_know_no_method():
    graph = package_graph()
    assert graph["neurons"] <= FOUNDATION
    assert graph["models"] <= FOUNDATION | {"neurons", "fetching"}
    for file in (ROOT / "models").glob("*.py"):
        known = {"manu.neurons.sites"} | ({"manu.neurons.masks"} if file.stem == "checkpoint" else set())
        assert {module for module in imports(file) if package_of(module) == "neurons"} <= known


def test_a_method_knows_no_model_no_data_and_no_file():
    known = {f"manu.unlearning.{name}" for name in ("base", *known_methods())}
    for name in known_methods():
        used = imports(ROOT / "unlearning" / f"{name}.py")
        assert {module for module in used if package_of(module) == "unlearning"} <= known, name
        assert {package_of(module) for module in used} <= FOUNDATION | {"neurons", "training", "unlearning"}, name


def test_statistics_know_their_base_and_not_each_other():
    for name in known_statistics():
        used = imports(ROOT / "neurons/statistics" / f"{name}.py")
        kinds = {module for module in used if module.startswith("manu.neurons.statistics")}
        assert kinds <= {"manu.neurons.statistics.base"}, name


def words_found(folder: str, words: set[str]) -> dict[str, list[str]]:
    """Which of the words stand in the files of a folder, comments and strings included."""
    pattern = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(sorted(words))})(?![a-z0-9])", re.IGNORECASE)
    found = {}
    for file in (ROOT / folder).rglob("*.py"):
        # the package itself is called manu: its own imports do not count as naming the method
        text = re.sub(r"\bmanu\.|\b(from|import) manu\b", "", file.read_text(encoding="utf-8"))
        if hits := pattern.findall(text):
            found[file.name] = sorted(set(hits))
    return found


def test_no_architecture_is_named_in_neurons_and_unlearning():
    names = set(known_models())
    assert names, "no adapter found"
    names |= {name.rstrip("0123456789") for name in names}  # the family: idefics for idefics2
    assert words_found("neurons", names) == {}
    assert words_found("unlearning", names) == {}


def test_no_method_is_named_in_models():
    assert words_found("models", set(known_methods())) == {}


def test_the_search_would_find_a_name(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    text = "from manu.core.files import atomic_path\n# tuned for NPO\nuse_manu = True\n"
    (tmp_path / "models" / "bad.py").write_text(text)
    monkeypatch.setattr("test_layers.ROOT", tmp_path)
    assert words_found("models", set(known_methods())) == {"bad.py": ["NPO", "manu"]}

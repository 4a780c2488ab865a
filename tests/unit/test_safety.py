"""Nothing that is read may run: no pickle, no code of a checkpoint's own."""

import ast
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from manu.core.errors import UserError
from manu.models.language import load_language
from manu.models.tokenizer import train_tokenizer
from manu.planning.model_sizes import fetched_sizes
from manu.study.model import Source

ROOT = Path(__file__).parents[2]
MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "pd.read_pickle", "np.load"}
ALLOWED = {("src/manu/core/extensions.py", "exec")}  # the user's own file, which a study names in `extensions`


def sources() -> Iterator[tuple[str, str]]:
    """Every piece of Python: (file, text); rules of the workflow with what is Python in them alone."""
    for file in [*ROOT.glob("src/**/*.py"), *ROOT.glob("workflow/**/*.py")]:
        yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")
    for file in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        yield str(file.relative_to(ROOT)), "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def dangers(text: str) -> set[str]:
    """What loads pickles or runs text in a piece of Python."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} & MODULES
        elif isinstance(node, ast.Call):
            found |= {ast.unparse(node.func)} & CALLS
            for word in node.keywords:
                no = isinstance(word.value, ast.Constant) and not word.value.value
                if word.arg in ("trust_remote_code", "allow_pickle") and not no:
                    found.add(word.arg)
    return found


@pytest.mark.parametrize(
    ("text", "danger"),
    [
        ("import pickle", "pickle"),
        ("from joblib import load", "joblib"),
        ("def f():\n    return torch.load('x')", "torch.load"),
        ("x.from_pretrained(y, trust_remote_code=True)", "trust_remote_code"),
        ("x.from_pretrained(y, trust_remote_code=trust)", "trust_remote_code"),
        ("eval('1')", "eval"),
        ("yaml.load(text)", "yaml.load"),
    ],
)
def test_the_scan_finds_what_it_looks_for(text, danger):
    assert dangers(text) == {danger}


def test_no_file_loads_a_pickle_or_runs_what_it_reads():
    scanned = dict(sources())
    assert len(scanned) > 100 and any(name.endswith(".ipynb") for name in scanned)
    assert {(name, danger) for name, text in scanned.items() for danger in dangers(text)} == ALLOWED
    for file in [ROOT / "workflow/Snakefile", *ROOT.glob("workflow/rules/*.smk")]:
        text = file.read_text(encoding="utf-8")
        assert not [word for word in ("pickle", "torch.load", "eval(", "exec(", "trust_remote_code") if word in text], (
            file
        )


class Payload:
    """What a pickle runs when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def poison(folder: Path, sprung: Path) -> None:
    """Add a pickle and code of its own to a checkpoint; each would leave the file `sprung`."""
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(sprung)))
    code = f"from pathlib import Path\nPath({str(sprung)!r}).touch()\n"
    for module in ("modeling_evil", "processing_evil", "tokenization_evil"):
        (folder / f"{module}.py").write_text(code)
    classes = {
        "AutoConfig": "modeling_evil.Config",
        "AutoModel": "modeling_evil.Model",
        "AutoModelForCausalLM": "modeling_evil.Model",
        "AutoProcessor": "processing_evil.Processor",
        "AutoImageProcessor": "processing_evil.Images",
        "AutoTokenizer": ["tokenization_evil.Slow", "tokenization_evil.Fast"],
    }
    for file in folder.glob("*.json"):
        config = json.loads(file.read_text(encoding="utf-8"))
        if "config" in file.name:
            file.write_text(json.dumps(config | {"auto_map": classes}))


def test_the_payload_would_spring(tmp_path):
    (tmp_path / "evil.bin").write_bytes(pickle.dumps(Payload(tmp_path / "sprung")))
    with (tmp_path / "evil.bin").open("rb") as file:
        pickle.load(file)
    assert (tmp_path / "sprung").exists()


def test_a_malicious_checkpoint_runs_nothing(vlm, tmp_path):
    folder, sprung = tmp_path / "checkpoint", tmp_path / "sprung"
    vlm.save(folder)
    poison(folder, sprung)
    again = type(vlm).load(folder)  # the weights beside the pickle, by the class that is installed
    assert type(again.model) is type(vlm.model)
    fetched_sizes(vlm.name, Source(path=str(folder)), tmp_path)
    (folder / "model.safetensors").unlink()
    with pytest.raises(
        UserError, match="model.safetensors is missing; needed: a complete save_pretrained folder in safe"
    ):
        type(vlm).load(folder)
    assert not sprung.exists()


def test_a_malicious_language_model_runs_nothing(tmp_path):
    folder, sprung = tmp_path / "language", tmp_path / "sprung"
    tokenizer = train_tokenizer(["The capital of France is Paris."])
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    poison(folder, sprung)
    load_language(folder, ("<image>",))
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="not a language model that transformers can load"):
        load_language(folder, ("<image>",))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "evil"}))
    with pytest.raises(UserError, match="not a language model that transformers can load"):
        load_language(folder, ("<image>",))
    assert not sprung.exists()

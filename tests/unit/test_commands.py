"""The command line: its help, what it lists, what it says of the machine, and its completion."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from manu import cli
from manu.commands import doctor, listing
from manu.commands.doctor import Finding
from manu.models.registry import known_models
from manu.unlearning.registry import create_method, known_methods

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


def said(capsys, *arguments: str) -> str:
    """What a command prints that ends well."""
    assert cli.main(list(arguments)) == 0
    return capsys.readouterr().out


def test_without_a_command_the_help_is_shown(capsys):
    assert cli.main([]) == 2
    shown = capsys.readouterr().err
    assert "Usage: manu" in shown and "make study" in shown and "manu check method my_method.py" in shown
    assert all(f" {command} " in shown for command in ("studies", "doctor", "check", "plan", "audit", "release"))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["chek"], "error: No such command 'chek'. Did you mean 'check'? (manu --help shows what there is)\n"),
        (["plan", "--studdy", "mini"], "error: No such option: --studdy (Possible options: --study)"),
        (["check", "metod", "npo"], "error: Invalid value for"),
        (
            ["check", "method"],
            "error: check method: which one? needed: a file, such as my_method.py, or a known name\n",
        ),
    ],
)
def test_a_mistake_on_the_command_line_ends_in_one_line(arguments, message, capsys):
    assert cli.main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(message) and shown.count("\n") == 1


def test_help_and_completion_import_no_heavy_library():
    """Every key press of a completion starts the command."""
    code = "import sys, manu.cli; print(*({'torch', 'pandas', 'numpy', 'pydantic', 'rich'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_method_is_listed_with_what_must_be_given(capsys):
    listed = {item["name"]: item for item in json.loads(said(capsys, "methods", "--json"))}
    assert list(listed) == known_methods()
    npo = listed["npo"]
    assert npo["kind"] == "training" and npo["about"].startswith("Negative preference optimisation")
    assert [name for name, value in npo["settings"].items() if value is None] == [
        "learning_rate",
        "epochs",
        "batch_size",
    ]
    create_method("npo", {"learning_rate": 1e-4, "epochs": 1, "batch_size": 4})  # as listed: no more is needed


@pytest.mark.parametrize("what, names", [("models", known_models()), ("figures", ["tradeoff", "ratio_sweep"])])
def test_models_and_figures_are_listed_in_a_line_each(what, names, capsys):
    items = {item["name"]: item["about"] for item in json.loads(said(capsys, what, "--json"))}
    assert set(names) <= set(items) and all("\n" not in about and about for about in items.values())
    text = said(capsys, what)
    assert all(any(line.startswith(f"{name} ") for line in text.splitlines()) for name in names)


def test_a_study_that_is_none_is_listed_with_its_mistake(tmp_path, monkeypatch):
    studies = tmp_path / "config/studies"
    shutil.copytree(ROOT / "config/studies", studies)
    (studies / "broken.yaml").write_text("# Two sentences. The second.\nmodles: {}\n")
    monkeypatch.chdir(tmp_path)
    listed = {item["name"]: item for item in listing.studies()}
    assert listed["broken"]["about"] == "Two sentences." and "'modles'" in listed["broken"]["error"]
    assert listed["mini"]["forget_ratios"] == [5, 10, 15] and "error" not in listed["mini"]
    assert "cannot be run: config/studies/broken.yaml" in listing.as_text(list(listed.values()))


def test_the_doctor_says_of_every_study_whether_it_can_run():
    findings = {finding.what: finding for finding in doctor.diagnose()}
    assert findings["Python"].good and findings["study mini"].good and findings["study mini"].stops
    assert {f"study {file.stem}" for file in (ROOT / "config/studies").glob("*.yaml")} <= set(findings)
    assert all("\n" not in finding.text for finding in findings.values())


def test_the_doctor_names_other_versions_and_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "requirements.lock").write_text("numpy==0.1\nno-such-package==1.0\n")
    monkeypatch.chdir(tmp_path)
    packages = next(finding for finding in doctor.diagnose() if finding.what == "packages")
    assert packages.good is False and packages.stops and "missing: no-such-package" in packages.text
    (tmp_path / "requirements.lock").write_text("numpy==0.1\n")
    packages = next(finding for finding in doctor.diagnose() if finding.what == "packages")
    assert packages.good is False and not packages.stops and "(lock: 0.1)" in packages.text


@pytest.mark.parametrize("stops, code", [(True, 1), (False, 0)])
def test_the_exit_code_is_about_the_default_study(stops, code, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "diagnose", lambda: [Finding("study x", "cannot run: why", False, stops)])
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().out == "--  study x  cannot run: why\n"


def completed(*words: str) -> set[str]:
    """What bash offers for the last of these words: the answer that its completion script asks the command for."""
    asked = {"_MANU_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["manu", *words]), "COMP_CWORD": str(len(words))}
    command = [sys.executable, "-c", "from manu.cli import main; raise SystemExit(main())"]
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "words, expected",
    [
        (["pl"], {"plan"}),
        (["audit", "--re"], {"--reask", "--reference", "--retrain"}),
        (["check", "m"], {"method", "model"}),
        (["plan", "--study", "mini-s"], {"mini-seeds"}),
        (["plan", "--device", "h2"], {"h200"}),
    ],
)
def test_bash_completes(words, expected):
    assert completed(*words) == expected


@pytest.mark.parametrize(
    "shell, line", [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --command manu")]
)
def test_every_shell_gets_a_script(shell, line, capsys):
    assert line in said(capsys, "completion", shell)


@pytest.mark.parametrize("backend", ["module://matplotlib_inline_absent.backend_inline", "module://absent"])
def test_a_notebooks_drawing_backend_that_is_not_here_stops_nothing(backend):
    done = subprocess.run(
        [sys.executable, "-c", "import manu.analysis.figures.style, os; print(os.environ.get('MPLBACKEND'))"],
        capture_output=True,
        text=True,
        env=os.environ | {"MPLBACKEND": backend, "PYTHONPATH": str(ROOT / "src")},
    )
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


def test_outside_the_repository_the_studies_are_told_to_be_elsewhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["studies"]) == 2
    assert "no folder config/studies here; run this command in the root of the repository" in capsys.readouterr().err

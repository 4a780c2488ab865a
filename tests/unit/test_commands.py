"""The command line: its help, what it lists, what it says of the machine, and its completion."""

import json
import shutil
import subprocess
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
    user_message = capsys.readouterr().err
    assert user_message.startswith("usage: manu") and "make study" in user_message
    assert all(
        f"    {command} " in user_message for command in ("studies", "doctor", "check", "plan", "audit", "release")
    )


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
    assert all("\n" not in finding.user_message for finding in findings.values())


def test_the_doctor_names_other_versions_and_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "requirements.lock").write_text("numpy==0.1\nno-such-package==1.0\n")
    monkeypatch.chdir(tmp_path)
    packages = next(finding for finding in doctor.diagnose() if finding.what == "packages")
    assert packages.good is False and packages.stops and "missing: no-such-package" in packages.user_message
    (tmp_path / "requirements.lock").write_text("numpy==0.1\n")
    packages = next(finding for finding in doctor.diagnose() if finding.what == "packages")
    assert packages.good is False and not packages.stops and "(lock: 0.1)" in packages.user_message


@pytest.mark.parametrize("stops, code", [(True, 1), (False, 0)])
def test_the_exit_code_is_about_the_default_study(stops, code, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "diagnose", lambda: [Finding("study x", "cannot run: why", False, stops)])
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().out == "--  study x  cannot run: why\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    "words, expected",
    [
        (["pl"], {"plan"}),
        (["audit", "--re"], {"--reask"}),
        (["check", "m"], {"method", "model"}),
        (["plan", "--study", "mini-s"], {"mini-seeds"}),
    ],
)
def test_bash_completes(words, expected, capsys):
    script = said(capsys, "completion", "bash")
    typed = " ".join(f"'{word}'" for word in ("manu", *words))
    script += f"\nCOMP_WORDS=({typed}); COMP_CWORD={len(words)}; _manu; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize("shell, line", [("zsh", "bashcompinit"), ("fish", "-a plan -d 'estimate what a study takes")])
def test_the_other_shells_get_a_script(shell, line, capsys):
    assert line in said(capsys, "completion", shell)

"""The command `manu completion`: what a shell needs to complete the command line, written from its own parser."""

import argparse
from collections.abc import Iterator

SHELLS = ("bash", "zsh", "fish")
_STUDIES = "$(for f in config/studies/*.yaml; do f=${f##*/}; echo ${f%.yaml}; done 2>/dev/null)"
_BASH = """\
# Completion of `manu` for bash: eval "$(manu completion bash)"
_manu() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words
  if [[ $before == --study ]]; then
    words="{studies}"
  elif [[ $COMP_CWORD == 1 ]]; then
    words="{commands}"
  else
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _manu manu
"""
_ZSH = """\
# Completion of `manu` for zsh: eval "$(manu completion zsh)"
autoload -U +X bashcompinit && bashcompinit
"""
_FISH = "# Completion of `manu` for fish: manu completion fish | source\n"


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """A script of `shell`, one of SHELLS, for the commands and options of `parser`; studies are found by their files."""
    commands = dict(_commands(parser))
    if shell == "fish":
        return _FISH + "\n".join(_fish(commands, parser))
    words = {name: " ".join(_words(command)) for name, command in commands.items()}
    cases = "\n".join(f'      {name}) words="{each}" ;;' for name, each in words.items())
    bash = _BASH.format(studies=_STUDIES, commands=" ".join([*commands, *_options(parser)]), cases=cases).rstrip()
    return bash if shell == "bash" else _ZSH + bash


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:  # argparse has no public way to its commands
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _options(command: argparse.ArgumentParser) -> list[str]:
    return [option for action in command._actions for option in action.option_strings if option.startswith("--")]


def _words(command: argparse.ArgumentParser) -> list[str]:
    """The options of a command, and the values of its arguments where those are a few words."""
    choices = (action.choices for action in command._actions if action.choices and not action.option_strings)
    return [*(word for words in choices for word in words), *_options(command)]


def _fish(commands: dict[str, argparse.ArgumentParser], parser: argparse.ArgumentParser) -> Iterator[str]:
    helps = {
        each.dest: each.help
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for each in action._choices_actions
    }
    for name, command in commands.items():
        user_message = helps.get(name, "").replace("'", "\\'")
        yield f"complete -c manu -n __fish_use_subcommand -f -a {name} -d '{user_message}'"
        for word in _words(command):
            if word == "--study":
                found = "(for f in config/studies/*.yaml; string replace -r '.*/(.*)\\.yaml' '$1' $f; end)"
                yield f'complete -c manu -n "__fish_seen_subcommand_from {name}" -l study -x -a "{found}"'
            elif word.startswith("--"):
                yield f'complete -c manu -n "__fish_seen_subcommand_from {name}" -l {word[2:]}'
            else:
                yield f'complete -c manu -n "__fish_seen_subcommand_from {name}" -a {word}'

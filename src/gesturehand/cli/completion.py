"""``gesturehand completion``: a script that completes commands, keys and their values in a shell."""

import sys
from collections.abc import Iterable
from typing import Final, Literal

from gesturehand.cli.commands import GROUPS, TRAINING, all_commands
from gesturehand.cli.keys.known import known_keys, model_classes
from gesturehand.cli.keys.signature import Kind

_SCRIPT: Final = r"""# Completion of gesturehand's commands and keys, by `gesturehand completion SHELL`.
_gesturehand() {
    local before="${COMP_LINE:0:COMP_POINT}" command="" options="" words="" key value word
    # Bash cuts words at "=" too; here a word is what stands between spaces.
    local current="${before##* }"
    for word in ${before%% *}; do
        case "$command $word" in
%(commands)s
        esac
    done
    case "$command" in
%(options)s
    esac
    COMPREPLY=()
    if [[ "$current" == --*=* ]]; then
        key="${current%%%%=*}" value="${current#*=}"
        case "$command:${key%%+}" in
%(words)s
        esac
        if [[ -n "$words" ]]; then
            COMPREPLY=($(compgen -W "$words" -- "$value"))
        else
            COMPREPLY=($(compgen -f -- "$value"))
            compopt -o filenames 2>/dev/null
        fi
        # Where "=" does not separate words, the whole word is replaced.
        [[ "$COMP_WORDBREAKS" == *=* ]] || COMPREPLY=("${COMPREPLY[@]/#/$key=}")
    elif [[ "$current" == -* || -z "$command" || " %(groups)s " == *" $command "* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$current"))
        [[ "${COMPREPLY[*]}" == *= ]] && compopt -o nospace 2>/dev/null
    else
        COMPREPLY=($(compgen -f -- "$current"))
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _gesturehand gesturehand
"""
_ZSH: Final = "autoload -U +X compinit && compinit -u\nautoload -U +X bashcompinit && bashcompinit\n"


def completion(shell: Literal["bash", "zsh"]) -> None:
    """Prints a shell script that completes commands, keys and their values.

    For the current shell only: `source <(gesturehand completion bash)`. Permanently, if bash-completion is installed:
    `gesturehand completion bash > ~/.local/share/bash-completion/completions/gesturehand`, repeated after an upgrade.

    Args:
        shell: bash or zsh.
    """
    sys.stdout.write((_ZSH if shell == "zsh" else "") + completion_script())


def completion_script() -> str:
    """The script, for Bash and for Zsh's emulation of it."""
    commands = [*all_commands(), *GROUPS]
    first = {name: name for name in commands if " " not in name}
    patterns = [f'" {word}") command="{word}" ;;' for word in first]
    patterns += [f'"{name}") command="{name}" ;;' for name in commands if " " in name]
    options = [f'"") options="{" ".join([*first, "--help", "--version"])}" ;;']
    options += [f'"{group}") options="{" ".join([*names, "--help"])}" ;;' for group, names in GROUPS.items()]
    words = []
    for command in all_commands():
        known = known_keys(command)
        names = []
        for key in known.by_path.values():
            names.append(f"--{key.path}" if key.parameter.kind == Kind() else f"--{key.path}=")
            if taken := _words(key.parameter.kind):
                words.append(f'"{command}:--{key.path}") words="{" ".join(taken)}" ;;')
        if command in TRAINING:
            names.append("--model=")
            words.append(f'"{command}:--model") words="{" ".join(model_classes())}" ;;')
        options.append(f'"{command}") options="{" ".join([*names, "--help"])}" ;;')
    return _SCRIPT % {
        "commands": _indented(patterns, 8),
        "options": _indented(options, 4),
        "words": _indented(words, 8),
        "groups": " ".join(GROUPS),
    }


def _words(kind: Kind) -> list[str]:
    words = list(dict.fromkeys(map(str, kind.words)))
    return words + (["true", "false"] if "bool" in kind.types else [])


def _indented(lines: Iterable[str], columns: int) -> str:
    return "\n".join(" " * (columns + 4) + line for line in lines)

"""`completion`: the scripts that make a shell complete our command lines; and what they ask (`__complete`)."""

from __future__ import annotations

import sys

from compose.cli.command import Command, Invocation
from compose.cli.completion import SHELLS, Tables, wanted
from compose.cli.flags import parse
from compose.errors import ComposeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from compose.cli.flags import Options
    from compose.operations.session import Session

BASH = r"""# bash completion of pycompose: source it, or put it into /etc/bash_completion.d/
_pycompose() {
    local line=${COMP_LINE:0:COMP_POINT} kind reply word
    local -a words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    # Words that bash has split at : and = are put together again.
    read -r -a words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local current=${words[-1]}
    COMPREPLY=()
    while IFS=$'\t' read -r word kind; do
        case $word in
            :files) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${current#--*=}") ;;
            :folders) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "${current#--*=}") ;;
            :nospace) compopt -o nospace ;;
            *) COMPREPLY+=("$word") ;;
        esac
    done < <(pycompose __complete "${words[@]:1}" 2>/dev/null)
    local head=${current%"${current##*[:=]}"}
    if [[ -n $head ]]; then
        local number
        for number in "${!COMPREPLY[@]}"; do COMPREPLY[number]=${COMPREPLY[number]#"$head"}; done
    fi
}
complete -F _pycompose pycompose
"""
ZSH = r"""#compdef pycompose
# zsh completion of pycompose: put it as _pycompose into a folder of $fpath, or source it after compinit
_pycompose() {
    local -a lines described plain
    local line word nospace=() files=() folders=()
    lines=("${(@f)$(pycompose __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        case $line in
            :files*) files=(1) ;;
            :folders*) folders=(1) ;;
            :nospace*) nospace=(-S '') ;;
            *$'\t'?*) word=${line%%$'\t'*}; described+=("${word//:/\\:}:${line#*$'\t'}") ;;
            ?*) word=${line%%$'\t'*}; described+=("${word//:/\\:}") ;;
        esac
    done
    (( $#described )) && _describe -V 'pycompose' described $nospace
    (( $#files )) && { compset -P '--*='; _files }
    (( $#folders )) && { compset -P '--*='; _files -/ }
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _pycompose "$@"; else compdef _pycompose pycompose; fi
"""
FISH = r"""# fish completion of pycompose: put it into ~/.config/fish/completions/pycompose.fish
function __pycompose_complete
    set -l words (commandline -opc)[2..]
    set -l current (commandline -ct)
    for line in (pycompose __complete $words "$current" 2>/dev/null)
        switch $line
            case ':files*'
                __fish_complete_path $current
            case ':folders*'
                __fish_complete_directories $current
            case ':nospace*'
            case '*'
                echo $line
        end
    end
end
complete -c pycompose -f -a '(__pycompose_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def completion(options: Options, invocation: Invocation) -> int:
    """Print the script for a shell."""
    del invocation
    (shell,) = options.arguments
    if shell not in SCRIPTS:
        raise UsageError(f'there is no completion for "{shell}": use {", ".join(SHELLS)}')
    sys.stdout.write(SCRIPTS[shell])
    return 0


def complete(words: list[str], tables: Tables) -> int:
    """Print what the last word may be: "word<TAB>what it means" a line; never fails, for nobody reads why."""
    current = words[-1] if words else ""
    try:
        found, global_words = wanted(words, tables)

        def session() -> Session:
            flags = parse(global_words, tables.flags, interspersed=True, command="pycompose")
            return Invocation(flags).session(quiet=True)

        lines = [f"{word}\t{text}" if text else word for word, text in found.words if word.startswith(current)]  # fmt: skip
        kind = found.kind
        prefix = ""
        if kind.startswith("--"):
            prefix, _, kind = kind.partition(" ")
        for one in kind.split():
            lines += [line for line in of_kind(one, session, prefix) if line[:1] == ":" or line.startswith(current)]  # fmt: skip
    except ComposeError:
        return 0
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def of_kind(kind: str, session: Callable[[], Session], prefix: str = "") -> Iterator[str]:
    """The things of a kind there are; nothing where project or engine cannot be asked. Starts no engine."""
    if kind in ("files", "folders"):
        yield f":{kind}"
        return
    ending = kind[-1] if kind[-1] in ":=" else ""
    kind = kind.removesuffix(ending)
    from compose.operations import naming

    names = naming.names_of(kind, session())
    if ending:
        yield ":nospace"
    yield from (f"{prefix}{name}{ending}" for name in names)


COMMANDS = {
    "completion": Command(
        "completion bash|zsh|fish",
        "Print a script that completes command lines in a shell",
        (),
        completion,
        least=1,
        most=1,
    )
}

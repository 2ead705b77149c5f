# Completion of tallyd(8) for bash. Options are those that its --help prints.

_tallyd() {
    local tallyd=$1 word=$2 before=$3
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$tallyd" --help 2> /dev/null |
            sed -n '/^Keys/q; s/^  \(-.,\|  \)  *\(--[a-z-]*\).*/\2/p')" -- "$word")
    elif [[ $before == -c || $before == --config || $COMP_LINE == *' --dry-run '* ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -F _tallyd tallyd

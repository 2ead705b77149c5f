# Completion of tally(1) for bash. Commands and options are those that its --help prints.

_tally_names() {
    "${1:-tally}" "${@:2}" --help 2> /dev/null
}

# The first word before the current one that is a command, and the state it looks at.
_tally_look() {
    local i commands
    commands=$(_tally_names "$tally" | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | --config | -s | --state) where=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}"); ((i++)) ;;
        -*) ;;
        *)
            if [[ ! $command && $'\n'$commands$'\n' == *$'\n'"${COMP_WORDS[i]}"$'\n'* ]]; then
                command=${COMP_WORDS[i]}
            fi
            ;;
        esac
    done
    [[ $command ]] || words=$commands
}

_tally() {
    local tally=$1 word=$2 before=$3 command='' words='' where=()
    COMPREPLY=()
    case $before in
    -c | --config) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    -s | --state) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    -f | --format) words='table csv json' ;;
    --basis) words='start end overlap inside' ;;
    --engine) words='ledger clickhouse' ;;
    --compare) words='previous year-ago previous,year-ago' ;;
    esac
    if [[ ! $words ]]; then
        _tally_look
        if [[ $word == -* ]]; then
            words=$(_tally_names "$tally" $command | sed -n 's/^  \(-.,\|   \) \(--[a-z-]*\).*/\2/p')
        elif [[ $command == verify || ( $command && $before == --to ) ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
        elif [[ $command && $before == "$command" ]]; then
            words=$("$tally" "${where[@]}" rollups --format csv 2> /dev/null | sed '1d; s/,.*//')
        fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _tally tally

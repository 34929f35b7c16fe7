# bash completion for ibctl. ibctl itself knows what fits; this only asks it.

_ibctl() {
    local line=${COMP_LINE:0:COMP_POINT} cur words reply
    read -ra words <<<"$line"
    # A line that ends in a space begins a new, empty word.
    [[ $line == *[[:space:]] ]] && words+=("")
    cur=${words[-1]}

    COMPREPLY=()
    while IFS=$'\t' read -r reply _; do
        case $reply in
        :directories) compopt -o dirnames ;;
        # Readline parts words at "=" and ":" and replaces the last part alone.
        *) COMPREPLY+=("${reply#"${cur%"${cur##*[=:]}"}"}") ;;
        esac
    done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}

complete -F _ibctl ibctl

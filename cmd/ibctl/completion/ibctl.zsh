#compdef ibctl
# zsh completion for ibctl. ibctl itself knows what fits; this only asks it.

_ibctl() {
    local line reply description
    local -a values shown
    while IFS= read -r line; do
        reply=${line%%$'\t'*}
        description=${${line#$reply}#$'\t'}
        if [[ $reply == :directories ]]; then
            _directories
            return
        fi
        values+=("$reply")
        shown+=("$reply${description:+  -- $description}")
    done < <("${words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    (( $#values )) && compadd -l -d shown -a values
}

# Read by the completion system the file is the function; sourced, it defines it.
if [[ $funcstack[1] == _ibctl ]]; then
    _ibctl "$@"
else
    compdef _ibctl ibctl
fi

# fish completion for ibctl. ibctl itself knows what fits; this only asks it.

function __ibctl_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l replies ($words[1] __complete $words[2..] 2>/dev/null)
    if test "$replies" = :directories
        __fish_complete_directories (commandline -ct)
    else
        printf '%s\n' $replies
    end
end

complete -c ibctl -f -a '(__ibctl_complete)'

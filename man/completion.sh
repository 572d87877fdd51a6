#!/bin/bash
# completion.sh BIN - a bash completion for `graft PROGRAM OPTION...` and for
# the short names, from the option tables.
set -euo pipefail
names=
for program in "$1"/*; do
    name=${program##*/}
    [ "$name" != graft ] || continue
    names="$names $name"
    "$program" --help=complete
done
cat <<END
_graft()
{
    local name=\${COMP_WORDS[1]}
    if [ "\$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=(\$(compgen -W '${names# } help --exec-path --help \\
            --version' -- "\${COMP_WORDS[1]}"))
    elif [ "\$name" = help ]; then
        COMPREPLY=(\$(compgen -W '${names# } graft' -- "\${COMP_WORDS[2]}"))
    elif declare -F "_graft_\$name" >/dev/null; then
        "_graft_\$name"
    fi
}
complete -o default -F _graft graft
END

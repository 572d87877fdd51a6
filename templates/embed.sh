#!/bin/bash
# embed.sh FILE... - layout files as a table in C, by name, and rules/scrub.json
# as a text.
set -euo pipefail

quoted() { sed 's/[\\"?]/\\&/g; s/.*/      "&\\n"/' "$1"; }

echo '/* Made by templates/embed.sh. */'
echo '#include "text/scrub_rules.h"'
echo '#include "text/template_builtin.h"'
echo
echo 'const struct builtin_template builtin_template[] = {'
for f; do
    name=${f##*/}
    [ "$name" != "${name%.template}" ] || continue
    echo "    { \"${name%.template}\","
    quoted "$f"
    echo '    },'
done
echo '    { NULL, NULL }'
echo '};'
for f; do
    [ "${f##*/}" = scrub.json ] || continue
    echo
    echo 'const char scrub_builtin[] ='
    quoted "$f"
    echo '    ;'
done

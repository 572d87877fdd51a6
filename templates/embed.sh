#!/bin/bash
# embed.sh FILE... - layout files as a table in C, by name.
set -euo pipefail
echo '/* Made by templates/embed.sh. */'
echo '#include "text/template_builtin.h"'
echo
echo 'const struct builtin_template builtin_template[] = {'
for f; do
    name=${f##*/}
    echo "    { \"${name%.template}\","
    sed 's/[\\"?]/\\&/g; s/.*/      "&\\n"/' "$f"
    echo '    },'
done
echo '    { NULL, NULL }'
echo '};'

/* skip.c - the names of reasons, which are part of a stream's format. */
#include "repo/skip.h"

const char *
skip_name(enum skip skip)
{
    static const char *const name[N_SKIPS] = {
        "binary", "lfs-pointer", "too-large", "too-different", "symlink",
        "submodule", "mode-only", "bad-mode", "unreadable"
    };

    return name[skip];
}

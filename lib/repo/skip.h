/* skip.h - why a changed file has no record. */
#ifndef REPO_SKIP_H
#define REPO_SKIP_H

enum skip {
    SKIP_BINARY,      /* a NUL in the first 8000 bytes of a side */
    SKIP_LFS,         /* a side is a Git LFS pointer */
    SKIP_LARGE,       /* a side is over the limit */
    SKIP_HARD,        /* comparing the sides could take too long */
    SKIP_SYMLINK,
    SKIP_SUBMODULE,
    SKIP_MODE,        /* only the permissions changed */
    SKIP_BAD_MODE,    /* a mode that git doesn't have */
    SKIP_UNREADABLE,  /* an object of it is missing or damaged */
    N_SKIPS
};

/* As a ledger spells it: "binary" and so on. */
const char *skip_name(enum skip skip);

#endif

/* automerge.c - libgit2's git_merge_file, guarded: work is bounded by counting
 * lines, and the lines of long texts are salted, which the result is rid of
 * again.
 */
#include "repo/automerge.h"

#include <git2.h>
#include <string.h>

#include "base/buf.h"
#include "base/lines.h"
#include "base/mem.h"
#include "repo/effort.h"
#include "repo/salt.h"

/* Neither ends in a hexadecimal digit: see unsalt. */
#define OUR_LABEL "ours"
#define THEIR_LABEL "theirs"

static bool
bearable(const struct effort_text side[3])
{
    const struct effort_text pair[3][2] = {
        {side[0], side[1]}, {side[0], side[2]}, {side[1], side[2]}
    };

    return effort_bearable(pair[0]) && effort_bearable(pair[1])
           && effort_bearable(pair[2]);
}

/* Without the lines' salt, in place; a marker line has none. */
static size_t
unsalt(char *p, size_t n)
{
    char *end = p + n, *to = p, *eol, *next;
    size_t len;

    for (; p < end; p = next) {
        eol = memchr(p, '\n', (size_t)(end - p));
        next = eol ? eol + 1 : end;
        len = salt_stripped(p, (size_t)((eol ? eol : end) - p));
        memmove(to, p, len);
        to += len;
        if (eol)
            *to++ = '\n';
    }
    return (size_t)(to - (end - n));
}

static int
merge_file(const struct span text[3], unsigned longer, char **out,
           size_t *n, struct err *e)
{
    git_merge_file_options options;
    git_merge_file_result result = { .ptr = NULL };
    git_merge_file_input input[3];
    const git_error *error;
    int i, rc;

    git_libgit2_init();
    git_merge_file_options_init(&options, GIT_MERGE_FILE_OPTIONS_VERSION);
    options.our_label = OUR_LABEL;
    options.their_label = THEIR_LABEL;
    options.marker_size = (unsigned short)(7 + longer);
    for (i = 0; i < 3; i++) {
        git_merge_file_input_init(&input[i], GIT_MERGE_FILE_INPUT_VERSION);
        input[i].ptr = text[i].p;
        input[i].size = text[i].n;
        input[i].path = "merged";
    }
    rc = git_merge_file(&result, &input[0], &input[1], &input[2], &options);
    if (rc < 0) {
        error = git_error_last();
        err_set(e, error && error->klass == GIT_ERROR_NOMEMORY
                ? ERR_LIMIT : ERR_DATA, "merge: %s",
                error ? error->message : "failed");
    } else {
        *out = mem_dup(result.ptr ? result.ptr : "", result.len);
        *n = result.len;
    }
    git_merge_file_result_free(&result);
    git_libgit2_shutdown();
    return rc < 0 ? e->code : 0;
}

int
automerge(const struct span text[3], unsigned longer, char **out,
          size_t *n, struct err *e)
{
    struct span salted[3];
    struct effort_text side[3];
    struct buf lines[3];
    size_t n_lines = 0;
    int i, rc;

    *out = NULL;
    for (i = 0; i < 3; i++) {
        side[i] = (struct effort_text){
            text[i].p, text[i].n, lines_count(text[i].p, text[i].n)
        };
        n_lines += side[i].n_lines;
    }
    if (!bearable(side))
        return 0;
    if (n_lines <= SALT_LINES)
        return merge_file(text, longer, out, n, e);
    for (i = 0; i < 3; i++) {
        buf_init(&lines[i]);
        salt_lines(&lines[i], text[i].p, text[i].n);
        salted[i] = (struct span){ lines[i].data, lines[i].len };
    }
    rc = merge_file(salted, longer, out, n, e);
    if (rc == 0)
        *n = unsalt(*out, *n);
    for (i = 0; i < 3; i++)
        buf_release(&lines[i]);
    return rc;
}

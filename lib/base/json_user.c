/* json_user.c - the small files that people write: checked, then a tree of
 * cJSON, whose strings end at a NUL, so one inside of a string is refused.
 *
 * Python writes numbers as Infinity, which are none of JSON's: configurations
 * of models have them. They are read as 1e999, which is as long with blanks.
 */
#include <stdbool.h>
#include <string.h>

#include "base/io.h"
#include "base/json_text.h"

/* A copy with such numbers as JSON has them. */
static void
spell_numbers(struct buf *out, const char *text, size_t n)
{
    static const char word[] = "Infinity", number[] = "1e999   ";
    const size_t len = sizeof(word) - 1;
    bool inside = false; /* a string */

    buf_add(out, text, n);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"')
            inside = !inside;
        else if (inside && text[i] == '\\')
            i++;
        else if (!inside && n - i >= len && memcmp(text + i, word, len) == 0)
            memcpy(out->data + i, number, len);
    }
}

int
json_user(cJSON **out, const char *text, size_t n, const char *where,
          struct err *e)
{
    struct buf copy;
    cJSON *tree;
    int rc;

    buf_init(&copy);
    spell_numbers(&copy, text, n);
    rc = json_check_text(copy.data, n, where, false, e);
    tree = rc == 0 ? cJSON_ParseWithLength(copy.data, n) : NULL;
    buf_release(&copy);
    if (rc < 0)
        return rc;
    if (!tree)
        return err_set(e, ERR_IO, "%s: out of memory", where);
    *out = tree;
    return 0;
}

int
json_user_file(cJSON **out, const char *path, uint64_t max, struct err *e)
{
    struct buf text;
    int rc;

    buf_init(&text);
    rc = file_read_regular(&text, path, max, e);
    if (rc == 0)
        rc = json_user(out, text.data, text.len, path, e);
    buf_release(&text);
    return rc;
}

/* json_user.c - the small files that people write: checked, then a tree of
 * cJSON, whose strings end at a NUL, so one inside of a string is refused.
 */
#include "base/io.h"
#include "base/json_text.h"

int
json_user(cJSON **out, const char *text, size_t n, const char *where,
          struct err *e)
{
    cJSON *tree;
    int rc;

    rc = json_check_text(text, n, where, false, e);
    if (rc < 0)
        return rc;
    tree = cJSON_ParseWithLength(text, n);
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

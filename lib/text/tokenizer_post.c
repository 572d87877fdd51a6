/* tokenizer_post.c - the post-processor of a tokenizer.json: of all that it
 * adds, the token before a text.
 *
 * Which one it is is told by its fields, as tokenizers does: a template
 * ("single"), a list of post-processors, or "cls" of BERT and RoBERTa.
 */
#include <string.h>

#include "text/tokenizer_read.h"

/* {"SpecialToken": {"id": NAME, ...}}, the first item of a template; another
 * item leaves *name empty. */
static int
read_item(struct buf *name, struct json *j, struct err *e)
{
    struct buf key;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (!buf_is(&key, "SpecialToken")) {
            json_skip(j);
            continue;
        }
        rc = json_enter_object(j, e);
        while (rc == 0 && json_next_key(j, &key)) {
            if (buf_is(&key, "id"))
                rc = json_string(j, name, e);
            else
                json_skip(j);
        }
    }
    buf_release(&key);
    return rc;
}

/* The first item of the array that comes next; cls: [NAME, id]. */
static int
read_first(struct buf *name, bool cls, struct json *j, struct err *e)
{
    bool first = true;
    int rc = json_enter_array(j, e);

    while (rc == 0 && json_next_item(j)) {
        if (!first)
            json_skip(j);
        else
            rc = cls ? json_string(j, name, e) : read_item(name, j, e);
        first = false;
    }
    return rc;
}

/* As deep as json_check lets a file be. */
static int
read_post(struct buf *name, struct json *j, struct err *e)
{
    struct buf key;
    int rc;

    if (json_kind(j) != JSON_OBJECT) {
        json_skip(j);
        return 0;
    }
    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (buf_is(&key, "processors")) {
            rc = json_enter_array(j, e);
            while (rc == 0 && json_next_item(j))
                rc = read_post(name, j, e);
        } else if (buf_is(&key, "single") || buf_is(&key, "cls")) {
            rc = read_first(name, buf_is(&key, "cls"), j, e);
        } else {
            json_skip(j);
        }
    }
    buf_release(&key);
    return rc;
}

int
tokenizer_read_post(struct tokenizer *t, struct json *j, struct err *e)
{
    struct json at = *j;
    struct buf name;
    int rc;

    buf_init(&name);
    rc = read_post(&name, j, e);
    if (rc == 0 && name.len > 0) {
        t->begin = tokenizer_find(t, name.data, name.len);
        if (t->begin == TOKEN_NONE)
            rc = json_error(&at, e, "post_processor begins with \"%.100s\", "
                            "which is no token", name.data);
    }
    buf_release(&name);
    return rc;
}

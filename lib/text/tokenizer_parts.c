/* tokenizer_parts.c - reads lists of typed objects, nested or not, into one
 * flat list. */
#include "text/tokenizer_parts.h"

#include <string.h>

static void
part_init(struct tokenizer_part *p, const struct json *at)
{
    memset(p, 0, sizeof(*p));
    p->at = *at;
    buf_init(&p->type);
    buf_init(&p->content);
    buf_init(&p->pattern);
    buf_init(&p->prepend);
    buf_init(&p->replacement);
    buf_init(&p->scheme);
    buf_init(&p->behavior);
    p->split = p->prefix = true; /* what an absent key means */
}

static void
part_release(struct tokenizer_part *p)
{
    buf_release(&p->type);
    buf_release(&p->content);
    buf_release(&p->pattern);
    buf_release(&p->prepend);
    buf_release(&p->replacement);
    buf_release(&p->scheme);
    buf_release(&p->behavior);
}

void
tokenizer_parts_release(struct tokenizer_parts *s)
{
    while (s->n > 0)
        part_release(&s->part[--s->n]);
}

/* {"String": ...} or {"Regex": ...} */
static int
read_pattern(struct tokenizer_part *p, struct json *j, struct err *e)
{
    struct buf key;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        p->regex = buf_is(&key, "Regex");
        if (p->regex || buf_is(&key, "String"))
            rc = json_string(j, &p->pattern, e);
        else
            rc = json_error(j, e, "pattern \"%.100s\" is not supported",
                            key.data);
    }
    buf_release(&key);
    return rc;
}

static int
read_setting(struct tokenizer_part *p, const char *what,
             const struct buf *key, struct json *j, struct err *e)
{
    const struct {
        const char *name;
        struct buf *text;
    } text[] = {
        { "type", &p->type }, { "content", &p->content },
        { "prepend", &p->prepend }, { "replacement", &p->replacement },
        { "prepend_scheme", &p->scheme }, { "behavior", &p->behavior },
    };
    size_t i;

    for (i = 0; i < sizeof(text) / sizeof(text[0]); i++)
        if (buf_is(key, text[i].name))
            return json_string(j, text[i].text, e);
    if (buf_is(key, "pattern"))
        return read_pattern(p, j, e);
    if (buf_is(key, "start"))
        return json_u64(j, &p->start, e);
    if (buf_is(key, "stop"))
        return json_u64(j, &p->stop, e);
    if (buf_is(key, "split"))
        return json_bool(j, &p->split, e);
    if (buf_is(key, "invert"))
        return json_bool(j, &p->invert, e);
    if (buf_is(key, "add_prefix_space"))
        return json_bool(j, &p->prefix, e);
    if (buf_is(key, "trim_offsets") || buf_is(key, "use_regex")) {
        json_skip(j);
        return 0;
    }
    return json_error(j, e, "%s setting \"%.100s\" is not supported", what,
                      key->data);
}

static int read_one(struct tokenizer_parts *s, const char *what,
                    struct json *j, struct err *e);

/* The list of a Sequence; as deep as json_check lets a file be. */
static int
read_list(struct tokenizer_parts *s, const char *what, struct json *j,
          struct err *e)
{
    int rc = json_enter_array(j, e);

    while (rc == 0 && json_next_item(j))
        rc = read_one(s, what, j, e);
    return rc;
}

static bool
is_list(const struct buf *key)
{
    return buf_is(key, "normalizers") || buf_is(key, "pretokenizers")
           || buf_is(key, "decoders");
}

static int
read_one(struct tokenizer_parts *s, const char *what, struct json *j,
         struct err *e)
{
    struct tokenizer_part p;
    struct json list = { 0 };
    struct buf key;
    int rc;

    buf_init(&key);
    part_init(&p, j);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (is_list(&key)) {
            list = *j;
            json_skip(j);
        } else {
            rc = read_setting(&p, what, &key, j, e);
        }
    }
    buf_release(&key);
    if (rc == 0 && buf_is(&p.type, "Sequence") && list.start) {
        rc = read_list(s, what, &list, e);
    } else if (rc == 0 && s->n == MAX_PARTS) {
        rc = json_error(&p.at, e, "over %d %ss", MAX_PARTS, what);
    } else if (rc == 0) {
        s->part[s->n++] = p;
        return 0;
    }
    part_release(&p);
    return rc;
}

int
tokenizer_parts_read(struct tokenizer_parts *s, const char *what,
                     struct json *j, struct err *e)
{
    int rc;

    s->n = 0;
    if (json_kind(j) == JSON_NULL) {
        json_skip(j);
        return 0;
    }
    rc = read_one(s, what, j, e);
    if (rc < 0)
        tokenizer_parts_release(s);
    return rc;
}

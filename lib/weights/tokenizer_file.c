/* tokenizer_file.c - which of the two kinds of file it is. */
#include "weights/tokenizer_file.h"

#include <string.h>

#include "base/io.h"
#include "weights/gguf_tokenizer.h"

/* With one of the two functions of gguf_tokenizer.h. */
static int
from_gguf(struct buf *json,
          int (*put)(struct buf *json, const struct gguf *g, struct err *e),
          const char *path, struct err *e)
{
    struct gguf g;
    int rc = gguf_open(&g, path, e);

    if (rc < 0)
        return rc;
    rc = put(json, &g, e);
    gguf_release(&g);
    return rc;
}

int
tokenizer_file_json(struct buf *json, const char *path, struct err *e)
{
    if (gguf_is(path))
        return from_gguf(json, gguf_tokenizer, path, e);
    return file_read(json, path, TOKENIZER_MAX_FILE, e);
}

/* What a GGUF file has of the files beside a tokenizer.json. */
static int
read_beside(const struct chat_files *f, const char *name, uint64_t max,
            struct buf *text, bool *found, struct err *e)
{
    int rc;

    *found = strcmp(name, "tokenizer_config.json") == 0;
    if (!*found)
        return 0;
    rc = from_gguf(text, gguf_tokenizer_config, f->where, e);
    if (rc == 0 && text->len > max)
        rc = err_set(e, ERR_LIMIT, "%s: %s is longer than %llu bytes",
                     f->where, name, (unsigned long long)max);
    return rc;
}

int
tokenizer_file_chat(struct chat_template *c, const char *tokenizer,
                    const struct tokenizer *t, const char *path,
                    struct err *e)
{
    struct chat_files files = { .where = tokenizer, .read = read_beside };

    if (!gguf_is(tokenizer))
        return chat_template_open(c, tokenizer, t, path, e);
    return chat_template_read(c, &files, t, path, e);
}

int
tokenizer_file_open(struct tokenizer *t, const char *path, struct err *e)
{
    struct buf json;
    int rc;

    if (!gguf_is(path))
        return tokenizer_open(t, path, e);
    buf_init(&json);
    rc = from_gguf(&json, gguf_tokenizer, path, e);
    if (rc == 0)
        rc = tokenizer_read(t, json.data, json.len, path, e);
    buf_release(&json);
    return rc;
}

/* bpe_json.c - a trained vocabulary as a tokenizer.json, laid out as Hugging
 * Face's tokenizers saves it. */
#include "text/bpe_json.h"

#include <string.h>

#include "base/json.h"

static void
put_added(struct buf *b, const struct bpe_train_options *o)
{
    size_t i;

    buf_addstr(b, "  \"added_tokens\": [");
    for (i = 0; i < o->n_special; i++) {
        buf_addf(b, "%s\n    {\n      \"id\": %zu,\n      \"content\": ",
                 i > 0 ? "," : "", i);
        json_put_string(b, o->special[i], strlen(o->special[i]));
        buf_addstr(b, ",\n      \"single_word\": false,\n"
                   "      \"lstrip\": false,\n      \"rstrip\": false,\n"
                   "      \"normalized\": false,\n"
                   "      \"special\": true\n    }");
    }
    buf_addstr(b, o->n_special > 0 ? "\n  ],\n" : "],\n");
}

/* A token as it is spelled. */
static void
put_token(struct buf *b, const struct map *id, size_t i)
{
    json_put_string(b, map_key(id, i), id->entry[i].len);
}

static void
put_merges(struct buf *b, const struct map *id, const struct bpe_merge *merge,
           size_t n)
{
    size_t i;

    buf_addstr(b, "\n    },\n    \"merges\": [");
    for (i = 0; i < n; i++) {
        buf_addstr(b, i > 0 ? ",\n      [\n        " :
                              "\n      [\n        ");
        put_token(b, id, merge[i].left);
        buf_addstr(b, ",\n        ");
        put_token(b, id, merge[i].right);
        buf_addstr(b, "\n      ]");
    }
    buf_addstr(b, n > 0 ? "\n    ]\n  }\n}" : "]\n  }\n}");
}

void
bpe_json_put(struct buf *b, const struct bpe_train_options *o,
             const struct map *id, const struct bpe_merge *merge,
             size_t n_merges)
{
    size_t i;

    buf_addstr(b, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n"
               "  \"padding\": null,\n");
    put_added(b, o);
    buf_addstr(b, "  \"normalizer\": null,\n  \"pre_tokenizer\": {\n"
               "    \"type\": \"ByteLevel\",\n"
               "    \"add_prefix_space\": false,\n"
               "    \"trim_offsets\": true,\n    \"use_regex\": true\n"
               "  },\n  \"post_processor\": null,\n  \"decoder\": {\n"
               "    \"type\": \"ByteLevel\",\n"
               "    \"add_prefix_space\": true,\n"
               "    \"trim_offsets\": true,\n    \"use_regex\": true\n"
               "  },\n  \"model\": {\n    \"type\": \"BPE\",\n"
               "    \"dropout\": null,\n    \"unk_token\": null,\n"
               "    \"continuing_subword_prefix\": null,\n"
               "    \"end_of_word_suffix\": null,\n"
               "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n"
               "    \"ignore_merges\": false,\n    \"vocab\": {");
    for (i = 0; i < id->n; i++) {
        buf_addstr(b, i > 0 ? ",\n      " : "\n      ");
        put_token(b, id, i);
        buf_addf(b, ": %zu", i);
    }
    put_merges(b, id, merge, n_merges);
}

size_t
bpe_json_growth(const struct map *id, const struct bpe_merge *merge,
                const char *name, size_t n)
{
    struct buf b;
    size_t grows;

    buf_init(&b);
    put_token(&b, id, merge->left);
    put_token(&b, id, merge->right);
    json_put_string(&b, name, n);
    grows = b.len + sizeof(",\n      : 4294967295")
            + sizeof(",\n      [\n        ,\n        \n      ]\n    ");
    buf_release(&b);
    return grows;
}

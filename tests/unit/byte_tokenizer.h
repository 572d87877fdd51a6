/* byte_tokenizer.h - a tokenizer of the 256 bytes and some special tokens. */
#ifndef BYTE_TOKENIZER_H
#define BYTE_TOKENIZER_H

#include <stdlib.h>

#include "base/buf.h"
#include "test.h"
#include "text/alphabet.h"
#include "text/tokenizer.h"

/* Byte i is token i; the special tokens, up to a NULL, come behind them. pre
 * is the pre-tokenizer. */
static inline void
byte_tokenizer_behind(struct tokenizer *t, const char *pre,
                      const char *const *special)
{
    struct buf b, name;
    struct err e;
    char byte;
    int i;

    buf_init(&b);
    buf_init(&name);
    buf_addf(&b, "{\"pre_tokenizer\":%s,\"added_tokens\":[", pre);
    for (i = 0; special[i]; i++)
        buf_addf(&b, "%s{\"id\":%d,\"content\":\"%s\",\"special\":true}",
                 i > 0 ? "," : "", 256 + i, special[i]);
    buf_addstr(&b, "],\"model\":{\"merges\":[],\"vocab\":{");
    for (i = 0; i < 256; i++) {
        byte = (char)i;
        buf_reset(&name);
        alphabet_spell(&name, &byte, 1);
        buf_addf(&b, "%s\"%s%s\":%d", i > 0 ? "," : "",
                 byte == '"' || byte == '\\' ? "\\" : "", name.data, i);
    }
    buf_addstr(&b, "}}}");
    if (!CHECK(tokenizer_read(t, b.data, b.len, "t.json", &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    buf_release(&b);
    buf_release(&name);
}

/* The same behind GPT-2's. */
static inline void
byte_tokenizer(struct tokenizer *t, const char *const *special)
{
    byte_tokenizer_behind(t, "{\"type\":\"ByteLevel\","
                          "\"add_prefix_space\":false}", special);
}

#endif

/* jsonl.c - any bytes as lines of JSON: what is read as a record is printed
 * as a line that is read as the same record. */
#include "record/jsonl.h"

#include <string.h>

#include "fuzz.h"

static const char *const type_of[] = {
    [JSONL_TEXT] = "text", [JSONL_TOKENS] = "tokens", [JSONL_ASSET] = "weights"
};

/* The record that j has read, printed and read again. */
static void
again(const struct jsonl *j)
{
    struct jsonl back;
    struct buf line;
    struct err e;

    buf_init(&line);
    jsonl_init(&back);
    MUST(jsonl_put_record(&line, type_of[j->kind], j->record.data,
                          j->record.len, &e) == 0);
    MUST(jsonl_read(&back, line.data, line.len, "again", &e) == 0);
    MUST(back.kind == j->kind && back.record.len == j->record.len
         && memcmp(back.record.data, j->record.data, j->record.len) == 0);
    jsonl_release(&back);
    buf_release(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jsonl j;
    struct buf text;
    struct err e;
    char *line, *end;

    jsonl_init(&j);
    buf_init(&text);
    buf_add(&text, data, size);
    for (line = text.data; line < text.data + text.len; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text.data + text.len - line));
        end = end ? end : text.data + text.len;
        *end = '\0';
        if (jsonl_read(&j, line, (size_t)(end - line), "fuzz:1", &e) == 0
            && j.kind != JSONL_HEAD && j.kind != JSONL_END
            && j.kind != JSONL_DATA && j.kind != JSONL_TENSOR)
            again(&j);
    }
    buf_release(&text);
    jsonl_release(&j);
    return 0;
}

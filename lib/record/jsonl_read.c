/* jsonl_read.c - lines of JSON to records: what kind a line is.
 *
 * A line is checked whole, then its top-level keys are listed with the place
 * of their values, then the kind decides what is taken from the list.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/jsonl_line.h"

void
jsonl_init(struct jsonl *j)
{
    struct jsonl_state *s = mem_alloc(sizeof(*s));

    memset(j, 0, sizeof(*j));
    buf_init(&j->record);
    stream_head_init(&j->head, "text");
    ledger_init(&j->ledger);
    buf_init(&s->keys);
    buf_init(&s->bytes);
    buf_init(&s->scratch);
    buf_init(&s->more);
    buf_init(&s->repo);
    buf_init(&s->lang);
    buf_init(&s->path);
    text_init(&s->text);
    j->state = s;
}

void
jsonl_release(struct jsonl *j)
{
    struct jsonl_state *s = j->state;

    if (!s)
        return;
    buf_release(&j->record);
    stream_head_release(&j->head);
    ledger_release(&j->ledger);
    free(j->input);
    buf_release(&s->keys);
    buf_release(&s->bytes);
    buf_release(&s->scratch);
    buf_release(&s->more);
    buf_release(&s->repo);
    buf_release(&s->lang);
    buf_release(&s->path);
    text_release(&s->text);
    free(s->entry);
    free(s->value);
    free(s->ids);
    free(s->mask);
    free(s);
    j->state = NULL;
}

/* A line with "kind". */
static int
read_kind(struct jsonl *j, struct entry *t, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct json v = line_value(s, t), start = v;
    enum text_kind kind;
    const char *name;
    int rc;

    rc = json_string(&v, &s->scratch, e);
    if (rc < 0)
        return rc;
    name = s->scratch.data;
    kind = text_kind_parse(name, s->scratch.len);
    if (kind)
        return jsonl_read_text(j, kind, e);
    if (strcmp(name, "tokens") == 0)
        return jsonl_read_tokens(j, true, e);
    if (strcmp(name, "vector") == 0)
        rc = jsonl_read_vector(j, e);
    else if (strcmp(name, "asset") == 0)
        rc = jsonl_read_asset(j, e);
    else if (strcmp(name, "tensor") == 0)
        rc = jsonl_read_tensor(j, e);
    else if (strcmp(name, "data") == 0)
        rc = jsonl_read_data(j, e);
    else
        return json_error(&start, e, "unknown kind \"%s\"", name);
    if (rc == 0 && line_unused(s))
        rc = err_set(e, ERR_DATA, "%s: unknown key \"%s\"", s->line.where,
                     line_unused(s));
    return rc;
}

/* A line of somebody else's, by its keys. */
static int
read_foreign(struct jsonl *j, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct entry *text = line_take(s, "text");
    struct entry *messages = line_take(s, "messages");
    struct entry *prompt = line_take(s, "prompt");
    struct entry *completion = line_take(s, "completion");
    struct entry *ids = line_take(s, "ids");
    struct entry *input_ids = line_take(s, "input_ids");
    int n = (text != NULL) + (messages != NULL) + (ids != NULL) +
            (input_ids != NULL) + (prompt && completion);

    if (n > 1)
        return err_set(e, ERR_DATA, "%s: ambiguous (found more than one of "
                       "\"text\", \"messages\", \"prompt\" with "
                       "\"completion\", \"ids\", \"input_ids\")",
                       s->line.where);
    if (n == 0)
        return err_set(e, ERR_DATA, "%s: no known keys (found \"%s\", "
                       "expected \"text\", \"messages\", \"prompt\" and "
                       "\"completion\", \"ids\" or \"input_ids\")",
                       s->line.where,
                       s->n > 0 ? line_key(s, &s->entry[0]) : "");
    if (!(prompt && completion)) {
        if (prompt)
            prompt->used = false;
        if (completion)
            completion->used = false;
    }
    if (ids)
        return jsonl_read_tokens(j, false, e);
    if (input_ids)
        return jsonl_read_input_ids(j, input_ids, e);
    if (text)
        return jsonl_read_doc(j, text, e);
    if (messages)
        return jsonl_read_chat(j, messages, e);
    return jsonl_read_instruction(j, prompt, completion, e);
}

int
jsonl_read(struct jsonl *j, const char *text, size_t n, const char *where,
           struct err *e)
{
    struct jsonl_state *s = j->state;
    struct entry *kind;
    int rc;

    rc = json_check(text, n, where, e);
    if (rc < 0)
        return rc;
    s->line = json_on(text, n, where);
    s->n_values = 0;
    buf_reset(&s->bytes);
    buf_reset(&j->record);
    rc = line_list(s, e);
    if (rc < 0)
        return rc;
    if (line_take(s, "graft"))
        return jsonl_read_graft(j, e);
    kind = line_take(s, "kind");
    return kind ? read_kind(j, kind, e) : read_foreign(j, e);
}

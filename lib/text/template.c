/* template.c - the layouts, as tables, and how one is followed. */
#include "text/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum part_kind { PART_STOP, PART_TOKEN, PART_TEXT, PART_FIELD, PART_END };

struct template_part {
    uint8_t kind;
    uint8_t field; /* the part is there if this field is */
    bool loss;
    const char *text; /* a token's name, or text */
};

#define PART(what, of, string) \
    .kind = PART_##what, .field = FIELD_##of, .text = string
#define TOKEN(of, name) { PART(TOKEN, of, name), .loss = true }
#define TEXT(of, string) { PART(TEXT, of, string), .loss = true }
#define FIELD(of) { PART(FIELD, of, NULL), .loss = true }
#define TOKEN_0(of, name) { PART(TOKEN, of, name) }
#define TEXT_0(of, string) { PART(TEXT, of, string) }
#define FIELD_0(of) { PART(FIELD, of, NULL) }
#define END { PART(END, ALWAYS, NULL), .loss = true }
#define STOP { PART(STOP, ALWAYS, NULL) }

static const struct template_part plain[] = { FIELD(TEXT), END, STOP };

static const struct template_part starcoder_file[] = {
    TOKEN(REPO, "<reponame>"), FIELD(REPO),
    TOKEN(PATH, "<filename>"), FIELD(PATH), TEXT(PATH, "\n"),
    FIELD(TEXT), END, STOP
};
static const struct template_part starcoder_commit[] = {
    TOKEN(REPO, "<reponame>"), FIELD(REPO),
    TOKEN(PATH, "<filename>"), FIELD(PATH),
    TOKEN(BEFORE, "<commit_before>"), FIELD(BEFORE),
    TOKEN(ALWAYS, "<commit_msg>"), FIELD(MESSAGE),
    TOKEN(AFTER, "<commit_after>"), FIELD(AFTER), END, STOP
};
static const struct template_part starcoder_message[] = {
    TOKEN_0(REPO, "<reponame>"), FIELD_0(REPO), TEXT_0(REPO, "\n"),
    FIELD_0(DIFF), TOKEN_0(ALWAYS, "<commit_msg>"), FIELD(MESSAGE), END,
    STOP
};

static const struct template_part starcoder2_file[] = {
    TOKEN(REPO, "<repo_name>"), FIELD(REPO),
    TOKEN(ALWAYS, "<file_sep>"), FIELD(PATH), TEXT(PATH, "\n"),
    FIELD(TEXT), END, STOP
};
static const struct template_part starcoder2_commit[] = {
    TOKEN(REPO, "<repo_name>"), FIELD(REPO),
    TOKEN(PATH, "<pr_file>"), FIELD(PATH),
    TOKEN(BEFORE, "<pr_base_code>"), FIELD(BEFORE),
    TOKEN(ALWAYS, "<pr>"), FIELD(MESSAGE),
    TOKEN(AFTER, "<file_sep>"), FIELD(AFTER), END, STOP
};
static const struct template_part starcoder2_message[] = {
    TOKEN_0(REPO, "<repo_name>"), FIELD_0(REPO),
    TOKEN_0(ALWAYS, "<pr_diff>"), FIELD_0(DIFF),
    TOKEN_0(ALWAYS, "<pr>"), FIELD(MESSAGE), END, STOP
};

static const struct template_part qwen_file[] = {
    TOKEN(REPO, "<|repo_name|>"), FIELD(REPO), TEXT(REPO, "\n"),
    TOKEN(ALWAYS, "<|file_sep|>"), FIELD(PATH), TEXT(PATH, "\n"),
    FIELD(TEXT), END, STOP
};
static const struct template_part qwen_commit[] = {
    TOKEN(REPO, "<|repo_name|>"), FIELD(REPO), TEXT(REPO, "\n"),
    TOKEN(BEFORE, "<|file_sep|>"), TEXT(BEFORE, "before\n"), FIELD(BEFORE),
    TOKEN(ALWAYS, "<|file_sep|>"), TEXT(ALWAYS, "message\n"), FIELD(MESSAGE),
    TEXT(ALWAYS, "\n"),
    TOKEN(ALWAYS, "<|file_sep|>"), FIELD(PATH), TEXT(ALWAYS, "\n"),
    FIELD(AFTER), END, STOP
};
static const struct template_part qwen_message[] = {
    TOKEN_0(REPO, "<|repo_name|>"), FIELD_0(REPO), TEXT_0(REPO, "\n"),
    TOKEN_0(ALWAYS, "<|file_sep|>"), TEXT_0(ALWAYS, "diff\n"), FIELD_0(DIFF),
    TOKEN_0(ALWAYS, "<|file_sep|>"), TEXT_0(ALWAYS, "message\n"),
    FIELD(MESSAGE), END, STOP
};

static const struct template_part text_file[] = {
    TEXT(REPO, "### Repository: "), FIELD(REPO), TEXT(REPO, "\n"),
    TEXT(PATH, "### File: "), FIELD(PATH), TEXT(PATH, "\n"),
    FIELD(TEXT), END, STOP
};
static const struct template_part text_commit[] = {
    TEXT(REPO, "### Repository: "), FIELD(REPO), TEXT(REPO, "\n"),
    TEXT(PATH, "### File: "), FIELD(PATH), TEXT(PATH, "\n"),
    TEXT(BEFORE, "### Before:\n"), FIELD(BEFORE),
    TEXT(ALWAYS, "### Message: "), FIELD(MESSAGE), TEXT(ALWAYS, "\n"),
    TEXT(AFTER, "### After:\n"), FIELD(AFTER), END, STOP
};
static const struct template_part text_message[] = {
    TEXT_0(REPO, "### Repository: "), FIELD_0(REPO), TEXT_0(REPO, "\n"),
    TEXT_0(ALWAYS, "### Diff:\n"), FIELD_0(DIFF),
    TEXT_0(ALWAYS, "### Message: "), FIELD(MESSAGE), END, STOP
};

#define MAX_NEEDS 6

static const struct tokenizer_family {
    const char *name;
    const char *needs[MAX_NEEDS];
    const struct template_part *part[TEMPLATE_KINDS];
} families[] = {
    { "starcoder", { "<reponame>", "<filename>", "<commit_before>",
                     "<commit_msg>", "<commit_after>" },
      { plain, starcoder_file, starcoder_commit, starcoder_message } },
    { "starcoder2", { "<repo_name>", "<file_sep>", "<pr>", "<pr_file>",
                      "<pr_base_code>", "<pr_diff>" },
      { plain, starcoder2_file, starcoder2_commit, starcoder2_message } },
    { "qwen2.5", { "<|repo_name|>", "<|file_sep|>" },
      { plain, qwen_file, qwen_commit, qwen_message } },
    { "text", { NULL },
      { plain, text_file, text_commit, text_message } },
};

static uint32_t
find(const struct tokenizer *t, const char *name)
{
    return tokenizer_find(t, name, strlen(name));
}

static bool
has_all(const struct tokenizer *t, const struct tokenizer_family *f)
{
    size_t i;

    for (i = 0; i < MAX_NEEDS && f->needs[i]; i++)
        if (find(t, f->needs[i]) == TOKEN_NONE)
            return false;
    return true;
}

void
template_init(struct template *tp, enum template_kind kind,
              const struct tokenizer *t, uint32_t end)
{
    const struct tokenizer_family *f = families;

    while (!has_all(t, f))
        f++;
    tp->t = t;
    tp->end = end;
    tp->family = f->name;
    tp->part = f->part[kind];
}

void
template_out_init(struct template_out *out, const struct tokenizer *t)
{
    memset(out, 0, sizeof(*out));
    ids_init(&out->ids);
    spans_init(&out->text, t);
}

void
template_out_release(struct template_out *out)
{
    ids_release(&out->ids);
    spans_release(&out->text);
    free(out->loss);
    memset(out, 0, sizeof(*out));
}

void
template_set(struct template_input *in, enum template_field field,
             const char *p, size_t n)
{
    in->whole[field] = (struct template_piece){
        .p = p, .n = n, .loss = true, .marks = in->marks
    };
    in->field[field] = (struct template_value){ &in->whole[field], 1 };
}

/* Room for the flags of all ids. */
static uint8_t *
loss_room(struct template_out *out, size_t from)
{
    if (out->ids.n > out->cap) {
        out->cap = out->ids.n + out->ids.n / 2;
        out->loss = mem_grow(out->loss, out->cap);
    }
    return out->loss + from;
}

/* Encodes the text that waits. */
static void
flush(struct template_out *out, struct encoder *en)
{
    size_t from = out->ids.n;

    spans_encode(&out->text, en, &out->ids);
    spans_mask(&out->text, out->ids.id + from, out->ids.n - from,
               loss_room(out, from));
    spans_reset(&out->text);
}

static void
add_token(struct template_out *out, struct encoder *en, uint32_t id,
          bool loss)
{
    flush(out, en);
    if (id == TOKEN_NONE)
        return;
    ids_add(&out->ids, id);
    *loss_room(out, out->ids.n - 1) = loss;
}

static void
add_field(struct template_out *out, const struct template_value *v,
          bool loss)
{
    const struct template_piece *piece = v->piece;

    for (size_t i = 0; i < v->n; i++)
        if (piece[i].p)
            spans_add(&out->text, piece[i].p, piece[i].n,
                      loss && piece[i].loss, piece[i].marks);
}

void
template_encode(const struct template *tp, struct encoder *en,
                const struct template_input *in, struct template_out *out)
{
    const struct template_part *part;

    out->ids.n = 0;
    for (part = tp->part; part->kind != PART_STOP; part++) {
        if (part->field != FIELD_ALWAYS && !in->field[part->field].piece)
            continue;
        if (part->kind == PART_TEXT)
            spans_add(&out->text, part->text, strlen(part->text), part->loss,
                      in->marks);
        else if (part->kind == PART_FIELD)
            add_field(out, &in->field[part->field], part->loss);
        else
            add_token(out, en, part->kind == PART_TOKEN ?
                      find(tp->t, part->text) : tp->end, part->loss);
    }
    flush(out, en);
}

/* score_file.c - lines of evalprompts: which are kept. */
#include "report/score_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/b64.h"
#include "base/io.h"
#include "base/mem.h"

#define MAX_LINE (64 << 20)
#define MAX_NAMES 128

bool
score_file_is(const char *path)
{
    struct stat st;

    return strcmp(path, "-") == 0
           || (stat(path, &st) == 0 && !S_ISDIR(st.st_mode));
}

static const char *
text_of(const cJSON *line, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(line, name);

    return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* ---- samples ---- */

static void
side_release(struct score_side *s)
{
    free(s->text);
    free(s->why);
    memset(s, 0, sizeof(*s));
}

static void
sample_release(struct score_sample *s)
{
    free(s->id);
    free(s->prompt);
    side_release(&s->base);
    side_release(&s->adapter);
    memset(s, 0, sizeof(*s));
}

/* Whether a character goes on there. */
static bool
is_inside(const char *text, size_t at)
{
    return ((unsigned char)text[at] & 0xc0) == 0x80;
}

/* A completion is a string, or b64 of what is no UTF-8. */
static void
take_text(struct score_side *side, const cJSON *v)
{
    const char *b64 = text_of(v, "b64");
    struct buf text;

    buf_init(&text);
    if (cJSON_IsString(v))
        buf_addstr(&text, v->valuestring);
    else if (b64)
        b64_get(&text, b64, strlen(b64));
    side->n = text.len;
    if (text.len > SCORE_SAMPLE_BYTES) {
        side->n = SCORE_SAMPLE_BYTES;
        for (int i = 0; i < 3 && is_inside(text.data, side->n); i++)
            side->n--;
    }
    side->left_out = text.len - side->n;
    side->text = mem_dup(text.data, side->n);
    buf_release(&text);
}

/* What a message says, with who says it. */
static void
add_message(struct buf *b, const cJSON *message)
{
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(message,
                                                            "content");
    const char *role = text_of(message, "role");
    char *text = cJSON_IsString(content) ? mem_strdup(content->valuestring)
                                         : cJSON_PrintUnformatted(message);

    buf_addf(b, "%s%s: %s", b->len > 0 ? "\n" : "", role ? role : "message",
             text ? text : "");
    free(text);
}

/* A prompt is a string, or an object with messages. */
static void
take_prompt(struct score_sample *s, const cJSON *v)
{
    const cJSON *message;
    struct buf text;
    size_t at = 0;

    buf_init(&text);
    if (cJSON_IsString(v))
        buf_addstr(&text, v->valuestring);
    cJSON_ArrayForEach(message, score_get(v, "messages"))
        add_message(&text, message);
    if (text.len > SCORE_PROMPT_BYTES)
        at = text.len - SCORE_PROMPT_BYTES;
    s->prompt_cut = at > 0;
    while (at < text.len && is_inside(text.data, at))
        at++;
    if (text.len > 0)
        s->prompt = mem_strdup(text.data + at);
    buf_release(&text);
}

/* Whether one side alone passed. */
static bool
differs(const struct score_sample *s)
{
    return s->base.text && s->adapter.text
           && s->base.passed != s->adapter.passed;
}

/* The sample of that prompt, made if it is not there; NULL where there are
 * enough. */
static struct score_sample *
sample_of(struct score_file *f, const char *id)
{
    struct map_entry *entry = map_get(&f->ids, id, strlen(id));
    struct score_sample *s;

    if (entry)
        return &f->sample[entry->value];
    if (f->n_samples == SCORE_PROMPTS)
        return NULL;
    if (f->n_samples == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 16;
        f->sample = mem_grow(f->sample, f->cap * sizeof(*s));
    }
    map_put(&f->ids, id, strlen(id), f->n_samples, NULL);
    s = &f->sample[f->n_samples++];
    memset(s, 0, sizeof(*s));
    s->id = mem_strdup(id);
    return s;
}

/* Of several completions of a prompt by one model the first is kept. */
static void
take_completion(struct score_file *f, const cJSON *line)
{
    const char *id = text_of(line, "id"), *model = text_of(line, "model");
    const cJSON *passed = cJSON_GetObjectItemCaseSensitive(line, "passed");
    struct score_sample *s;
    struct score_side *side;

    if (!id || !model) {
        f->others++;
        return;
    }
    s = sample_of(f, id);
    if (!s) {
        f->more++;
        return;
    }
    if (!s->prompt)
        take_prompt(s, cJSON_GetObjectItemCaseSensitive(line, "prompt"));
    side = strcmp(model, "base") == 0 ? &s->base : &s->adapter;
    if (side->text)
        return;
    side->passed = cJSON_IsBool(passed) ? "ny"[cJSON_IsTrue(passed)] : '-';
    if (text_of(line, "why"))
        side->why = mem_strdup(text_of(line, "why"));
    take_text(side, cJSON_GetObjectItemCaseSensitive(line, "completion"));
}

static void
sort_samples(struct score_file *f)
{
    struct score_sample *sorted = mem_array(f->n_samples, sizeof(*sorted));
    size_t n = 0;

    for (int want = 1; want >= 0; want--)
        for (size_t i = 0; i < f->n_samples; i++)
            if (differs(&f->sample[i]) == want)
                sorted[n++] = f->sample[i];
    free(f->sample);
    f->sample = sorted;
}

/* ---- lines ---- */

/* *line is taken. */
static int
take_line(struct score_file *f, cJSON *line, uint64_t number, struct err *e)
{
    const char *kind = text_of(line, "kind");

    if (!cJSON_IsObject(line)) {
        cJSON_Delete(line);
        return err_set(e, ERR_DATA, "%s: line %llu: no JSON object", f->path,
                       (unsigned long long)number);
    }
    if (kind && strcmp(kind, "summary") == 0) {
        cJSON_Delete(f->summary);
        f->summary = line;
        return 0;
    }
    if (cJSON_HasObjectItem(line, "completion"))
        take_completion(f, line);
    else if (cJSON_HasObjectItem(line, "record"))
        f->records++;
    else
        f->others++;
    cJSON_Delete(line);
    return 0;
}

static int
read_lines(struct score_file *f, struct in *in, struct err *e)
{
    uint64_t number = 0;
    bool got, ended;
    struct buf text;
    char where[32];
    int rc;

    buf_init(&text);
    while ((rc = in_line(in, &text, MAX_LINE, &got, &ended, e)) == 0
           && got) {
        cJSON *line = NULL;

        if (text.len == 0)
            continue;
        snprintf(where, sizeof(where), "line %llu",
                 (unsigned long long)++number);
        rc = json_user(&line, text.data, text.len, where, e);
        if (rc < 0) {
            err_prefix(e, "%s", f->path);
            break;
        }
        rc = take_line(f, line, number, e);
        if (rc < 0)
            break;
    }
    buf_release(&text);
    return rc;
}

int
score_file_read(struct score_file *f, const char *path, struct err *e)
{
    struct in in;
    int rc;

    memset(f, 0, sizeof(*f));
    f->path = mem_strdup(path);
    map_init(&f->ids);
    rc = in_open(&in, path, e);
    if (rc == 0)
        rc = read_lines(f, &in, e);
    in_release(&in);
    sort_samples(f);
    if (rc == 0 && !f->summary && f->n_samples == 0)
        rc = err_set(e, ERR_DATA, "%s: not what evalprompts writes: neither "
                     "a summary nor a completion", path);
    return rc;
}

void
score_file_release(struct score_file *f)
{
    for (size_t i = 0; i < f->n_samples; i++)
        sample_release(&f->sample[i]);
    free(f->sample);
    map_release(&f->ids);
    cJSON_Delete(f->summary);
    free(f->path);
    memset(f, 0, sizeof(*f));
}

const cJSON *
score_get(const cJSON *from, const char *names)
{
    char name[MAX_NAMES];

    while (from && *names) {
        size_t n = strcspn(names, ".");

        if (n >= sizeof(name))
            return NULL;
        memcpy(name, names, n);
        name[n] = '\0';
        from = cJSON_GetObjectItemCaseSensitive(from, name);
        names += n + (names[n] == '.');
    }
    return from;
}

double
score_number(const cJSON *from, const char *names)
{
    const cJSON *v = score_get(from, names);

    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

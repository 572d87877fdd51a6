/* complete_prompts.c - the prompts of one adapter after those of another, each
 * of them in the next place that is free; lines wait for those before them.
 *
 * A pass that feeds a prompt takes a chunk of rows of every place. So free
 * places wait until half of them are free: then at most half of such a pass is
 * in vain, and at most half of the others.
 */
#include "cli/complete_prompts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"

struct job {
    const struct prompt *prompt;
    const char *adapter; /* NULL: the base alone */
    struct ids ids;      /* of it, and before it of its context */
    struct context_size context;
    struct buf line;     /* what came of it */
    bool done;
};

struct place {
    struct job *job; /* NULL: free */
    struct completing c;
};

struct batch_run {
    struct speaker *s;
    struct job *job;
    size_t n, written; /* jobs; of these, lines that were written */
    size_t next;       /* no job of this adapter before it is to be begun */
    struct place *place;
    uint32_t places;
    struct out *out;
    uint64_t tokens;
};

/* ---- before the first pass ---- */

static int
choose_adapter(const struct speaker *s, struct job *j, struct err *e)
{
    const char *name = j->prompt->adapter;

    j->adapter = speaker_adapter(s);
    if (name == NULL)
        return 0;
    j->adapter = *name != '\0' ? name : NULL;
    if (*name != '\0' && !speaker_has(s, name))
        return err_set(e, ERR_DATA, "no --adapter has the name '%s'", name);
    return 0;
}

static int
encode(struct speaker *s, struct job *j, struct err *e)
{
    const struct prompt *p = j->prompt;

    ids_init(&j->ids);
    buf_init(&j->line);
    if (choose_adapter(s, j, e) < 0)
        return e->code;
    if (p->chat != NULL && s->o->from.set != NULL)
        return context_no_chat(e);
    if (p->chat != NULL)
        return text_codec_chat(&s->codec, p->chat, strlen(p->chat),
                               "messages", &j->ids, e);
    return text_codec_text(&s->codec, p->text, p->len, &j->ids, e);
}

/* The tokens of all jobs, each behind its context. */
static int
find_contexts(struct batch_run *r, struct err *e)
{
    struct context_prompt *p = mem_array(r->n, sizeof(*p));
    uint32_t *max_tokens = mem_array(r->n, sizeof(*max_tokens));
    int rc;

    for (size_t i = 0; i < r->n; i++) {
        p[i].ids = &r->job[i].ids;
        max_tokens[i] = r->job[i].prompt->max_tokens;
    }
    rc = speaker_context_before(r->s, p, max_tokens, r->n, e);
    for (size_t i = 0; i < r->n; i++)
        r->job[i].context = p[i].size;
    free(max_tokens);
    free(p);
    return rc;
}

/* How long the longest job may become. */
static uint32_t
longest_job(const struct batch_run *r)
{
    uint32_t most = speaker_context(r->s);
    uint64_t need, longest = 0;

    for (size_t i = 0; i < r->n; i++) {
        const struct job *j = &r->job[i];

        need = j->prompt->max_tokens > 0
               ? j->ids.n + j->prompt->max_tokens + 1 : most;
        longest = need > longest ? need : longest;
    }
    return longest < most ? (uint32_t)longest : most;
}

static int
prepare(struct batch_run *r, const struct prompts *p, struct err *e)
{
    uint32_t most = speaker_context(r->s);
    int rc = 0;

    r->job = mem_array(p->n, sizeof(*r->job));
    for (; r->n < p->n && rc == 0; r->n++) {
        struct job *j = &r->job[r->n];

        j->prompt = &p->item[r->n];
        rc = encode(r->s, j, e);
        if (rc == 0 && j->ids.n >= most)
            rc = err_set(e, ERR_LIMIT, "%zu tokens fill the context of %u",
                         j->ids.n, most);
    }
    if (rc < 0)
        return err_prefix(e, "prompt %s", r->job[r->n - 1].prompt->id);
    return r->s->o->from.set != NULL ? find_contexts(r, e) : 0;
}

/* ---- passes ---- */

static bool
same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The next job of that adapter, or NULL. */
static struct job *
next_job(struct batch_run *r, const char *adapter)
{
    while (r->next < r->n) {
        struct job *j = &r->job[r->next++];

        if (!j->done && same(adapter, j->adapter))
            return j;
    }
    return NULL;
}

static int
begin(struct batch_run *r, uint32_t i, struct job *j, struct err *e)
{
    const struct prompt *p = j->prompt;
    struct completing_opts o = r->s->c;

    o.as = TELL_BYTES;
    o.answer = p->chat != NULL;
    o.sampling.site = rng_site(p->id);
    o.sampling.max_tokens = p->max_tokens;
    if (p->n_stop > 0) {
        o.stop = (const char *const *)p->stop;
        o.n_stop = p->n_stop;
    }
    r->place[i].job = j;
    return completing_begin(&r->place[i].c, &r->s->generator, i, &j->ids, &o,
                            e);
}

/* Fills the free places, if it is time to; *going: places that are not free.
 */
static int
fill(struct batch_run *r, const char *adapter, uint32_t *going,
     struct err *e)
{
    uint32_t empty = 0;
    int rc = 0;

    for (uint32_t i = 0; i < r->places; i++)
        empty += r->place[i].job == NULL;
    *going = r->places - empty;
    if (2 * empty < r->places)
        return 0;
    for (uint32_t i = 0; i < r->places && rc == 0; i++) {
        struct job *j = NULL;

        if (r->place[i].job == NULL)
            j = next_job(r, adapter);
        if (j == NULL)
            continue;
        rc = begin(r, i, j, e);
        *going += 1;
    }
    return rc;
}

static void
put_line(const struct batch_run *r, struct job *j, const struct completing *c)
{
    buf_addstr(&j->line, "{\"id\": ");
    json_put_string(&j->line, j->prompt->id, strlen(j->prompt->id));
    if (r->s->n_adapters > 0) {
        buf_addstr(&j->line, ", \"adapter\": ");
        if (j->adapter != NULL)
            json_put_string(&j->line, j->adapter, strlen(j->adapter));
        else
            buf_addstr(&j->line, "null");
    }
    buf_addstr(&j->line, ", \"completion\": ");
    completion_put_text(&j->line, &c->text);
    buf_addf(&j->line, ", \"finish\": \"%s\", \"prompt_tokens\": %u, "
             "\"tokens\": %u", finish_name(c->finish), c->n_prompt,
             c->n_tokens);
    if (r->s->o->from.set != NULL)
        buf_addf(&j->line, ", \"context\": {\"records\": %u, "
                 "\"tokens\": %u}", j->context.records, j->context.tokens);
    buf_addstr(&j->line, "}\n");
}

/* Place i has ended: writes the lines that no other has to come before. */
static int
finish(struct batch_run *r, uint32_t i, struct err *e)
{
    struct place *p = &r->place[i];
    int rc = 0;

    put_line(r, p->job, &p->c);
    p->job->done = true;
    p->job = NULL;
    r->tokens += p->c.n_tokens;
    completing_release(&p->c);
    generator_end(&r->s->generator, i);
    for (; r->written < r->n && r->job[r->written].done && rc == 0;
         r->written++) {
        struct buf *line = &r->job[r->written].line;

        rc = out_write(r->out, line->data, line->len, e);
        buf_release(line);
    }
    if (rc == 0)
        rc = out_flush(r->out, e);
    progress_add(1);
    return rc;
}

static int
run_adapter(struct batch_run *r, const char *adapter, struct err *e)
{
    struct generator *g = &r->s->generator;
    uint32_t going;
    int rc = fill(r, adapter, &going, e);

    while (rc == 0 && going > 0) {
        rc = generator_pass(g, e);
        for (uint32_t i = 0; i < r->places && rc == 0; i++) {
            struct place *p = &r->place[i];

            if (p->job == NULL || g->text[i].logits == NULL)
                continue;
            completing_step(&p->c, g, i, &r->s->codec);
            if (p->c.done)
                rc = finish(r, i, e);
        }
        if (rc == 0)
            rc = fill(r, adapter, &going, e);
    }
    return rc;
}

/* Adapter after adapter, in the order of the first prompts that have them. */
static int
run_all(struct batch_run *r, uint32_t batch, uint32_t context, struct err *e)
{
    int rc = 0;

    if (batch > r->n)
        batch = (uint32_t)r->n;
    r->places = batch;
    r->place = mem_array(batch, sizeof(*r->place));
    while (rc == 0 && r->written < r->n) {
        const char *adapter = r->job[r->written].adapter;

        r->next = r->written;
        rc = speaker_use(r->s, adapter, batch, context, e);
        if (rc == 0)
            rc = run_adapter(r, adapter, e);
    }
    for (uint32_t i = 0; i < batch; i++) {
        if (r->place[i].job != NULL)
            completing_release(&r->place[i].c);
    }
    free(r->place);
    return rc;
}

static void
sum_up(const struct batch_run *r, double seconds)
{
    log_info("%zu prompts, %llu tokens of completions at %.1f/s", r->n,
             (unsigned long long)r->tokens, (double)r->tokens / seconds);
}

int
complete_prompts(struct speaker *s, const char *path, uint32_t batch,
                 struct out *out, struct err *e)
{
    struct batch_run r = { .s = s, .out = out };
    double start;
    struct prompts p;
    struct prompts_opts reading = {
        .max_tokens = (uint32_t)s->o->max_tokens, .adapters = true
    };
    int rc = prompts_read(&p, path, &reading, e);

    if (rc < 0)
        return rc;
    start = clock_seconds();
    rc = prepare(&r, &p, e);
    if (rc == 0 && r.n > 0) {
        progress_begin("prompts", 0, r.n);
        rc = run_all(&r, batch, longest_job(&r), e);
    }
    if (rc == 0)
        sum_up(&r, clock_seconds() - start);
    for (size_t i = 0; i < r.n; i++) {
        ids_release(&r.job[i].ids);
        buf_release(&r.job[i].line);
    }
    free(r.job);
    prompts_release(&p);
    return rc;
}

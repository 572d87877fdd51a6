/* speaker.c - a base opened for completions, its adapters one at a time. */
#include "cli/speaker.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "eval/sampling_config.h"

/* A NAME has no slash, so that any directory can be named. */
static struct named_adapter
read_name(const char *text)
{
    size_t n = strcspn(text, "=/");
    struct named_adapter a = { .dir = text };

    if (text[n] == '=' && n > 0) {
        a.name = mem_strdup(text);
        a.name[n] = '\0';
        a.dir = text + n + 1;
    } else {
        a.name = mem_strdup(text);
    }
    return a;
}

bool
speaker_has(const struct speaker *s, const char *name)
{
    for (size_t i = 0; i < s->n_adapters; i++) {
        if (strcmp(s->adapter[i].name, name) == 0)
            return true;
    }
    return false;
}

const char *
speaker_adapter(const struct speaker *s)
{
    return s->n_adapters > 0 ? s->adapter[0].name : NULL;
}

static int
name_adapters(struct speaker *s, struct err *e)
{
    const struct opt_list *list = &s->o->adapters;
    int rc = 0;

    s->adapter = mem_array(list->n, sizeof(*s->adapter));
    for (size_t i = 0; i < list->n && rc == 0; i++) {
        struct named_adapter a = read_name(list->item[i]);

        if (speaker_has(s, a.name))
            rc = err_set(e, ERR_USAGE, "--adapter: two have the name '%s'",
                         a.name);
        s->adapter[s->n_adapters++] = a;
    }
    return rc;
}

/* Each of them is read, so that what is wrong with one is said before any
 * work. */
static int
read_adapters(struct speaker *s, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < s->n_adapters && rc == 0; i++)
        rc = model_adapt(&s->model, s->adapter[i].dir, e);
    return rc;
}

/* What the base says, and over it what the user does. */
static int
choose_sampling(struct speaker *s, const struct args *args, struct err *e)
{
    static const char *const drawn[] = { "top-k", "top-p", "min-p" };
    const struct speaker_options *o = s->o;
    struct sampling *to = &s->c.sampling;
    int rc = sampling_config_read(to, &s->model.weights, e);

    if (rc < 0)
        return rc;
    if (tool_given(args, "temperature"))
        to->temperature = o->temperature;
    if (tool_given(args, "top-k"))
        to->top_k = (uint32_t)o->top_k;
    if (tool_given(args, "top-p"))
        to->top_p = o->top_p;
    if (tool_given(args, "min-p"))
        to->min_p = o->min_p;
    if (tool_given(args, "repetition-penalty"))
        to->repetition_penalty = o->repetition_penalty;
    to->max_tokens = (uint32_t)o->max_tokens;
    to->seed = o->seed;
    for (size_t i = 0; i < sizeof(drawn) / sizeof(drawn[0]); i++) {
        if (to->temperature == 0 && tool_given(args, drawn[i]))
            return err_set(e, ERR_USAGE, "--%s without --temperature",
                           drawn[i]);
    }
    return 0;
}

/* A base with a chat template talks, unless it is told not to. */
int
speaker_chats(struct speaker *s, struct err *e)
{
    struct err why;

    s->chats = !s->o->raw && s->codec.of.found;
    if (s->chats && chat_template_ok(&s->codec.of, &why) < 0)
        return err_set(e, why.code, "%s (--raw goes on from a text without "
                       "it)", why.text);
    if (s->o->system != NULL && !s->chats)
        return err_set(e, ERR_USAGE, "--system without a chat template");
    return 0;
}

int
speaker_open(struct speaker *s, const struct speaker_options *o,
             const struct args *args, struct err *e)
{
    struct text_codec_opts codec = { .tokenizer = o->tokenizer,
                                     .chat_template = o->chat_template,
                                     .date = o->date };
    struct device_opts device = machine_use(&o->machine);
    int rc;

    memset(s, 0, sizeof(*s));
    s->o = o;
    rc = model_open(&s->model, o->base, NULL, &device, e);
    if (rc < 0)
        return rc;
    s->c.stop = o->stops.item;
    s->c.n_stop = o->stops.n;
    s->c.special = o->special;
    rc = text_codec_open(&s->codec, &s->model.weights, s->model.desc.vocab,
                         &codec, e);
    if (rc < 0) {
        model_release(&s->model);
        return rc;
    }
    rc = choose_sampling(s, args, e);
    if (rc == 0)
        rc = name_adapters(s, e);
    if (rc == 0)
        rc = read_adapters(s, e);
    if (rc < 0)
        speaker_release(s);
    return rc;
}

static void
close_generator(struct speaker *s)
{
    if (s->open)
        generator_release(&s->generator);
    s->open = false;
}

void
speaker_release(struct speaker *s)
{
    close_generator(s);
    for (size_t i = 0; i < s->n_adapters; i++)
        free(s->adapter[i].name);
    free(s->adapter);
    text_codec_release(&s->codec);
    model_release(&s->model);
    memset(s, 0, sizeof(*s));
}

static const struct named_adapter *
find(const struct speaker *s, const char *name)
{
    for (size_t i = 0; i < s->n_adapters; i++) {
        if (name != NULL && strcmp(s->adapter[i].name, name) == 0)
            return &s->adapter[i];
    }
    return NULL;
}

uint32_t
speaker_context(const struct speaker *s)
{
    return generator_opts(&s->model.desc, 1, (uint32_t)s->o->context)
        .cache_len;
}

int
speaker_context_before(struct speaker *s, struct context_prompt *p,
                       const uint32_t *max_tokens, size_t n, struct err *e)
{
    struct context_counts counts = { .records = 0 };
    struct context_set c, *open;
    int rc = context_options_open(&s->o->from, s->o->force, &s->model, &c,
                                  &open, e);

    if (rc < 0 || open == NULL)
        return rc;
    for (size_t i = 0; i < n; i++)
        p[i].room = context_room(speaker_context(s), p[i].ids->n,
                                 max_tokens[i]);
    rc = context_prompts(open, p, n, &s->codec.tokenizer, &counts, e);
    context_release(open);
    if (rc == 0)
        log_info("%llu tokens of %llu records stand before %llu of %zu "
                 "prompts", (unsigned long long)counts.tokens,
                 (unsigned long long)counts.records,
                 (unsigned long long)counts.with, n);
    return rc;
}

int
speaker_use(struct speaker *s, const char *adapter, uint32_t batch,
            uint32_t context, struct err *e)
{
    const struct named_adapter *a = find(s, adapter);
    const char *name = a != NULL ? a->name : NULL;
    struct model *m = &s->model;
    struct prog_opts p = generator_opts(&m->desc, batch, context);
    int rc;

    if (s->open && s->with == name && s->generator.batch == batch
        && s->generator.context == context)
        return 0;
    close_generator(s);
    s->with = name;
    rc = model_adapt(m, a != NULL ? a->dir : NULL, e);
    if (rc == 0 && desc_reaches(&m->desc, p.cache_len))
        rc = model_fit(m, &p, "generation", s->o->force, e);
    if (rc == 0)
        rc = generator_open(&s->generator, &m->desc, &m->base, &m->backend,
                            m->with, batch, context, e);
    s->open = rc == 0;
    return rc;
}

int
speaker_say(struct buf *messages, const char *role, const char *text,
            size_t n, struct err *e)
{
    size_t valid = utf8_valid(text, n);

    if (valid < n)
        return err_set(e, ERR_DATA, "message of the %s: byte %zu: invalid "
                       "UTF-8", role, valid);
    buf_addf(messages, "%s{\"role\": \"%s\", \"content\": ",
             messages->len > 0 ? ", " : "", role);
    json_put_string(messages, text, n);
    buf_addc(messages, '}');
    return 0;
}

int
speaker_encode(struct speaker *s, const struct buf *messages,
               struct ids *ids, struct err *e)
{
    struct buf line;
    int rc;

    buf_init(&line);
    buf_addf(&line, "{\"messages\": [%s]}", messages->data);
    rc = text_codec_chat(&s->codec, line.data, line.len, "conversation", ids,
                         e);
    buf_release(&line);
    return rc;
}

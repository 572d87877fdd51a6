/* converse.c - line by line: a command, or a message and its answer.
 *
 * The messages so far are laid out and encoded anew for each answer, as
 * transformers does it; the generator feeds what it hasn't in its cache.
 */
#include "cli/converse.h"

#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/rng.h"
#include "base/stop.h"

struct conversation {
    struct speaker *s;
    struct out *out;
    struct ask ask;
    struct buf messages; /* so far, as speaker_say has them */
    bool over;
};

static int
begin(struct conversation *c, struct err *e)
{
    const char *system = c->s->o->system;

    buf_reset(&c->messages);
    return system == NULL ? 0
           : speaker_say(&c->messages, "system", system, strlen(system), e);
}

/* ---- commands ---- */

static int
use_adapter(struct conversation *c, const char *name, struct err *e)
{
    if (*name != '\0' && !speaker_has(c->s, name)) {
        log_warn("no --adapter has the name '%s'", name);
        return 0;
    }
    return speaker_use(c->s, *name != '\0' ? name : NULL, 1,
                       speaker_context(c->s), e);
}

static int
do_command(struct conversation *c, const char *line, struct err *e)
{
    static const char help[] =
        "/reset           begin a new conversation\n"
        "/adapter NAME    answer with that adapter; without a name, with the "
        "base alone\n"
        "/quit            end, as Ctrl-D does\n"
        "A line that ends in \\ goes on in the next. Ctrl-C ends an answer.\n";

    if (strcmp(line, "/reset") == 0)
        return begin(c, e);
    if (strcmp(line, "/adapter") == 0)
        return use_adapter(c, "", e);
    if (strncmp(line, "/adapter ", 9) == 0)
        return use_adapter(c, line + 9, e);
    c->over = strcmp(line, "/quit") == 0;
    if (c->over)
        return 0;
    return out_write(c->out, help, sizeof(help) - 1, e);
}

/* ---- answers ---- */

/* Shows what can be told by now and adds it to the answer. */
static int
show(struct conversation *c, struct completing *made, struct buf *answer,
     struct err *e)
{
    struct buf safe;
    int rc;

    buf_init(&safe);
    telling_put_safe(&safe, made->text.data, made->text.len);
    buf_add(answer, made->text.data, made->text.len);
    buf_reset(&made->text);
    rc = out_write(c->out, safe.data, safe.len, e);
    buf_release(&safe);
    return rc < 0 ? rc : out_flush(c->out, e);
}

/* Makes the answer to the prompt. */
static int
answer(struct conversation *c, const struct ids *ids, struct buf *text,
       struct err *e)
{
    struct generator *g = &c->s->generator;
    struct completing made;
    int rc = completing_begin(&made, g, 0, ids, &c->s->c, e);

    if (rc == 0)
        log_debug("%u tokens of prompt, %u of them in the cache",
                  made.n_prompt, made.n_kept);
    while (rc == 0 && !made.done) {
        rc = generator_pass(g, e);
        if (rc == 0 && g->text[0].logits != NULL)
            completing_step(&made, g, 0, &c->s->codec);
        if (rc == 0 && stop_asked() != 0 && !made.done)
            completing_end(&made, FINISH_LENGTH);
        if (rc == 0)
            rc = show(c, &made, text, e);
    }
    if (stop_asked() == SIGINT)
        stop_forget();
    if (rc == 0)
        rc = out_write(c->out, "\n", 1, e);
    if (rc == 0)
        rc = out_flush(c->out, e);
    if (rc == 0 && made.full)
        log_warn("the context of %u tokens is full: /reset begins anew, "
                 "--context takes more", g->context);
    completing_release(&made);
    return rc;
}

/* The tokens of what was said. */
static int
encode(struct conversation *c, const struct buf *line, struct ids *ids,
       struct err *e)
{
    int rc;

    if (!c->s->chats)
        return text_codec_text(&c->s->codec, line->data, line->len, ids, e);
    rc = speaker_say(&c->messages, "user", line->data, line->len, e);
    return rc < 0 ? rc : speaker_encode(c->s, &c->messages, ids, e);
}

/* What is too long or can't be laid out is told, and was not said. */
static int
reply(struct conversation *c, const struct buf *line, struct err *e)
{
    size_t before = c->messages.len;
    struct buf text;
    struct ids ids;
    int rc;

    ids_init(&ids);
    buf_init(&text);
    rc = encode(c, line, &ids, e);
    if (rc == 0)
        rc = answer(c, &ids, &text, e);
    if (rc == 0 && c->s->chats)
        rc = speaker_say(&c->messages, "assistant", text.data, text.len, e);
    if (rc == ERR_DATA || rc == ERR_LIMIT) {
        log_warn("%s%s", e->text,
                 rc == ERR_LIMIT ? ": /reset begins anew" : "");
        c->messages.len = before;
        c->messages.data[before] = '\0';
        rc = 0;
    }
    ids_release(&ids);
    buf_release(&text);
    return rc;
}

int
converse(struct speaker *s, const char *program,
         const struct ask_streams *terminal, struct out *out, struct err *e)
{
    struct conversation c = { .s = s, .out = out };
    struct buf line;
    int rc = speaker_use(s, speaker_adapter(s), 1, speaker_context(s), e);

    s->c.as = TELL_TEXT;
    s->c.answer = s->chats;
    s->c.keep = true;
    s->c.sampling.site = rng_site("1");
    buf_init(&line);
    buf_init(&c.messages);
    if (rc == 0)
        rc = begin(&c, e);
    log_info("%s; /help says what there is",
             s->chats ? "a conversation" : "each line is gone on from");
    ask_open(&c.ask, program, terminal);
    while (rc == 0 && !c.over && stop_asked() == 0
           && ask_line(&c.ask, &line)) {
        if (line.data[0] == '/')
            rc = do_command(&c, line.data, e);
        else if (line.len > 0)
            rc = reply(&c, &line, e);
        if (rc == 0)
            rc = out_flush(out, e);
    }
    ask_close(&c.ask);
    if (rc == 0 && !c.over)
        rc = out_write(out, "\n", 1, e);
    buf_release(&c.messages);
    buf_release(&line);
    return rc;
}

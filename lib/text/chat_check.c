/* chat_check.c - nothing that was said is left out unheard.
 *
 * A template may have nothing to write for a role that it doesn't know, or
 * for a call of a tool: what is missing then would not be missed. So each
 * message that says something has bytes in what was written, by their
 * origins. Two may have none: an assistant's turn that was begun and ended,
 * of which thinking alone was left out, and a system message where the
 * template writes another one, or writes it in prompts (Mistral's do so in
 * front of a last message of the user's).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/chat_parts.h"

enum { TURN = 1, WORDS = 2 }; /* what was written of a message */

static void
find_written(const struct jinja_text *t, unsigned char *written)
{
    const struct jinja_span *s;

    for (size_t i = 0; i < t->n_spans; i++) {
        s = &t->span[i];
        if (s->turn > 0)
            written[s->turn - 1] |= TURN;
        if (s->origin != JINJA_TEMPLATE && s->origin != JINJA_TOOLS)
            written[s->origin - 1] |= WORDS;
    }
}

/* Whether one of the system messages is in *written. */
static bool
has_system(const struct chat *c, const unsigned char *written)
{
    for (size_t i = 0; i < c->n_messages; i++)
        if (c->message[i].system && (written[i] & WORDS))
            return true;
    return false;
}

/* Whether a system message is written in the prompt of the first turn. */
static bool
prompt_has_system(struct chat *c, const struct jinja *j)
{
    unsigned char *written;
    struct err refused;
    size_t n = 0;
    bool has;

    while (n < c->n_messages && !c->message[n].assistant)
        n++;
    jinja_set_bool(c->vars, "add_generation_prompt", true);
    if (jinja_run(j, c->vars, n, &c->prompt, &refused) < 0)
        return false;
    written = mem_array(c->n_messages, 1);
    find_written(&c->prompt, written);
    has = has_system(c, written);
    free(written);
    return has;
}

int
chat_check(struct chat *c, const struct jinja *j, struct err *e)
{
    unsigned char *written = mem_array(c->n_messages, 1);
    struct chat_message *m;
    bool system;
    int rc = 0;

    find_written(&c->text, written);
    system = has_system(c, written);
    for (size_t i = 0; i < c->n_messages && rc == 0; i++) {
        m = &c->message[i];
        m->passed = false;
        if (!m->says || (written[i] & WORDS)
            || (m->assistant && written[i] && !m->calls))
            continue;
        if (m->system && !system)
            system = prompt_has_system(c, j);
        m->passed = m->system && system;
        if (!m->passed)
            rc = err_set(e, ERR_DATA, "messages[%zu] of role '%s': the chat "
                         "template writes nothing of it", i, m->role);
    }
    free(written);
    return rc;
}

bool
chat_passed(const struct chat *c, size_t i)
{
    return c->message[i].passed;
}

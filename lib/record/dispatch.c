/* dispatch.c - the frames between the child that reads a repository and its
 * parent: integers are u64, little-endian, text is the rest of the frame.
 */
#include "record/dispatch.h"

#include <string.h>

#include "base/bytes.h"

/* ---- the child's end ---- */

static void
add_text(struct buf *b, const char *text)
{
    buf_u64(b, strlen(text));
    buf_addstr(b, text);
}

int
dispatch_start(struct sender *s, uint64_t n_commits, uint64_t other_refs,
               bool replaced, const char *name, const char *license,
               const struct tips *tips, struct err *e)
{
    int rc;

    sender_begin(s, DISPATCH_START);
    buf_u64(&s->out, n_commits);
    buf_u64(&s->out, other_refs);
    buf_u64(&s->out, replaced);
    add_text(&s->out, name);
    add_text(&s->out, license ? license : "");
    for (size_t i = 0; i < tips->n; i++) {
        buf_u32(&s->out, tips->tip[i].flags);
        buf_add(&s->out, tips->tip[i].id.b, OID_BYTES);
    }
    rc = sender_end(s, e);
    return rc < 0 ? rc : sender_flush(s, e);
}

int
dispatch_author(struct sender *s, uint64_t k, struct span who, struct err *e)
{
    sender_begin(s, DISPATCH_AUTHOR);
    buf_u64(&s->out, k);
    buf_add(&s->out, who.p, who.n);
    return sender_end(s, e);
}

void
dispatch_record_begin(struct sender *s)
{
    sender_begin(s, DISPATCH_RECORD);
}

int
dispatch_commit(struct sender *s, uint64_t ordinal,
                const uint64_t skips[N_SKIPS], struct err *e)
{
    sender_begin(s, DISPATCH_COMMIT);
    buf_u64(&s->out, ordinal);
    for (int i = 0; i < N_SKIPS; i++)
        buf_u64(&s->out, skips[i]);
    return sender_end(s, e);
}

int
dispatch_lost(struct sender *s, const struct oid *commit, uint64_t n,
              const char *why, struct err *e)
{
    sender_begin(s, DISPATCH_LOST);
    buf_add(&s->out, commit->b, OID_BYTES);
    buf_u64(&s->out, n);
    buf_addstr(&s->out, why);
    return sender_end(s, e);
}

int
dispatch_bad(struct sender *s, const struct oid *commit, bool cut,
             const char *why, struct err *e)
{
    sender_begin(s, DISPATCH_BAD);
    buf_add(&s->out, commit->b, OID_BYTES);
    buf_u64(&s->out, cut);
    buf_addstr(&s->out, why);
    return sender_end(s, e);
}

int
dispatch_error(struct sender *s, const struct err *why, struct err *e)
{
    sender_begin(s, DISPATCH_ERROR);
    buf_u64(&s->out, (uint64_t)-why->code);
    buf_addstr(&s->out, why->text);
    return sender_end(s, e);
}

/* ---- the parent's end ---- */

/* What is left of the frame. */
static struct span
rest(struct cursor *c)
{
    size_t n = c->left;

    return (struct span){ cursor_bytes(c, n), n };
}

static struct span
take_text(struct cursor *c)
{
    size_t n = (size_t)cursor_u64(c);

    return (struct span){ cursor_bytes(c, n), n };
}

static bool
decode_start(struct dispatch *d, struct cursor *c)
{
    d->of.start.n_commits = cursor_u64(c);
    d->of.start.other_refs = cursor_u64(c);
    d->of.start.replaced = cursor_u64(c) != 0;
    d->text = take_text(c);
    d->of.start.license = take_text(c);
    d->of.start.tips = rest(c);
    return d->of.start.tips.n % DISPATCH_TIP_BYTES == 0;
}

static bool
decode_commit(struct dispatch *d, struct cursor *c)
{
    d->of.commit.ordinal = cursor_u64(c);
    for (int i = 0; i < N_SKIPS; i++)
        d->of.commit.skips[i] = cursor_u64(c);
    return c->left == 0;
}

static bool
decode_error(struct dispatch *d, struct cursor *c)
{
    uint64_t code = cursor_u64(c);

    d->of.error.code = (enum err_code)-(int)code;
    d->text = rest(c);
    return code >= 1 && code <= 6;
}

/* Everything but the kind; false where a part is missing. */
static bool
decode(struct dispatch *d, struct cursor *c)
{
    switch (d->kind) {
    case DISPATCH_START:
        return decode_start(d, c);
    case DISPATCH_AUTHOR:
        d->of.author.k = cursor_u64(c);
        d->text = rest(c);
        return true;
    case DISPATCH_RECORD:
        d->text = rest(c);
        return true;
    case DISPATCH_COMMIT:
        return decode_commit(d, c);
    case DISPATCH_LOST:
        d->of.lost.commit = cursor_bytes(c, OID_BYTES);
        d->of.lost.n = cursor_u64(c);
        d->text = rest(c);
        return true;
    case DISPATCH_BAD:
        d->of.bad.commit = cursor_bytes(c, OID_BYTES);
        d->of.bad.cut = cursor_u64(c) != 0;
        d->text = rest(c);
        return true;
    case DISPATCH_ERROR:
        return decode_error(d, c);
    default:
        return false;
    }
}

int
dispatch_decode(struct dispatch *d, uint8_t type, const char *p, size_t n,
                struct err *e)
{
    struct cursor c = cursor_on(p, n);

    memset(d, 0, sizeof(*d));
    d->kind = (enum dispatch_kind)type;
    if (!decode(d, &c) || !c.ok)
        return err_set(e, ERR_DATA, "the reader sent nonsense");
    return 0;
}

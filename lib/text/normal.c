/* normal.c - each step writes its text for the next one to read; a step that
 * would change nothing is passed over. */
#include "text/normal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
normalizer_release(struct normalizer *z)
{
    size_t i;

    for (i = 0; i < z->n; i++) {
        buf_release(&z->step[i].from);
        buf_release(&z->step[i].to);
    }
    free(z->step);
    memset(z, 0, sizeof(*z));
}

struct normal_step *
normalizer_insert(struct normalizer *z, size_t i, enum normal_kind kind)
{
    struct normal_step *s;

    z->step = mem_grow(z->step, (z->n + 1) * sizeof(z->step[0]));
    s = &z->step[i];
    memmove(s + 1, s, (z->n - i) * sizeof(z->step[0]));
    z->n++;
    s->kind = kind;
    s->form = FORM_NFC;
    buf_init(&s->from);
    buf_init(&s->to);
    return s;
}

static bool
step_needed(const struct normal_step *s, const uint8_t *uclass,
            const void *p, size_t n)
{
    if (s->kind == NORMAL_FORM)
        return form_needed(s->form, uclass, p, n);
    if (s->kind == NORMAL_PREPEND)
        return n > 0;
    return n > 0 && memmem(p, n, s->from.data, s->from.len) != NULL;
}

static void
replace(struct buf *b, const struct normal_step *s, const char *p, size_t n,
        struct text_changes *changes)
{
    const char *start = p, *end = p + n, *hit;
    struct text_change c = { .n = s->to.len, .len = s->from.len };

    while (p < end && (hit = memmem(p, (size_t)(end - p), s->from.data,
                                    s->from.len)) != NULL) {
        buf_add(b, p, (size_t)(hit - p));
        c.at = b->len;
        c.from = (size_t)(hit - start);
        if (changes)
            text_changes_add(changes, &c);
        buf_add(b, s->to.data, s->to.len);
        p = hit + s->from.len;
    }
    buf_add(b, p, (size_t)(end - p));
}

static void
prepend(struct buf *b, const struct normal_step *s, const void *p, size_t n,
        struct text_changes *changes)
{
    struct text_change c = { .n = s->to.len };

    if (changes)
        text_changes_add(changes, &c);
    buf_add(b, s->to.data, s->to.len);
    buf_add(b, p, n);
}

static void
add_step(struct buf *b, const struct normal_step *s, const uint8_t *uclass,
         const void *p, size_t n, struct text_changes *changes)
{
    if (s->kind == NORMAL_FORM)
        form_add(b, s->form, uclass, p, n, changes);
    else if (s->kind == NORMAL_PREPEND)
        prepend(b, s, p, n, changes);
    else
        replace(b, s, p, n, changes);
}

bool
normal_needed(const struct normalizer *z, const uint8_t *uclass,
              const void *p, size_t n)
{
    size_t i;

    for (i = 0; i < z->n; i++)
        if (step_needed(&z->step[i], uclass, p, n))
            return true;
    return false;
}

void
normal_add(struct buf *b, const struct normalizer *z, const uint8_t *uclass,
           const void *p, size_t n, struct text_changes *changes)
{
    struct text_changes now;
    struct buf room[2];
    size_t i, k = 0;

    text_changes_init(&now);
    buf_init(&room[0]);
    buf_init(&room[1]);
    for (i = 0; i < z->n; i++) {
        if (!step_needed(&z->step[i], uclass, p, n))
            continue;
        buf_reset(&room[k]);
        text_changes_reset(&now);
        add_step(&room[k], &z->step[i], uclass, p, n, changes ? &now : NULL);
        if (changes)
            text_changes_then(changes, &now);
        p = room[k].data;
        n = room[k].len;
        k ^= 1;
    }
    buf_add(b, p, n);
    buf_release(&room[0]);
    buf_release(&room[1]);
    text_changes_release(&now);
}

/* split.c - which records are trained on, and which are held out. */
#include "record/split.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "record/hold_out.h"

static const char *const side_name[] = {"train", "val", "test"};

void
split_begin(struct split *s, const char *type, uint64_t vocab,
            struct manifest *m)
{
    s->tokens_type = strcmp(type, "tokens") == 0;
    s->vocab = vocab;
    s->manifest = m;
    groups_init(&s->groups);
    map_init(&s->seen);
    text_init(&s->text);
}

void
split_release(struct split *s)
{
    free(s->unit);
    free(s->member);
    free(s->range);
    map_release(&s->seen);
    groups_release(&s->groups);
    text_release(&s->text);
    memset(s, 0, sizeof(*s));
}

/* A number for the bytes of a field, 0 where there is none. */
static uint64_t
number_of(const struct text_rec *r, const char *name)
{
    const struct text_field *t = text_get(r, name);
    struct id id;

    if (!t)
        return 0;
    id = id_of(t->data, t->len);
    return load_u64(id.b);
}

static int
text_facts(struct split *s, struct split_facts *f, const void *p, size_t n,
           struct err *e)
{
    struct group_key key;
    struct id body;
    int64_t ordinal;
    int rc;

    rc = text_decode(&s->text, p, n, e);
    if (rc == 0)
        rc = text_i64(&s->text, "ordinal", -1, &ordinal, e);
    if (rc < 0)
        return rc;
    f->alone = s->text.kind != TEXT_COMMIT || ordinal < 0;
    f->ordinal = (uint64_t)ordinal;
    f->repo = number_of(&s->text, "repo");
    f->commit = number_of(&s->text, "commit");
    if (s->by == SPLIT_BY_GROUP) {
        key = group_key_of(&s->text, p, n, text_body(&s->text, &body));
        f->group = groups_next(&s->groups, &key);
    }
    return 0;
}

static int
record_facts(struct split *s, struct split_facts *f, const void *p, size_t n,
             struct err *e)
{
    struct tokens *t = &s->last_tokens;
    int rc;

    memset(f, 0, sizeof(*f));
    if (!s->tokens_type)
        return text_facts(s, f, p, n, e);
    rc = tokens_decode(t, p, n, s->vocab, e);
    if (rc < 0)
        return rc;
    f->ordinal = t->origin.ordinal;
    f->group = t->origin.group;
    f->tokens = (uint32_t)t->n;
    return 0;
}

static void
begin_unit(struct split *s)
{
    struct split_unit *u;

    s->in_unit = true;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1024;
        s->unit = mem_grow(s->unit, s->cap * sizeof(*u));
    }
    u = &s->unit[s->n++];
    u->first = s->records;
    u->tokens = s->tokens;
}

/* The first record of unit i; of the one behind the last, the end. */
static uint64_t
unit_start(const struct split *s, size_t i)
{
    return i < s->n ? s->unit[i].first : s->records;
}

static uint64_t
unit_tokens(const struct split *s, size_t i)
{
    return i < s->n ? s->unit[i].tokens : s->tokens;
}

/* The unit in [low, high] whose start is nearest to record `want`, the
 * earlier one of two. */
static size_t
nearest_unit(const struct split *s, double want, size_t low, size_t high)
{
    size_t a = low, b = high, mid;

    while (a < b) { /* the first that starts at `want` or behind it */
        mid = a + (b - a) / 2;
        if ((double)unit_start(s, mid) < want)
            a = mid + 1;
        else
            b = mid;
    }
    if (a > low && want - (double)unit_start(s, a - 1) <=
                   (double)unit_start(s, a) - want)
        a--;
    return a;
}

/* Units [a, b) are `name`. */
static void
add_units(struct split *s, const char *name, size_t a, size_t b)
{
    if (a < b)
        manifest_add_range(s->manifest, name, unit_start(s, a),
                           unit_start(s, b),
                           unit_tokens(s, b) - unit_tokens(s, a));
}

/* Cuts the history's units into train, val and test. Each part asked for
 * gets a unit, the earlier parts first, where there are enough. */
static void
cut_history(struct split *s)
{
    double first = (double)unit_start(s, 0);
    double n = (double)s->records - first;
    size_t want_val = s->val > 0, want_test = s->test > 0;
    size_t val, test;

    if (s->n < 1 + want_test)
        want_test = 0;
    if (s->n < 1 + want_test + want_val)
        want_val = 0;
    test = s->n;
    if (want_test)
        test = nearest_unit(s, first + n * (1 - s->test), 1 + want_val,
                            s->n - 1);
    val = test;
    if (want_val)
        val = nearest_unit(s, first + n * (1 - s->test - s->val), 1,
                           test - 1);
    add_units(s, "train", 0, val);
    add_units(s, "val", val, test);
    add_units(s, "test", test, s->n);
}

static void
end_history(struct split *s)
{
    if (s->by == SPLIT_BY_TIME && s->n > 0)
        cut_history(s);
    if (s->by == SPLIT_BY_TIME)
        s->n = 0;
    s->in_unit = false;
}

/* Whether a record is of the history that the one before is of. Text says
 * which repository it is of, and tokens only in which order they are. */
static bool
goes_on(const struct split *s, const struct split_facts *f)
{
    const struct split_facts *last = &s->last;

    if (f->alone || last->alone)
        return !s->ended;
    if (f->repo != last->repo || f->ordinal < last->ordinal)
        return false;
    if (!s->ended)
        return true;
    return !s->tokens_type && (f->ordinal > last->ordinal
                               || f->commit == last->commit);
}

static void
add_to_history(struct split *s, const struct split_facts *f)
{
    if (!goes_on(s, f))
        end_history(s);
    if (!s->in_unit || f->alone || f->ordinal != s->last.ordinal)
        begin_unit(s);
    s->last = *f;
    s->ended = false;
}

static void
add_member(struct split *s, const struct split_facts *f)
{
    struct split_member *m;

    if (s->records == s->cap_member) {
        s->cap_member = s->cap_member ? s->cap_member * 2 : 1024;
        s->member = mem_grow(s->member, s->cap_member * sizeof(*m));
    }
    m = &s->member[s->records];
    m->tokens = f->tokens;
    m->group = (uint32_t)map_put(&s->seen, &f->group, sizeof(f->group),
                                 s->seen.n, NULL)->value;
}

void
split_from(struct split *s, const struct manifest *from)
{
    free(s->range);
    s->from = from;
    s->range = mem_array(from->n_splits + 1, sizeof(*s->range));
    s->at = 0;
}

/* Kept: the record goes where it was. */
static void
keep_side(struct split *s, uint32_t tokens)
{
    for (size_t i = 0; i < s->from->n_splits; i++) {
        const struct set_split *p = &s->from->split[i];

        if (!manifest_split_has(p, &s->range[i], s->at))
            continue;
        manifest_add_range(s->manifest, p->name, s->records, s->records + 1,
                           tokens);
        return;
    }
    s->n_dropped++;
}

int
split_record(struct split *s, const void *p, size_t n, struct err *e)
{
    struct split_facts f;
    int rc;

    rc = record_facts(s, &f, p, n, e);
    if (rc < 0)
        return rc;
    if (s->by == SPLIT_KEPT)
        keep_side(s, f.tokens);
    else
        add_to_history(s, &f);
    if (s->by == SPLIT_BY_GROUP)
        add_member(s, &f);
    s->records++;
    s->tokens += f.tokens;
    return 0;
}

void
split_end_segment(struct split *s)
{
    s->ended = true;
}

/* By group: hands all records to the manifest. */
static void
divide(struct split *s)
{
    struct hold_out h = {
        .val = s->val, .test = s->test, .seed = s->seed, .n_units = s->n,
        .n_records = s->records, .n_groups = s->seen.n
    };
    uint64_t *unit = mem_array(s->n + 1, sizeof(*unit)), i;
    uint64_t *name = mem_array(s->seen.n + 1, sizeof(*name));
    uint32_t *group = mem_array(s->records + 1, sizeof(*group));
    uint8_t *side = mem_array(s->records + 1, 1);

    for (i = 0; i <= s->n; i++)
        unit[i] = unit_start(s, i);
    for (i = 0; i < s->seen.n; i++)
        memcpy(&name[i], map_key(&s->seen, i), sizeof(name[i]));
    for (i = 0; i < s->records; i++)
        group[i] = s->member[i].group;
    h.unit = unit;
    h.name = name;
    h.group = group;
    hold_out(&h, side);
    for (i = 0; i < s->records; i++) {
        if (side[i] == SIDE_NONE)
            s->n_dropped++;
        else
            manifest_add_range(s->manifest, side_name[side[i]], i, i + 1,
                               s->member[i].tokens);
    }
    free(unit);
    free(name);
    free(group);
    free(side);
}

void
split_end(struct split *s)
{
    end_history(s);
    if (s->by == SPLIT_BY_GROUP && s->records > 0)
        divide(s);
}

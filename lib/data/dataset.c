/* dataset.c - a record's number in its split is turned into one in the set,
 * by bisection over the ranges that a split is of. What is known of records
 * comes from the set's lengths, or else from reading them once; the commits
 * that they come from are numbered only when they are asked for.
 */
#include "data/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "record/tokens.h"

static int
read_vocab(struct dataset *d, struct err *e)
{
    const struct stream_head *h = &d->set.manifest.head;
    int rc;

    if (stream_head_get(h, "vocab") == NULL)
        return 0;
    rc = stream_head_get_u64(h, "vocab", d->set.path, &d->vocab, e);
    if (rc == 0 && (d->vocab == 0 || d->vocab > UINT32_MAX))
        rc = err_set(e, ERR_DATA, "%s: bad vocabulary size", d->set.path);
    return rc;
}

int
dataset_open(struct dataset *d, const char *path, struct err *e)
{
    int rc;

    memset(d, 0, sizeof(*d));
    rc = set_open(&d->set, path, "tokens", e);
    if (rc < 0)
        return rc;
    d->tokenizer = stream_head_get(&d->set.manifest.head, "tokenizer");
    rc = lengths_open(&d->lengths, &d->set.manifest, path, e);
    if (rc == 0)
        rc = lengths_check_splits(&d->lengths, &d->set.manifest, path, e);
    if (rc == 0)
        rc = read_vocab(d, e);
    if (rc == 0)
        rc = tokens_loss_of(&d->set.manifest.head, path, &d->loss, e);
    if (rc < 0)
        dataset_release(d);
    return rc;
}

void
dataset_release(struct dataset *d)
{
    lengths_release(&d->lengths);
    set_release(&d->set);
    memset(d, 0, sizeof(*d));
}

int
dataset_made_for(const char *path, uint64_t vocab, const char *tokenizer,
                 const struct model *m, struct err *e)
{
    const struct weight_asset *a = weights_asset(&m->weights,
                                                 "tokenizer.json");
    char hex[ID_HEX + 1];
    struct id id;

    if (vocab > m->desc.vocab)
        return err_set(e, ERR_DATA, "%s: vocabulary of %llu over the "
                       "model's %u", path, (unsigned long long)vocab,
                       m->desc.vocab);
    if (a == NULL || tokenizer == NULL)
        return 0;
    id = id_of(a->data, a->n);
    if (strcmp(id_hex(&id, hex), tokenizer) != 0
        && strcmp(m->weights.made_of, tokenizer) != 0)
        return err_set(e, ERR_DATA, "%s: made with another tokenizer than "
                       "the base's (found %.12s, expected %.12s)", path,
                       tokenizer, hex);
    return 0;
}

int
dataset_check(const struct dataset *d, const struct model *m, struct err *e)
{
    return dataset_made_for(d->set.path, d->vocab, d->tokenizer, m, e);
}

/* The number in the split of record i of n, spread evenly over total:
 * i total / n, which may not overflow. */
static uint64_t
spread(uint64_t i, uint64_t n, uint64_t total)
{
    return i * (total / n) + i * (total % n) / n;
}

/* The record's number in the set: in the last range that begins at or
 * before it. */
static uint64_t
set_index(const struct data_split *s, uint64_t i)
{
    size_t lo = 0, hi = s->split->n;

    i = spread(i, s->source.n_records, s->split->records);
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->first[mid] <= i)
            lo = mid;
        else
            hi = mid;
    }
    return s->split->range[lo].begin + (i - s->first[lo]);
}

int
data_split_tokens(struct data_split *s, uint64_t i, struct tokens *t,
                  struct err *e)
{
    const void *p;
    size_t n;
    int rc = set_record(&s->data->set, set_index(s, i), &p, &n, e);

    if (rc == 0)
        rc = tokens_decode(t, p, n, s->source.vocab, e);
    if (rc < 0)
        err_prefix(e, "%s", s->data->set.path);
    return rc;
}

/* What is known of record i: from the set's lengths, or by reading it. */
static int
get_length(struct data_split *s, uint64_t i, struct record_length *out,
           struct err *e)
{
    struct tokens t;
    int rc = 0;

    if (s->known) {
        *out = lengths_at(&s->data->lengths, set_index(s, i));
    } else {
        rc = data_split_tokens(s, i, &t, e);
        if (rc == 0)
            *out = length_of(&t);
    }
    return rc;
}

/* token_source's get. */
static int
get_record(void *ctx, uint64_t i, struct record_tokens *out, struct err *e)
{
    struct data_split *s = ctx;
    struct tokens t;
    int rc = data_split_tokens(s, i, &t, e);

    if (rc < 0)
        return rc;
    if (t.n != s->len[i])
        return err_set(e, ERR_DATA, "%s: record %llu is not as the set's "
                       "lengths have it (found %zu tokens, expected %u)",
                       s->data->set.path,
                       (unsigned long long)set_index(s, i), t.n, s->len[i]);
    if (t.n > s->cap) {
        s->cap = t.n;
        s->ids = mem_grow(s->ids, s->cap * sizeof(*s->ids));
        s->learn = mem_grow(s->learn, s->cap);
    }
    tokens_ids(&t, s->ids);
    tokens_learned(&t, s->data->loss, s->learn);
    *out = (struct record_tokens){ s->ids, s->learn, (uint32_t)t.n };
    return 0;
}

static void
list_firsts(struct data_split *s)
{
    uint64_t at = 0;

    s->first = mem_array(s->split->n, sizeof(*s->first));
    for (size_t r = 0; r < s->split->n; r++) {
        s->first[r] = at;
        at += s->split->range[r].end - s->split->range[r].begin;
    }
}

/* The length of each record, and the sums. */
static int
find_lengths(struct data_split *s, struct err *e)
{
    struct record_length r;
    int rc = 0;

    s->len = mem_array(s->source.n_records, sizeof(*s->len));
    for (uint64_t i = 0; i < s->source.n_records; i++) {
        rc = get_length(s, i, &r, e);
        if (rc < 0)
            return rc;
        s->len[i] = r.tokens;
        s->tokens += r.tokens;
        s->supervised += length_learned(&r, s->data->loss);
    }
    lengths_done(&s->data->lengths);
    s->source.len = s->len;
    return 0;
}

int
data_split_open(struct data_split *s, struct dataset *d, const char *name,
                uint64_t most, uint32_t vocab, struct err *e)
{
    int rc;

    memset(s, 0, sizeof(*s));
    s->data = d;
    s->split = manifest_split(&d->set.manifest, name);
    s->source = (struct token_source){ .get = get_record, .ctx = s,
                                       .vocab = vocab };
    if (s->split == NULL)
        return 0;
    s->source.n_records = most && most < s->split->records
                          ? most : s->split->records;
    s->known = d->lengths.n > 0 && d->vocab > 0 && d->vocab <= vocab;
    list_firsts(s);
    rc = find_lengths(s, e);
    if (rc < 0)
        data_split_release(s);
    return rc;
}

void
data_split_release(struct data_split *s)
{
    free(s->first);
    free(s->len);
    free(s->cluster);
    free(s->ids);
    free(s->learn);
    memset(s, 0, sizeof(*s));
}

int
data_split_place(struct data_split *s, uint64_t i, struct data_place *p,
                 struct err *e)
{
    struct record_length r;
    int rc = get_length(s, i, &r, e);

    if (rc == 0)
        *p = (struct data_place){ set_index(s, i), r.ordinal, r.time };
    return rc;
}

/* The number of p's commit; *next is the number of the next new one. */
static uint32_t
commit_number(struct map *commits, const struct data_place *p,
              uint32_t *next)
{
    char key[16];
    struct map_entry *t;
    bool added;

    if (p->time == 0)
        return (*next)++;
    store_u64(key, p->ordinal);
    store_u64(key + 8, (uint64_t)p->time);
    t = map_put(commits, key, sizeof(key), *next, &added);
    *next += added;
    return (uint32_t)t->value;
}

/* Where the segment of the set ends that record i is of; from: where one of
 * an earlier record does, which is the *seg-th. */
static uint64_t
segment_end(const struct manifest *m, uint64_t i, uint64_t from, size_t *seg)
{
    if (m->n_segments == 0)
        return UINT64_MAX;
    while (i >= from && *seg < m->n_segments)
        from += m->segment[(*seg)++];
    return from;
}

int
data_split_cluster(struct data_split *s, struct err *e)
{
    uint64_t n = s->source.n_records, end = 0;
    struct data_place p = { 0 }, last = p;
    size_t seg = 0;
    uint32_t next = 0;
    struct map commits;
    int rc = 0;

    if (n > UINT32_MAX)
        return err_set(e, ERR_LIMIT, "%s: over %u records in a split",
                       s->data->set.path, UINT32_MAX);
    s->cluster = mem_array(n, sizeof(*s->cluster));
    map_init(&commits);
    for (uint64_t i = 0; i < n && rc == 0; i++, last = p) {
        rc = data_split_place(s, i, &p, e);
        if (rc < 0)
            break;
        s->cluster[i] = i > 0 && p.ordinal == last.ordinal
                                && p.time == last.time && p.record < end
                        ? s->cluster[i - 1]
                        : commit_number(&commits, &p, &next);
        end = segment_end(&s->data->set.manifest, p.record, end, &seg);
    }
    map_release(&commits);
    lengths_done(&s->data->lengths);
    s->source.cluster = s->cluster;
    return rc;
}

int
data_check_length(const struct data_split *s, const struct model *m,
                  uint32_t seq_len, struct err *e)
{
    uint64_t n = s->source.n_records, beyond = 0;
    uint32_t most = m->desc.max_pos;

    if (seq_len <= most)
        return 0;
    if (!desc_reaches(&m->desc, seq_len))
        return err_set(e, ERR_USAGE, "%s: has %u %s, too few for --seq-len %u",
                       m->weights.path, most, desc_positions(&m->desc),
                       seq_len);
    for (uint64_t i = 0; i < n; i++)
        beyond += s->len[i] > most + 1; /* the last token is no input */
    log_warn("%s: was made for %u positions (max_position_embeddings), "
             "--seq-len is %u: %llu of %llu records go beyond",
             m->weights.path, most, seq_len, (unsigned long long)beyond,
             (unsigned long long)n);
    return 0;
}

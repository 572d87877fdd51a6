/* sharding.c - the segments of a stream to a shard set. */
#include "record/sharding.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "record/lengths.h"
#include "record/prov.h"

#define DATA_BYTES ((size_t)1 << 20)

int
sharding_rules(struct sharding *s, struct err *e)
{
    for (size_t i = 0; i < s->n_rules; i++)
        if (!manifest_rule_allowed(s->rule[i]))
            return err_set(e, ERR_USAGE, "--sample: a rule is empty, too long "
                           "or no text");
    if (s->n_rules > MANIFEST_MAX_RULES)
        return err_set(e, ERR_USAGE, "--sample: over %d rules",
                       MANIFEST_MAX_RULES);
    return sampling_parse(&s->sampling, s->rule, s->n_rules, "--sample",
                          ERR_USAGE, e);
}

void
sharding_from(struct sharding *s, const struct manifest *from)
{
    s->set++;
    if (from)
        split_from(&s->split, from);
}

/* What the records are to be: text or tokens, divided into splits. */
static int
begin_records(struct sharding *s, const struct stream_in *in, struct err *e)
{
    const struct stream_head *h = &in->head;
    enum tokens_loss loss;
    uint64_t vocab = 0;
    int rc = strcmp(h->type, "tokens") == 0 ?
             tokens_loss_of(h, in->in.name, &loss, e) : 0;

    if (rc == 0 && stream_head_get(h, "vocab"))
        rc = stream_head_get_u64(h, "vocab", in->in.name, &vocab, e);
    if (rc == 0)
        split_begin(&s->split, h->type, vocab, &s->out.manifest);
    return rc;
}

bool
sharding_divides(const char *type)
{
    return strcmp(type, "text") == 0 || strcmp(type, "tokens") == 0;
}

/* The header of the set: the first segment's, and this program's line. */
static int
begin(struct sharding *s, struct stream_in *in, struct err *e)
{
    struct stream_head *h = &in->head;
    int rc = 0;

    s->undivided = !sharding_divides(h->type);
    if (s->undivided && s->merging)
        return err_set(e, ERR_USAGE, "%s: %s can't be merged", in->in.name,
                       h->type);
    if (s->n_rules > 0 && strcmp(h->type, "tokens") != 0)
        return err_set(e, ERR_USAGE, "--sample: is for tokens (found a stream "
                       "of %s)", h->type);
    if (!s->undivided)
        rc = begin_records(s, in, e);
    if (rc < 0)
        return rc;
    s->begun = true;
    buf_init(&s->data);
    change_init(&s->change);
    map_init(&s->commits);
    progress_begin(strcmp(h->type, "weights") == 0 ? "bytes" : "records", 0, 0);
    stream_head_prov(h, s->prov);
    rc = set_out_begin(&s->out, h, s->file_bytes, e);
    if (rc == 0 && strcmp(h->type, "tokens") == 0)
        rc = set_out_lengths(&s->out, LENGTHS_HEAD, LENGTHS_HEAD_BYTES, e);
    return rc;
}

/* Every later segment must be of the same kind; what is new of its
 * provenance is added to the set's. */
static int
join(struct sharding *s, const struct stream_in *in, struct err *e)
{
    struct stream_head *set = &s->out.manifest.head;
    int rc;

    rc = stream_head_same(set, &in->head, in->in.name, e);
    if (rc == 0 && strcmp(in->head.type, "weights") == 0)
        rc = err_set(e, ERR_DATA, "%s: segment %" PRIu64 ": weights of one "
                     "more model (expected those of one)", in->in.name,
                     in->n_segments);
    if (rc < 0 || !s->prov)
        return rc;
    free(set->prov[--set->n_prov]); /* this program's line goes last */
    prov_join(set, &in->head);
    stream_head_prov(set, s->prov);
    return 0;
}

static int
tensor(struct sharding *s, struct stream_in *in, const struct stream_rec *rec,
       struct err *e)
{
    size_t got;
    int rc;

    rc = set_out_tensor(&s->out, rec->p, rec->n, rec->data, e);
    while (rc == 0) {
        rc = stream_in_data(in, buf_room(&s->data, DATA_BYTES), DATA_BYTES,
                            &got, e);
        if (rc < 0 || got == 0)
            break;
        rc = set_out_data(&s->out, in, s->data.data, got, e);
        progress_part(NULL, in->in.at, in->in.size);
        progress_add(got);
    }
    return rc;
}

/* What is known of the token record that was given to the split. */
static int
add_length(struct sharding *s, struct err *e)
{
    struct record_length r = length_of(&s->split.last_tokens);
    uint8_t entry[LENGTHS_ENTRY_BYTES];

    length_encode(entry, &r);
    return set_out_lengths(&s->out, entry, sizeof(entry), e);
}

/* By what the record that was given to the split is known. */
static int
add_same(struct sharding *s, bool tokens, struct err *e)
{
    const struct text_rec *r = &s->split.text;
    const struct text_field *f;
    struct same same;
    struct id body;
    int rc = 0;

    if (tokens) {
        leaks_add(&s->leaks, &s->split.last_tokens.origin.same);
        return s->n_rules > 0 ? sampling_see(&s->sampling,
                                             &s->split.last_tokens.origin, e)
                              : 0;
    }
    f = r->kind == TEXT_COMMIT ? text_get(r, "change") : NULL;
    if (f)
        rc = change_decode(&s->change, f->data, f->len, e);
    if (rc < 0)
        return rc;
    same = same_of(r, f ? &s->change : NULL, text_body(r, &body));
    leaks_add(&s->leaks, &same);
    return 0;
}

/* Merging: whether an earlier set has records of the record's commit. */
static int
is_repeated(struct sharding *s, const struct stream_rec *rec, bool tokens,
            bool *repeated, struct err *e)
{
    struct text_rec *r = &s->split.text;
    struct tokens t;
    uint64_t commit;
    int rc = tokens ? tokens_decode(&t, rec->p, rec->n, 0, e)
                    : text_decode(r, rec->p, rec->n, e);

    if (rc < 0)
        return rc;
    commit = tokens ? t.origin.same.commit : same_commit(r);
    *repeated = commit > 0
                && map_put(&s->commits, &commit, sizeof(commit), s->set,
                           NULL)->value < s->set;
    return 0;
}

/* What the split and the counts make of a record, unless it is repeated. */
static int
see_record(struct sharding *s, const struct stream_rec *rec, bool tokens,
           bool *repeated, struct err *e)
{
    int rc = 0;

    if (s->merging)
        rc = is_repeated(s, rec, tokens, repeated, e);
    if (rc == 0 && !*repeated)
        rc = split_record(&s->split, rec->p, rec->n, e);
    if (rc == 0 && !*repeated)
        rc = add_same(s, tokens, e);
    s->split.at++;
    s->n_repeated += *repeated;
    return rc;
}

static int
record(struct sharding *s, struct stream_in *in, const struct stream_rec *rec,
       struct err *e)
{
    bool tokens = strcmp(in->head.type, "tokens") == 0, repeated = false;
    int rc = s->undivided ? 0 : see_record(s, rec, tokens, &repeated, e);

    if (rc < 0)
        return err_prefix(e, "%s: segment %" PRIu64 ", record %" PRIu64,
                          in->in.name, in->n_segments, rec->index);
    progress_part(NULL, in->in.at, in->in.size);
    progress_add(rec->kind != FRAME_TENSOR);
    if (repeated)
        return 0;
    rc = set_out_record(&s->out, rec->p, rec->n, e);
    if (rc == 0 && tokens)
        rc = add_length(s, e);
    return rc;
}

int
sharding_segment(struct sharding *s, struct stream_in *in, struct err *e)
{
    uint64_t repeated = s->n_repeated;
    struct stream_rec rec;
    int rc;

    if (in->head.after_oid)
        return err_set(e, ERR_DATA, "%s: an increment (after %" PRIu64
                       "): shard needs the whole history", in->in.name,
                       in->head.after);
    rc = s->begun ? join(s, in, e) : begin(s, in, e);
    if (rc < 0)
        return rc;
    while ((rc = stream_in_record(in, &rec, e)) > 0) {
        rc = rec.kind == FRAME_TENSOR ? tensor(s, in, &rec, e) :
                                        record(s, in, &rec, e);
        if (rc < 0)
            return rc;
    }
    if (rc < 0)
        return rc;
    if (!s->undivided)
        split_end_segment(&s->split);
    manifest_add_input(&s->out.manifest, &in->trailer.content);
    manifest_add_segment(&s->out.manifest, in->trailer.records
                         - (s->n_repeated - repeated));
    ledger_add_all(&s->out.manifest.ledger, &in->trailer.ledger);
    return 0;
}

int
sharding_finish(struct sharding *s, struct err *e)
{
    int rc = 0;

    if (!s->undivided) {
        split_end(&s->split);
        leaks_count(&s->leaks, &s->out.manifest);
    }
    if (s->n_rules > 0)
        rc = sampling_check(&s->sampling, &s->out.manifest, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < s->n_rules; i++)
        manifest_add_sampling(&s->out.manifest, s->rule[i]);
    if (s->split.n_dropped > 0)
        ledger_add(&s->out.manifest.ledger, s->program, "commit-divided",
                   s->split.n_dropped);
    if (s->n_repeated > 0)
        ledger_add(&s->out.manifest.ledger, s->program, "commit-repeated",
                   s->n_repeated);
    return set_out_finish(&s->out, e);
}

void
sharding_release(struct sharding *s)
{
    if (s->begun) {
        buf_release(&s->data);
        change_release(&s->change);
        map_release(&s->commits);
    }
    leaks_release(&s->leaks);
    split_release(&s->split);
    sampling_release(&s->sampling);
    set_out_release(&s->out);
}

/* preflight_data.c - what a set would teach: how much of it is learned, what
 * is too long, what is held out and how well, whose tokens they are. */
#include "cli/preflight.h"

#include <string.h>

#include "eval/ends.h"

#define FEW 0.02   /* of the tokens learned: a template may be the wrong one */
#define CUT 0.05   /* of the positions in records that are cut */
#define LEAKED 0.05
#define SAMPLE 64  /* records that are read */
#define LAST 3     /* tokens of one */

/* What the lengths of a split's records tell. */
struct split_facts {
    uint64_t masked;      /* records of which nothing is learned */
    uint64_t longest;     /* positions */
    uint64_t cut;         /* records of more than a sequence */
    uint64_t cut_positions, positions;
};

static struct split_facts
facts_of(const struct dataset *d, const struct set_split *s,
         uint64_t seq_len)
{
    struct split_facts x = { .masked = 0 };

    for (size_t k = 0; k < s->n; k++)
        for (uint64_t i = s->range[k].begin; i < s->range[k].end; i++) {
            struct record_length r = lengths_at(&d->lengths, i);
            uint64_t n = r.tokens > 0 ? r.tokens - 1 : 0;

            x.masked += length_learned(&r, d->loss) == 0;
            x.longest = n > x.longest ? n : x.longest;
            x.positions += n;
            if (n > seq_len) {
                x.cut++;
                x.cut_positions += n;
            }
        }
    lengths_done(&d->lengths);
    return x;
}

static double
share(uint64_t part, uint64_t all)
{
    return all ? (double)part / (double)all : 0;
}

static void
say_masked(struct preflight *p, const struct set_split *s,
           const struct split_facts *x)
{
    struct findings *f = &p->findings;

    if (x->masked == 0)
        return;
    findings_add(f, FINDING_WARNING, "data.masked", "%llu of %llu records "
                 "have no token that is learned", (unsigned long long)
                 x->masked, (unsigned long long)s->records);
    findings_value(f, "records", (double)x->masked);
    findings_remedy(f, "their target was cut off, or is empty: tokenize with "
                    "more --max-tokens, or --loss all");
}

static void
say_cut(struct preflight *p, const struct set_split *s,
        const struct split_facts *x)
{
    bool much = share(x->cut_positions, x->positions) > CUT;
    struct findings *f = &p->findings;

    findings_add(f, FINDING_OK, "data.longest", "%llu tokens; --seq-len %llu",
                 (unsigned long long)x->longest + 1,
                 (unsigned long long)p->o->seq_len);
    findings_value(f, "tokens", (double)x->longest + 1);
    if (x->cut == 0)
        return;
    findings_add(f, much ? FINDING_WARNING : FINDING_NOTE, "data.cut",
                 "%llu of %llu records, with %.1f%% of the tokens, are "
                 "longer than a sequence: their pieces do not see each other",
                 (unsigned long long)x->cut, (unsigned long long)s->records,
                 100 * share(x->cut_positions, x->positions));
    findings_value(f, "records", (double)x->cut);
    findings_remedy(f, "a larger --seq-len, or tokenize --max-tokens with "
                    "one more than --seq-len, which cuts at line ends");
}

/* Of the training split, with the base open. */
static void
say_learned(struct preflight *p)
{
    const struct data_split *s = &p->in.train;
    double part = share(s->supervised, s->tokens);
    struct findings *f = &p->findings;

    findings_add(f, part < FEW ? FINDING_WARNING : FINDING_OK,
                 "data.learned", "%llu of %llu tokens (%.1f%%) are learned "
                 "(--loss %s)", (unsigned long long)s->supervised,
                 (unsigned long long)s->tokens, 100 * part,
                 tokens_loss_name(p->in.data.loss));
    findings_value(f, "tokens", (double)s->tokens);
    findings_value(f, "learned", (double)s->supervised);
    if (part < FEW)
        findings_remedy(f, "look at a record with its mask (tojsonl DIR | "
                        "head -n 1): is it the template that was meant? "
                        "--loss all learns every token");
}

static void
say_tokenizer(struct preflight *p)
{
    const struct dataset *d = &p->in.data;
    const struct model *m = &p->in.model;
    bool known = d->tokenizer != NULL
                 && weights_asset(&m->weights, "tokenizer.json") != NULL;
    struct findings *f = &p->findings;

    if (known) {
        findings_add(f, FINDING_OK, "data.vocabulary", "made by the base's "
                     "own tokenizer, %llu tokens; the model has %u",
                     (unsigned long long)d->vocab, m->desc.vocab);
        return;
    }
    findings_add(f, FINDING_WARNING, "data.vocabulary", "%llu tokens, and "
                 "the model has %u; whether they are the same is not known: "
                 "%s names no tokenizer", (unsigned long long)d->vocab,
                 m->desc.vocab, d->tokenizer ? "the base" : "the set");
    findings_remedy(f, "be sure that tokenize had the base's tokenizer.json");
}

/* A chat model, and data that are laid out otherwise; or the reverse. The
 * line of tokenize names the layout. */
static void
say_layout(struct preflight *p)
{
    const struct stream_head *h = &p->in.data.set.manifest.head;
    const struct weights *w = &p->in.model.weights;
    const struct weight_asset *c
        = weights_asset(w, "tokenizer_config.json");
    bool chats = weights_asset(w, "chat_template.jinja") != NULL
                 || (c != NULL && strstr(c->data, "\"chat_template\""));
    struct findings *f = &p->findings;
    const char *name = NULL;
    int n = 0;

    for (size_t i = 0; i < h->n_prov; i++) {
        const char *at = strstr(h->prov[i], " template=");

        if (strncmp(h->prov[i], "tokenize ", 9) == 0 && at != NULL) {
            name = at + strlen(" template=");
            n = (int)strcspn(name, " ");
        }
    }
    if (name == NULL)
        return;
    findings_add(f, FINDING_OK, "data.template", "%.*s", n, name);
    if (chats && strncmp(name, "chat", (size_t)n) != 0
        && strncmp(name, "auto", (size_t)n) != 0) {
        findings_add(f, FINDING_NOTE, "data.chat", "the base has a chat "
                     "template, and the records are laid out as %.*s: how it "
                     "answers in conversations is not trained", n, name);
        findings_remedy(f, "tokenize --template chat, if it is to");
    }
}

/* Whether a record ends with one of them, or with that and a little more, as
 * a chat's last turn does with a newline. */
static bool
ends_so(const struct end_tokens *ends, const struct record_tokens *t)
{
    for (uint32_t i = 0; i < LAST && i < t->n; i++)
        if (end_tokens_has(ends, t->ids[t->n - 1 - i]))
            return true;
    return false;
}

/* Whether records, of which some are looked at, end as the base ends what it
 * says: else what is trained goes on and on. */
static void
say_ends(struct preflight *p)
{
    const struct token_source *s = &p->in.train.source;
    const struct model *m = &p->in.model;
    uint64_t n = s->n_records, most = n < SAMPLE ? n : SAMPLE;
    struct findings *f = &p->findings;
    uint64_t ending = 0;
    struct end_tokens ends;
    struct record_tokens t;
    struct err e;
    int rc = end_tokens_read(&ends, &m->weights, m->desc.vocab, &e);

    if (rc < 0) {
        findings_add(f, FINDING_WARNING, "data.end", "%s", e.text);
        return;
    }
    for (uint64_t i = 0; i < most && rc == 0; i++) {
        rc = s->get(s->ctx, i * (n / most), &t, &e);
        ending += rc == 0 && ends_so(&ends, &t);
    }
    if (rc < 0) {
        findings_error(f, "data.end", &e);
    } else if (ends.n > 0 && ending == 0) {
        findings_add(f, FINDING_NOTE, "data.end", "none of %llu records that "
                     "were looked at ends as the base ends what it says "
                     "(%s %u): what is trained may not stop by itself",
                     (unsigned long long)most, ends.n > 1 ? "token among "
                     "others" : "token", ends.id[0]);
        findings_remedy(f, "a template that ends so (chat), or stop at what "
                        "ends the records");
    }
    end_tokens_release(&ends);
}

static void
say_leaks(struct preflight *p)
{
    const struct manifest *m = &p->in.data.set.manifest;
    struct findings *f = &p->findings;

    for (size_t i = 0; i < m->n_leaks; i++) {
        const struct set_leak *l = &m->leak[i];
        const struct set_split *s = manifest_split(m, l->split);
        uint64_t n = s ? s->records : 0;
        bool much = share(l->edit, n) > LEAKED
                    || share(l->content, n) > LEAKED;

        if (n == 0)
            continue;
        findings_add(f, much ? FINDING_WARNING : FINDING_OK, "data.leaks",
                     "%s: of %llu records %llu repeat an edit of train, %llu "
                     "leave a file as one there does, %llu are of a commit "
                     "there", l->split, (unsigned long long)n,
                     (unsigned long long)l->edit,
                     (unsigned long long)l->content,
                     (unsigned long long)l->commit);
        findings_value(f, "edit", (double)l->edit);
        findings_value(f, "content", (double)l->content);
        findings_value(f, "commit", (double)l->commit);
        if (much)
            findings_remedy(f, "dedup before tokenize, or shard --split-by "
                            "group: the loss of what is held out is too good "
                            "otherwise");
    }
}

static void
say_validation(struct preflight *p)
{
    const struct manifest *m = &p->in.data.set.manifest;
    const struct set_split *val = manifest_split(m, "val");
    struct findings *f = &p->findings;

    if (val != NULL && val->records > 0)
        return;
    findings_add(f, FINDING_WARNING, "data.validation", "nothing is held "
                 "out to watch: no line says when the run learns by heart");
    findings_remedy(f, "shard --val 0.05");
}

void
preflight_data(struct preflight *p)
{
    const struct dataset *d = &p->in.data;
    const struct manifest *m = &d->set.manifest;
    const struct set_split *train = manifest_split(m, "train");
    struct findings *f = &p->findings;
    struct split_facts x;

    for (size_t i = 0; i < m->n_splits; i++) {
        findings_add(f, FINDING_OK, "data.split", "%s: %llu records, %llu "
                     "tokens", m->split[i].name,
                     (unsigned long long)m->split[i].records,
                     (unsigned long long)m->split[i].tokens);
        findings_value(f, "records", (double)m->split[i].records);
        findings_value(f, "tokens", (double)m->split[i].tokens);
    }
    if (p->data) {
        say_learned(p);
        say_tokenizer(p);
        say_layout(p);
        say_ends(p);
    }
    if (train != NULL && d->lengths.n > 0) {
        x = facts_of(d, train, p->o->seq_len);
        say_masked(p, train, &x);
        say_cut(p, train, &x);
    } else if (train != NULL) {
        findings_add(f, FINDING_NOTE, "data.lengths", "the set has no file "
                     "of lengths, so it is read whole before a run");
        findings_remedy(f, "run the shard that made it again");
    }
    say_validation(p);
    say_leaks(p);
}

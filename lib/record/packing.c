/* packing.c - joins token records: the ids of the repository are those that
 * the layout of a repository has and that of nothing has not, and the token
 * that begins every record. */
#include "record/packing.h"

#include <string.h>

#include "base/bytes.h"

void
packing_init(struct packing *k, const struct template *layout,
             const struct tokenizer *t)
{
    memset(k, 0, sizeof(*k));
    k->layout = layout;
    encoder_init(&k->en, t);
    template_out_init(&k->head, t);
    template_out_init(&k->bare, t);
    buf_init(&k->origin_repo);
    buf_init(&k->origin_lang);
    buf_init(&k->origin_path);
    buf_init(&k->repo);
    buf_init(&k->folder);
    ids_init(&k->ids);
    ids_init(&k->next);
    buf_init(&k->loss);
    buf_init(&k->next_loss);
    buf_init(&k->record);
}

void
packing_release(struct packing *k)
{
    encoder_release(&k->en);
    template_out_release(&k->head);
    template_out_release(&k->bare);
    buf_release(&k->origin_repo);
    buf_release(&k->origin_lang);
    buf_release(&k->origin_path);
    buf_release(&k->repo);
    buf_release(&k->folder);
    ids_release(&k->ids);
    ids_release(&k->next);
    buf_release(&k->loss);
    buf_release(&k->next_loss);
    buf_release(&k->record);
}

static bool
is_same(const struct buf *b, const struct text_field *f)
{
    return b->len == f->len
        && (f->len == 0 || memcmp(b->data, f->data, f->len) == 0);
}

static void
remember(struct buf *b, const struct text_field *f)
{
    buf_reset(b);
    if (f->len > 0)
        buf_add(b, f->data, f->len);
}

/* What waits is of that folder. */
static bool
goes_on(const struct packing *k, const struct group_key *folder)
{
    return k->ids.n > 0 && folder->path.data != NULL
        && is_same(&k->repo, &folder->repo)
        && is_same(&k->folder, &folder->path);
}

static void
encode_head(struct packing *k, const struct text_field *repo)
{
    struct template_input in;

    memset(&in, 0, sizeof(in));
    template_encode(k->layout, &k->en, &in, &k->bare);
    if (repo->data != NULL)
        template_set(&in, FIELD_REPO, repo->data, repo->len);
    template_encode(k->layout, &k->en, &in, &k->head);
}

/* How many ids of the record the repository takes; SIZE_MAX: it does not
 * begin with them. */
static size_t
head_of(const struct packing *k)
{
    const struct ids *head = &k->head.ids;
    size_t n;

    if (head->n < k->bare.ids.n)
        return SIZE_MAX;
    n = head->n - k->bare.ids.n + (k->layout->begin != TOKEN_NONE);
    if (n > k->next.n
        || (n > 0 && memcmp(head->id, k->next.id, n * sizeof(*head->id)) != 0))
        return SIZE_MAX;
    return n;
}

int
packing_flush(struct packing *k, struct stream_out *out, struct err *e)
{
    int rc;

    if (k->ids.n == 0)
        return 0;
    buf_reset(&k->record);
    rc = tokens_encode(&k->record, &k->origin, k->ids.id,
                       (const uint8_t *)k->loss.data, k->ids.n,
                       k->layout->t->n, e);
    if (rc == 0)
        rc = stream_out_record(out, k->record.data, k->record.len, e);
    k->records++;
    k->ids.n = 0;
    buf_reset(&k->loss);
    return rc;
}

/* The ids that wait, but for their end. */
static size_t
without_end(const struct packing *k)
{
    size_t n = k->ids.n;
    uint32_t end = k->layout->end;

    return n > 0 && end != TOKEN_NONE && k->ids.id[n - 1] == end ? n - 1 : n;
}

/* Appends those of the record's ids from `from` on to what waits. */
static void
append(struct packing *k, size_t from)
{
    for (size_t i = from; i < k->next.n; i++)
        ids_add(&k->ids, k->next.id[i]);
    buf_add(&k->loss, k->next_loss.data + from, k->next.n - from);
}

/* Of two records, what each is known by; 0 where one has nothing. */
static uint64_t
both(uint64_t a, uint64_t b)
{
    struct hash h;
    struct id id;

    if (a == 0 || b == 0)
        return 0;
    hash_init(&h);
    hash_u64(&h, a);
    hash_u64(&h, b);
    id = hash_id(&h);
    return load_u64(id.b) | 1;
}

/* Files of one folder, together: its path, with the slash. */
static void
leave_folder(struct tokens_name *path)
{
    while (path->n > 0 && path->p[path->n - 1] != '/')
        path->n--;
    path->p = path->n > 0 ? path->p : NULL;
}

static void
join_origin(struct tokens_origin *a, const struct tokens_origin *b)
{
    a->same.edit = both(a->same.edit, b->same.edit);
    a->same.content = both(a->same.content, b->same.content);
    if (a->lang.n != b->lang.n
        || (a->lang.n > 0 && memcmp(a->lang.p, b->lang.p, a->lang.n) != 0))
        a->lang = (struct tokens_name){ NULL, 0 };
    leave_folder(&a->path);
}

/* Appends the record to what waits, if that can be. */
static bool
join(struct packing *k, const struct tokens_origin *origin)
{
    size_t head = head_of(k), n = without_end(k);

    if (head == SIZE_MAX || n + (k->next.n - head) > k->max_tokens)
        return false;
    k->ids.n = k->loss.len = n;
    append(k, head);
    join_origin(&k->origin, origin);
    return true;
}

/* The record begins what waits. */
static void
begin(struct packing *k, const struct group_key *folder)
{
    if (k->head.ids.n == 0 || !is_same(&k->repo, &folder->repo))
        encode_head(k, &folder->repo);
    remember(&k->repo, &folder->repo);
    remember(&k->folder, &folder->path);
    append(k, 0);
}

static int
decode(struct packing *k, struct tokens *t, const void *p, size_t n,
       struct err *e)
{
    int rc = tokens_decode(t, p, n, 0, e);

    if (rc < 0)
        return rc;
    k->next.n = 0;
    for (size_t i = 0; i < t->n; i++)
        ids_add(&k->next, 0);
    tokens_ids(t, k->next.id);
    buf_reset(&k->next_loss);
    tokens_mask(t, (uint8_t *)buf_room(&k->next_loss, t->n));
    return 0;
}

static void
keep_name(struct tokens_name *name, struct buf *b)
{
    buf_reset(b);
    if (name->n > 0)
        buf_add(b, name->p, name->n);
    name->p = name->n > 0 ? b->data : NULL;
}

/* Its names die with the record that it is of. */
static void
keep_origin(struct packing *k, const struct tokens_origin *origin)
{
    k->origin = *origin;
    keep_name(&k->origin.repo, &k->origin_repo);
    keep_name(&k->origin.lang, &k->origin_lang);
    keep_name(&k->origin.path, &k->origin_path);
}

int
packing_add(struct packing *k, const struct group_key *folder, const void *p,
            size_t n, struct stream_out *out, struct err *e)
{
    struct tokens t;
    int rc = decode(k, &t, p, n, e);

    if (rc < 0 || (goes_on(k, folder) && join(k, &t.origin)))
        return rc;
    rc = packing_flush(k, out, e);
    keep_origin(k, &t.origin);
    begin(k, folder);
    return rc;
}

/* fromfiles.c - a list of paths on stdin to `file` records: the way in for
 * folders of plain files.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/options.h"
#include "record/text.h"
#include "repo/lang.h"
#include "stream/stream.h"
#include "tool/tool.h"

#define PATH_LIMIT ((size_t)1 << 20)
#define BINARY_PREFIX 8000 /* where git looks for a NUL */

struct options {
    bool null;
    bool keep_going;
    uint64_t max_size;
};

static const struct opt table[] = {
    { .name = "null", .letter = '0', .type = OPT_FLAG, AT(null),
      .help = "paths end with NUL bytes, as find -print0 writes them" },
    { .name = "max-size", .type = OPT_SIZE, .output = true, AT(max_size),
      .arg = "BYTES", .def = "8M", .max = 62.0 * (1 << 20),
      .help = "leave out larger files" },
    { KEEP_GOING_OPTION, AT(keep_going),
      .help = "leave out files that can't be read, and exit 3 at the end" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "fromfiles",
    .summary = "turn the files named on stdin into a stream of text",
    .operands = "",
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "3 4",
};

struct state {
    const struct options *o;
    struct stream_out out;
    struct text_rec rec;
    struct buf text, raw;
    uint64_t unreadable;
    uint64_t left_out; /* binary or too large */
};

/* Reads a regular file whole; ERR_LIMIT when it is over the limit. */
static int
read_file(struct state *s, const char *path, struct err *e)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_errno(e, ERR_IO, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_USAGE, "%s: not a regular file", path);
    return file_read(&s->text, path, s->o->max_size, e);
}

static int
leave_out(struct state *s, const char *path, const char *reason)
{
    log_debug("%s: left out: %s", path, reason);
    stream_out_skip(&s->out, tool.name, reason, 1);
    s->left_out++;
    return 0;
}

static int
one_file(struct state *s, const char *path, size_t n, struct err *e)
{
    const char *name = path;
    size_t head;
    int rc;

    rc = read_file(s, path, e);
    if (rc == ERR_LIMIT)
        return leave_out(s, path, "too-large");
    if (rc < 0 && s->o->keep_going) {
        log_warn("%s", e->text);
        stream_out_skip(&s->out, tool.name, "unreadable", 1);
        s->unreadable++;
        return 0;
    }
    if (rc < 0)
        return rc;
    head = s->text.len < BINARY_PREFIX ? s->text.len : BINARY_PREFIX;
    if (memchr(s->text.data, 0, head))
        return leave_out(s, path, "binary");
    while (n > 2 && name[0] == '.' && name[1] == '/') {
        name += 2;
        n -= 2;
    }
    text_begin(&s->rec, TEXT_FILE);
    text_add(&s->rec, "path", name, n);
    text_add_str(&s->rec, "lang", lang_of(name, n, s->text.data,
                                          s->text.len));
    text_add(&s->rec, "text", s->text.data, s->text.len);
    buf_reset(&s->raw);
    rc = text_encode(&s->raw, &s->rec, e);
    return rc < 0 ? rc : stream_out_record(&s->out, s->raw.data, s->raw.len,
                                           e);
}

static int
all_files(struct state *s, struct in *in, struct err *e)
{
    uint64_t number = 0;
    struct buf path;
    bool got, ended;
    int rc;

    buf_init(&path);
    progress_begin("files", 0, 0);
    for (;;) {
        rc = in_part(in, s->o->null ? '\0' : '\n', &path, PATH_LIMIT, &got,
                     &ended, e);
        if (rc < 0 || !got)
            break;
        number++;
        if (!ended) {
            rc = err_set(e, ERR_DATA, "%s:%llu: the last path has no %s: cut "
                         "short?", in->name, (unsigned long long)number,
                         s->o->null ? "NUL byte" : "newline");
            break;
        }
        if (path.len == 0)
            continue;
        if (memchr(path.data, 0, path.len)) {
            rc = err_set(e, ERR_DATA, "%s:%llu: NUL byte in a path (use "
                         "-0?)", in->name, (unsigned long long)number);
            break;
        }
        rc = one_file(s, path.data, path.len, e);
        if (rc < 0)
            break;
        progress_part(NULL, in->at, in->size);
        progress_add(1);
    }
    progress_end();
    buf_release(&path);
    return rc;
}

static int
convert(struct state *s, const char *prov, struct err *e)
{
    struct stream_head head;
    struct in in;
    int rc;

    rc = in_open(&in, "-", e);
    if (rc < 0)
        return rc;
    stream_head_init(&head, "text");
    stream_head_prov(&head, prov);
    rc = stream_out_open(&s->out, "-", e);
    if (rc < 0)
        goto out;
    rc = stream_out_begin(&s->out, &head, e);
    if (rc == 0)
        rc = all_files(s, &in, e);
    if (rc == 0)
        rc = stream_out_end(&s->out, e);
    if (rc == 0)
        rc = stream_out_close(&s->out, e);
    else
        stream_out_release(&s->out);
out:
    stream_head_release(&head);
    in_release(&in);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct state s = {.o = o};
    char *prov = tool_prov(args, o, NULL);
    int rc;

    text_init(&s.rec);
    buf_init(&s.text);
    buf_init(&s.raw);
    rc = convert(&s, prov, e);
    if (rc == 0 && s.left_out > 0)
        log_info("%llu files left out: binary or over the size limit",
                 (unsigned long long)s.left_out);
    if (rc == 0 && s.unreadable > 0)
        rc = err_set(e, ERR_SKIPPED, "%llu files could not be read",
                     (unsigned long long)s.unreadable);
    text_release(&s.rec);
    buf_release(&s.text);
    buf_release(&s.raw);
    free(prov);
    return rc;
}

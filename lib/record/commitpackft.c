/* commitpackft.c - the rules of commitpackft_filters1.py and _filters2.py, in
 * their order (Muennighoff et al. 2023, OctoPack).
 *
 * Not here: what needs a tokenizer (50 to 768 tokens), and that one in ten
 * bumps was kept.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "record/drops_parts.h"

#define OLD_MAX 50000 /* characters of the file before */

/* What a subject may begin with, before a blank. */
static const char *const starts[] = {
    "abort", "accelerate", "access", "accumulate", "add", "address", "adjust",
    "advance", "align", "allot", "allow", "amplify", "annotate", "append",
    "apply", "archive", "arrange", "attach", "augment", "automate", "backup",
    "boost", "break", "bring", "brush up", "build", "bump", "call", "change",
    "check", "choose", "clarify", "clean", "clear", "clone", "comment",
    "complete", "compress", "concatenate", "configure", "connect",
    "consolidate", "convert", "copy", "correct", "cover", "create",
    "customize", "cut", "deal with", "debug", "decipher", "declare",
    "decommission", "decomplexify", "decompress", "decrease", "decrypt",
    "define", "delete", "deploy", "designate", "destroy", "detach",
    "determine", "develop", "diminish", "disable", "discard", "disentangle",
    "dismantle", "divide", "document", "downgrade", "drop", "duplicate",
    "edit", "embed", "emphasize", "enable", "encrypt", "enforce", "enhance",
    "enlarge", "enumerate", "eradicate", "escalate", "establish", "exclude",
    "exit", "expand", "expedite", "expire", "extend", "facilitate", "fix",
    "format", "gather", "generalize", "halt", "handle", "hasten", "hide",
    "implement", "improve", "include", "increase", "increment", "indent",
    "index", "inflate", "initialize", "insert", "install", "integrate",
    "interpolate", "interrupt", "introduce", "isolate", "join", "kill",
    "leverage", "load", "magnify", "maintain", "make", "manage", "mark",
    "mask", "mend", "merge", "migrate", "modify", "monitor", "move",
    "multiply", "normalize", "optimize", "orchestrate", "order", "package",
    "paraphrase", "paste", "patch", "prepare", "prepend", "print", "provision",
    "purge", "put", "quit", "raise", "read", "reannotate", "rearrange",
    "rebase", "reboot", "rebuild", "recomment", "recompile", "reconfigure",
    "reconnect", "rectify", "redact", "redefine", "reduce", "refactor",
    "reformat", "refresh", "reimplement", "reinforce", "relocate", "remove",
    "rename", "reorder", "reorganize", "repackage", "repair", "rephrase",
    "replace", "reposition", "reschedule", "reset", "reshape", "resolve",
    "restructure", "return", "revert", "revise", "revoke", "reword", "rework",
    "rewrite", "rollback", "save", "scale", "scrub", "secure", "select",
    "send", "set", "settle", "simplify", "solve", "sort", "speed up", "split",
    "stabilize", "standardize", "stipulate", "stop", "store", "streamline",
    "strengthen", "structure", "substitute", "subtract", "support", "swap",
    "switch", "synchronize", "tackle", "tag", "terminate", "test", "throw",
    "tidy", "transform", "transpose", "trim", "troubleshoot", "truncate",
    "tweak", "unblock", "uncover", "undo", "unify", "uninstall", "unplug",
    "unpublish", "unravel", "unstage", "unsync", "untangle", "unwind",
    "update", "upgrade", "use", "validate", "verify", "watch", "watermark",
    "whitelist", "withdraw", "work", "write", NULL
};

struct subject {
    struct buf text, low; /* as it is, and in lower case */
    size_t words, chars;
};

/* ---- words of a text ---- */

static bool
has(const struct subject *s, const char *word)
{
    return strstr(s->low.data, word) != NULL;
}

/* Sets low, words and chars after the text changed. */
static void
count(struct subject *s)
{
    bool inside = false;

    buf_reset(&s->low);
    s->words = s->chars = 0;
    for (size_t i = 0; i < s->text.len; i++) {
        unsigned char c = (unsigned char)s->text.data[i];

        buf_addc(&s->low, tolower(c));
        s->chars += (c & 0xC0) != 0x80;
        s->words += !inside && !isspace(c);
        inside = !isspace(c);
    }
}

/* Takes every `word` out, then blanks at both ends. */
static void
take_out(struct subject *s, const char *word)
{
    char *p = s->text.data, *at;
    size_t len = strlen(word), n;

    while ((at = strstr(p, word)) != NULL)
        memmove(at, at + len, strlen(at + len) + 1);
    n = strlen(p);
    while (n > 0 && isspace((unsigned char)p[n - 1]))
        p[--n] = '\0';
    while (isspace((unsigned char)*p))
        p++;
    s->text.len = strlen(p);
    memmove(s->text.data, p, s->text.len + 1);
    count(s);
}

/* "[tag] Do this" and "part: Do this" are "Do this", and "Do this [tag]". */
static void
clean(struct subject *s)
{
    char *p = s->text.data, *end;
    size_t n;

    take_out(s, "[skip ci]");
    for (int tag = 1; tag >= 0; tag--) {
        n = strcspn(p, " \t\n");
        if (n > 0 && (tag ? p[0] == '[' && p[n - 1] == ']'
                          : p[n - 1] == ':'))
            memset(p, ' ', n);
        p += strspn(p, " \t\n");
    }
    end = p + strlen(p);
    n = 0;
    while (end - n > p && !isspace((unsigned char)end[-(ptrdiff_t)n - 1]))
        n++;
    if (n > 0 && *(end - n) == '[' && end[-1] == ']')
        memset(end - n, ' ', n);
    take_out(s, "[skip ci]");
}

/* A number stands behind the word, blanks between them or none. */
static bool
has_number(const struct subject *s, const char *word)
{
    const char *p = s->low.data;

    while ((p = strstr(p, word)) != NULL) {
        p += strlen(word);
        p += strspn(p, " \t\n");
        if (isdigit((unsigned char)*p))
            return true;
    }
    return false;
}

/* ---- rules: each gives its name where it takes the commit ---- */

static const char *
by_file(const struct text_rec *r, const struct change *c,
        const struct text_field *subject)
{
    const struct text_field *path = text_get(r, "path");
    const char *name, *dot, *from;
    uint64_t old = 0;

    for (size_t i = 0; i < c->n_lines; i++)
        if (c->line[i].kind != '+')
            old += c->line[i].n + 1;
    if (old >= OLD_MAX)
        return "old-contents";
    if (c->total[CHANGE_AFTER] == 0)
        return "no-new-contents";
    if (c->n_hunks == 0)
        return "same-contents";
    if (memchr(subject->data, '#', subject->len))
        return "hashtag";
    if (!path || path->len == 0)
        return NULL;
    name = memrchr(path->data, '/', path->len);
    name = name ? name + 1 : path->data;
    dot = memrchr(name, '.', (size_t)(path->data + path->len - name));
    if (!dot)
        return NULL;
    from = dot > name ? memrchr(name, '.', (size_t)(dot - name)) : NULL;
    name = from ? from + 1 : name;
    return memmem(subject->data, subject->len, name, (size_t)(dot - name)) ?
               "file-name" : NULL;
}

static bool
is_length_wrong(const struct subject *s)
{
    return s->chars <= 10 || s->chars >= 1000 || s->words <= 4
           || s->words >= 1000;
}

static bool
begins_well(const struct subject *s)
{
    for (int i = 0; starts[i]; i++) {
        size_t n = strlen(starts[i]);

        if (strncmp(s->low.data, starts[i], n) == 0
            && s->low.data[n] == ' ')
            return true;
    }
    return false;
}

/* v1.2.3, or a word of hexadecimal digits and dashes alone. */
static bool
is_version(const struct subject *s)
{
    const char *p = s->low.data + (s->low.data[0] == 'v');
    size_t n;

    for (int i = 0; i < 3; i++) {
        n = strspn(p, "0123456789");
        if (n == 0 || (i < 2 && p[n] != '.'))
            break;
        p += n + (i < 2);
        if (i == 2 && !isspace((unsigned char)*p))
            return true;
    }
    return s->low.len > 0
           && strspn(s->low.data, "0123456789abcdef-") == s->low.len;
}

static bool
has_commit_id(const struct subject *s)
{
    const char *p = s->text.data;

    while (*p) {
        size_t n = strspn(p, "0123456789abcdef");

        if (n >= 40)
            return true;
        p += n ? n : 1;
    }
    return false;
}

static const char *
by_words(const struct subject *s)
{
    static const char *const words[] = {
        "auto commit", "update contributing", "<?xml", "merge branch",
        "merge pull request", "signed-off-by", "cherry picked from commit",
        " i ", "i've", "i'm", "code review", "cdpcp", "//codereview",
        "work in progress", "wip", "https://", "http://", "| leetcode",
        "fix that bug where things didn't work but now they should", NULL
    };

    for (int i = 0; words[i]; i++)
        if (has(s, words[i]))
            return words[i];
    if (has_commit_id(s))
        return "commit-id";
    if (strncmp(s->text.data, "Bump", 4) == 0
        || strncmp(s->text.data, "Set version", 11) == 0
        || strncmp(s->text.data, "Update version", 14) == 0)
        return "bump";
    if (has(s, "thanks to") && strstr(s->text.data, "for"))
        return "thanks";
    if (has_number(s, "issue") || has_number(s, "bug")
        || has_number(s, "feature"))
        return "number";
    return NULL;
}

static const char *
by_subject(struct subject *s)
{
    const char *why;

    if (is_length_wrong(s))
        return "length";
    clean(s);
    if (is_length_wrong(s))
        return "length";
    if (!isupper((unsigned char)s->text.data[0]))
        return "capital";
    if (!begins_well(s))
        return "start";
    if (is_version(s))
        return "version";
    why = by_words(s);
    take_out(s, "[ci skip]");
    return why ? why : s->words < 4 ? "length" : NULL;
}

const char *
drops_commitpackft(const struct text_rec *r, const struct change *c)
{
    const struct text_field *subject = text_get(r, "subject");
    struct subject s;
    const char *why;

    if (!subject || subject->len == 0)
        return "length";
    why = by_file(r, c, subject);
    if (why)
        return why;
    buf_init(&s.text);
    buf_init(&s.low);
    for (size_t i = 0; i < subject->len; i++)
        buf_addc(&s.text, subject->data[i] ? subject->data[i] : ' ');
    count(&s);
    why = by_subject(&s);
    buf_release(&s.text);
    buf_release(&s.low);
    return why;
}

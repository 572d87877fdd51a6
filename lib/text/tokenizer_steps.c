/* tokenizer_steps.c - the pre-tokenizer of a tokenizer.json into the steps of
 * pretok.h.
 *
 * An expression that a scanner of scan.h was written for is known by its
 * spelling; any other is regex.h's. What is not known exactly is refused by
 * its name.
 */
#include <string.h>

#include "text/tokenizer_read.h"
#include "text/ucat.h"
#include "text/uclass.h"

#define MAX_DEPTH 16

#define SUPPORTED "supported are Sequence, Split, ByteLevel, Digits, " \
    "Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer and " \
    "CharDelimiterSplit"

#define PREFIX "[^\\r\\n\\p{L}\\p{N}]"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define FOLDED "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define CASED_END \
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Expressions that match all of a text, by who cuts it in the same way. */
static const struct {
    const char *regex;
    enum scan_kind scan;
} scanned[] = {
    { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
      "\\s+(?!\\S)|\\s+", SCAN_GPT2 },
    /* \s++ has no newline behind it, so $ is the end of the text. */
    { "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
      "\\s+(?!\\S)|\\s+", SCAN_GPT2 },
    { "'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|"
      "\\s++$|\\s+(?!\\S)|\\s", SCAN_GPT2 },
    { "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      SCAN_QWEN2 },
    { "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
      "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
      "\\s+(?!\\S)|\\s+", SCAN_LLAMA3 },
    { "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|"
      "\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
      "\\s+(?!\\S)|\\s+", SCAN_QWEN35 },
    { PREFIX "?" UPPER "*" LOWER "+" FOLDED "?|"
      PREFIX "?" UPPER "+" LOWER "*" FOLDED "?|\\p{N}{1,3}|" CASED_END,
      SCAN_O200K },
    { PREFIX "?" UPPER "*" LOWER "+|" PREFIX "?" UPPER "+" LOWER "*|"
      "\\p{N}|" CASED_END, SCAN_TEKKEN },
};

const char *
tokenizer_scan_regex(enum scan_kind scan)
{
    size_t i = 0;

    while (scanned[i].scan != scan)
        i++;
    return scanned[i].regex;
}

/* What the settings of one pre-tokenizer say. */
struct settings {
    struct buf type, pattern, behavior, delimiter;
    bool prefix, use_regex, individual, invert, is_regex;
};

static void
settings_init(struct settings *s)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->type);
    buf_init(&s->pattern);
    buf_init(&s->behavior);
    buf_init(&s->delimiter);
    s->prefix = s->use_regex = true; /* what an absent key means */
}

static void
settings_release(struct settings *s)
{
    buf_release(&s->type);
    buf_release(&s->pattern);
    buf_release(&s->behavior);
    buf_release(&s->delimiter);
}

/* {"Regex": ...} or {"String": ...} */
static int
read_pattern(struct settings *s, struct json *j, struct err *e)
{
    struct buf key;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        s->is_regex = buf_is(&key, "Regex");
        if (s->is_regex || buf_is(&key, "String"))
            rc = json_string(j, &s->pattern, e);
        else
            rc = json_error(j, e, "pattern \"%.100s\" is not supported "
                            "(supported are Regex and String)", key.data);
    }
    buf_release(&key);
    return rc;
}

static int
read_setting(struct settings *s, const struct buf *key, struct json *j,
             struct err *e)
{
    bool ignored;

    if (buf_is(key, "type"))
        return json_string(j, &s->type, e);
    if (buf_is(key, "add_prefix_space"))
        return json_bool(j, &s->prefix, e);
    if (buf_is(key, "use_regex"))
        return json_bool(j, &s->use_regex, e);
    if (buf_is(key, "trim_offsets"))
        return json_bool(j, &ignored, e);
    if (buf_is(key, "individual_digits"))
        return json_bool(j, &s->individual, e);
    if (buf_is(key, "invert"))
        return json_bool(j, &s->invert, e);
    if (buf_is(key, "behavior"))
        return json_string(j, &s->behavior, e);
    if (buf_is(key, "delimiter"))
        return json_string(j, &s->delimiter, e);
    if (buf_is(key, "pattern"))
        return read_pattern(s, j, e);
    return json_error(j, e, "pre-tokenizer setting \"%.100s\" is not "
                      "supported", key->data);
}

/* ---- one pre-tokenizer's steps ---- */

/* What the steps are made of. */
struct maker {
    struct pretok *t;
    const struct settings *s;
    struct json at; /* where the pre-tokenizer is, for messages */
    struct err *e;
};

/* A step; what comes behind ByteLevel sees bytes as it spells them. */
static struct pretok_step *
add(struct maker *m, enum pretok_kind kind)
{
    struct pretok_step *step = pretok_add(m->t, kind);

    if (step && m->t->byte_level && !m->t->spelled) {
        step->kind = PRETOK_SPELL;
        m->t->spelled = true;
        step = pretok_add(m->t, kind);
    }
    if (!step)
        json_error(&m->at, m->e, "over %d pre-tokenizers", PRETOK_MAX);
    return step;
}

static int
add_string(struct maker *m, const struct buf *string,
           enum pretok_behavior behavior)
{
    struct pretok_step *step = add(m, PRETOK_STRING);

    if (!step)
        return ERR_DATA;
    if (string->len == 0)
        return json_error(&m->at, m->e, "pre-tokenizer %s: an empty string "
                          "is not supported", m->s->type.data);
    buf_add(&step->string, string->data, string->len);
    step->behavior = behavior;
    return 0;
}

static int
add_set(struct maker *m, const struct uset *set,
        enum pretok_behavior behavior)
{
    struct pretok_step *step = add(m, PRETOK_REGEX);

    if (!step)
        return ERR_DATA;
    step->regex = regex_of_set(set);
    buf_add(&step->string, m->s->type.data, m->s->type.len);
    step->behavior = behavior;
    return 0;
}

/* A scanner. That of GPT-2 takes in a step before it that parts off each
 * digit. */
static int
add_scan(struct maker *m, enum scan_kind scan)
{
    struct pretok_step *step;

    if (m->t->n > 0 && scan == SCAN_GPT2) {
        step = &m->t->step[m->t->n - 1];
        if (step->digits) {
            regex_free(step->regex);
            step->regex = NULL;
            buf_reset(&step->string);
            step->digits = false;
            step->kind = PRETOK_SCAN;
            step->scan = SCAN_DIGITS;
            return 0;
        }
    }
    step = add(m, PRETOK_SCAN);
    if (!step)
        return ERR_DATA;
    step->scan = scan;
    step->table = scan_table(scan);
    return 0;
}

static int
read_behavior(struct maker *m, enum pretok_behavior *behavior)
{
    static const char *const name[] = {
        "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext",
        "Contiguous"
    };
    size_t i;

    for (i = 0; i < sizeof(name) / sizeof(name[0]); i++)
        if (buf_is(&m->s->behavior, name[i])) {
            *behavior = (enum pretok_behavior)i;
            return 0;
        }
    return json_error(&m->at, m->e, "pre-tokenizer %s: behavior \"%.100s\" "
                      "is not supported", m->s->type.data,
                      m->s->behavior.data);
}

/* A regular expression: a scanner if all of a text is to come out of it in
 * the pieces that one cuts. */
static int
add_regex(struct maker *m, enum pretok_behavior behavior)
{
    const struct buf *regex = &m->s->pattern;
    bool invert = m->s->invert;
    struct pretok_step *step;
    struct err why;
    size_t i;

    for (i = 0; i < sizeof(scanned) / sizeof(scanned[0]); i++)
        if (buf_is(regex, scanned[i].regex)
            && (behavior == PRETOK_ISOLATED
             || (behavior == PRETOK_REMOVED && invert)))
            return add_scan(m, scanned[i].scan);
    step = add(m, PRETOK_REGEX);
    if (!step)
        return ERR_DATA;
    step->behavior = behavior;
    step->invert = invert;
    buf_add(&step->string, regex->data, regex->len);
    step->regex = regex_new(regex->data, regex->len, &why);
    if (!step->regex)
        return json_error(&m->at, m->e, "pre-tokenizer Split: in regular "
                          "expression \"%.200s\" %s", regex->data, why.text);
    return 0;
}

static int
add_split(struct maker *m)
{
    enum pretok_behavior behavior;
    int rc = read_behavior(m, &behavior);

    if (rc < 0)
        return rc;
    if (m->s->is_regex)
        return add_regex(m, behavior);
    rc = add_string(m, &m->s->pattern, behavior);
    if (rc == 0)
        m->t->step[m->t->n - 1].invert = m->s->invert;
    return rc;
}

static int
add_byte_level(struct maker *m)
{
    struct pretok_step *step;

    if (m->t->byte_level)
        return json_error(&m->at, m->e, "pre-tokenizer ByteLevel behind "
                          "another is not supported");
    if (m->s->prefix) {
        step = add(m, PRETOK_PREFIX);
        if (!step)
            return ERR_DATA;
        m->t->changes = true;
        buf_addc(&step->string, ' ');
    }
    if (m->s->use_regex && add_scan(m, SCAN_GPT2) < 0)
        return ERR_DATA;
    m->t->byte_level = true;
    return 0;
}

/* Digits, Punctuation, WhitespaceSplit. */
static int
add_chars(struct maker *m)
{
    enum pretok_behavior behavior = PRETOK_ISOLATED;
    struct uset set;
    int rc = 0;

    uset_init(&set);
    if (buf_is(&m->s->type, "Digits")) {
        uset_uclass(&set, UC_DIGIT);
        behavior = m->s->individual ? PRETOK_ISOLATED : PRETOK_CONTIGUOUS;
    } else if (buf_is(&m->s->type, "Punctuation")) {
        uset_ucat(&set, UCAT_PUNCT);
        if (m->s->behavior.len > 0)
            rc = read_behavior(m, &behavior);
    } else {
        uset_uclass(&set, UC_SPACE);
        behavior = PRETOK_REMOVED;
    }
    if (rc == 0)
        rc = add_set(m, &set, behavior);
    if (rc == 0)
        m->t->step[m->t->n - 1].digits = m->s->individual;
    uset_release(&set);
    return rc;
}

/* Whitespace, \w+|[^\w\s]+ of what is no white space, and BertPreTokenizer,
 * which parts off each sign of it. */
static int
add_words(struct maker *m)
{
    bool bert = buf_is(&m->s->type, "BertPreTokenizer");
    struct uset set;
    int rc;

    uset_init(&set);
    uset_uclass(&set, UC_SPACE);
    rc = add_set(m, &set, PRETOK_REMOVED);
    uset_release(&set);
    uset_init(&set);
    if (bert)
        uset_ucat(&set, UCAT_PUNCT);
    else
        uset_uclass(&set, UC_WORD);
    if (rc == 0)
        rc = add_set(m, &set, bert ? PRETOK_ISOLATED : PRETOK_CONTIGUOUS);
    uset_release(&set);
    return rc;
}

static int
add_steps(struct maker *m)
{
    const struct buf *type = &m->s->type;

    if (buf_is(type, "ByteLevel"))
        return add_byte_level(m);
    if (buf_is(type, "Split"))
        return add_split(m);
    if (buf_is(type, "CharDelimiterSplit"))
        return add_string(m, &m->s->delimiter, PRETOK_REMOVED);
    if (buf_is(type, "Digits") || buf_is(type, "Punctuation")
        || buf_is(type, "WhitespaceSplit"))
        return add_chars(m);
    if (buf_is(type, "Whitespace") || buf_is(type, "BertPreTokenizer"))
        return add_words(m);
    return json_error(&m->at, m->e, "pre-tokenizer \"%.100s\" is not "
                      "supported (" SUPPORTED ")", type->data);
}

/* ---- the tree of them ---- */

static int read_pre(struct pretok *t, struct json *j, int depth,
                    struct err *e);

static int
read_one(struct pretok *t, struct json *j, struct err *e)
{
    struct settings s;
    struct maker m = { t, &s, *j, e };
    struct buf key;
    int rc;

    buf_init(&key);
    settings_init(&s);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key))
        rc = read_setting(&s, &key, j, e);
    if (rc == 0)
        rc = add_steps(&m);
    settings_release(&s);
    buf_release(&key);
    return rc;
}

/* A Sequence's list, in order. */
static int
read_list(struct pretok *t, struct json *j, int depth, struct err *e)
{
    int rc = json_enter_array(j, e);

    while (rc == 0 && json_next_item(j))
        rc = read_pre(t, j, depth, e);
    return rc;
}

/* A Sequence, or a pre-tokenizer alone. */
static int
read_pre(struct pretok *t, struct json *j, int depth, struct err *e)
{
    struct json again = *j;
    struct buf key;
    bool sequence = false;
    int rc;

    if (depth == MAX_DEPTH)
        return json_error(j, e, "pre-tokenizers over %d deep", MAX_DEPTH);
    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (buf_is(&key, "pretokenizers")) {
            sequence = true;
            rc = read_list(t, j, depth + 1, e);
        } else {
            json_skip(j);
        }
    }
    if (rc == 0 && !sequence)
        rc = read_one(t, &again, e);
    buf_release(&key);
    return rc;
}

/* Whether a ByteLevel is in the value, at whatever depth. */
static bool
has_byte_level(struct json j)
{
    struct buf key, type;
    struct err e;
    bool found = false;

    if (json_kind(&j) == JSON_ARRAY) {
        json_enter_array(&j, &e);
        while (json_next_item(&j)) {
            found |= has_byte_level(j);
            json_skip(&j);
        }
    }
    if (json_kind(&j) != JSON_OBJECT)
        return found;
    buf_init(&key);
    buf_init(&type);
    json_enter_object(&j, &e);
    while (json_next_key(&j, &key)) {
        if (json_kind(&j) == JSON_STRING && buf_is(&key, "type")) {
            json_string(&j, &type, &e);
            found |= buf_is(&type, "ByteLevel");
        } else {
            found |= has_byte_level(j);
            json_skip(&j);
        }
    }
    buf_release(&key);
    buf_release(&type);
    return found;
}

int
tokenizer_read_pre(struct tokenizer *t, struct json *j, struct err *e)
{
    int rc;

    if (!has_byte_level(*j))
        return tokenizer_read_chars(t, j, e);
    rc = read_pre(&t->pre, j, 0, e);
    for (size_t i = 0; i < t->pre.n; i++)
        t->pre.changes |= t->pre.step[i].behavior == PRETOK_REMOVED;
    return rc;
}

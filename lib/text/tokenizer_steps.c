/* tokenizer_steps.c - the pre-tokenizer of a tokenizer.json: what is known
 * exactly is taken, anything else refused by its name.
 *
 * The objects are flattened into a list of settings "type.key" = value, so
 * that a setting nobody here knows is noticed.
 */
#include <string.h>

#include "text/tokenizer_read.h"

#define MAX_STEPS 4

static const char qwen2_regex[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char llama3_regex[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
    "\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

enum step_kind { STEP_DIGITS, STEP_BYTES_GPT2, STEP_BYTES, STEP_SPLIT };

/* One pre-tokenizer, its settings as far as they matter. */
struct step {
    struct buf type, regex, behavior;
    bool prefix, use_regex, individual, invert, has_regex;
};

static void
step_init(struct step *s)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->type);
    buf_init(&s->regex);
    buf_init(&s->behavior);
    s->prefix = s->use_regex = true; /* what an absent key means */
}

static void
step_release(struct step *s)
{
    buf_release(&s->type);
    buf_release(&s->regex);
    buf_release(&s->behavior);
}

/* {"Regex": ...} */
static int
read_pattern(struct step *s, struct json *j, struct err *e)
{
    struct buf key;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (buf_is(&key, "Regex")) {
            s->has_regex = true;
            rc = json_string(j, &s->regex, e);
        } else {
            rc = json_error(j, e, "pattern \"%s\" is not supported",
                            key.data);
        }
    }
    buf_release(&key);
    return rc;
}

static int
read_setting(struct step *s, const struct buf *key, struct json *j,
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
    if (buf_is(key, "pattern"))
        return read_pattern(s, j, e);
    return json_error(j, e, "pre-tokenizer setting \"%s\" is not supported",
                      key->data);
}

/* What the settings come to, or ERR_DATA. */
static int
step_kind(const struct step *s, const struct json *j, struct err *e)
{
    if (buf_is(&s->type, "ByteLevel")) {
        if (s->prefix)
            return json_error(j, e, "pre-tokenizer ByteLevel with "
                              "add_prefix_space is not supported");
        return s->use_regex ? STEP_BYTES_GPT2 : STEP_BYTES;
    }
    if (buf_is(&s->type, "Digits")) {
        if (!s->individual)
            return json_error(j, e, "pre-tokenizer Digits without "
                              "individual_digits is not supported");
        return STEP_DIGITS;
    }
    if (buf_is(&s->type, "Split")) {
        if (!buf_is(&s->behavior, "Isolated") || s->invert || !s->has_regex)
            return json_error(j, e, "pre-tokenizer Split is supported with "
                              "a regex, Isolated and not inverted only");
        return STEP_SPLIT;
    }
    return json_error(j, e, "pre-tokenizer \"%s\" is not supported",
                      s->type.data);
}

/* One pre-tokenizer into list[*n]. */
static int
read_step(enum step_kind *list, size_t *n, struct buf *regex,
          struct json *j, struct err *e)
{
    struct buf key;
    struct step s;
    int rc;

    buf_init(&key);
    step_init(&s);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key))
        rc = read_setting(&s, &key, j, e);
    if (rc == 0 && *n == MAX_STEPS)
        rc = json_error(j, e, "over %d pre-tokenizers", MAX_STEPS);
    if (rc == 0)
        rc = step_kind(&s, j, e);
    if (rc >= 0) {
        if (rc == STEP_SPLIT) {
            buf_reset(regex);
            buf_add(regex, s.regex.data, s.regex.len);
        }
        list[(*n)++] = (enum step_kind)rc;
        rc = 0;
    }
    step_release(&s);
    buf_release(&key);
    return rc;
}

/* A Sequence's list, or a pre-tokenizer alone. */
static int
read_steps(enum step_kind *list, size_t *n, struct buf *regex,
           struct json *j, struct err *e)
{
    struct json again = *j;
    struct buf key;
    bool sequence = false;
    int rc;

    buf_init(&key);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (!buf_is(&key, "pretokenizers")) {
            json_skip(j);
            continue;
        }
        sequence = true;
        rc = json_enter_array(j, e);
        while (rc == 0 && json_next_item(j))
            rc = read_step(list, n, regex, j, e);
    }
    if (rc == 0 && !sequence)
        rc = read_step(list, n, regex, &again, e);
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
    enum step_kind list[MAX_STEPS];
    struct json at = *j;
    struct buf regex;
    size_t n = 0;
    int rc;

    if (!has_byte_level(at))
        return tokenizer_read_chars(t, j, e);
    buf_init(&regex);
    rc = read_steps(list, &n, &regex, j, e);
    if (rc < 0)
        goto out;
    if (n == 1 && list[0] == STEP_BYTES_GPT2)
        t->scan = SCAN_GPT2;
    else if (n == 2 && list[0] == STEP_DIGITS && list[1] == STEP_BYTES_GPT2)
        t->scan = SCAN_DIGITS;
    else if (n == 2 && list[0] == STEP_SPLIT && list[1] == STEP_BYTES
             && buf_is(&regex, qwen2_regex))
        t->scan = SCAN_QWEN2;
    else if (n == 2 && list[0] == STEP_SPLIT && list[1] == STEP_BYTES
             && buf_is(&regex, llama3_regex))
        t->scan = SCAN_LLAMA3;
    else if (regex.len > 0)
        rc = json_error(&at, e, "regular expression \"%.200s\" is not "
                        "supported", regex.data);
    else
        rc = json_error(&at, e, "this sequence of pre-tokenizers is not "
                        "supported");
out:
    buf_release(&regex);
    return rc;
}

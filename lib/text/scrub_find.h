/* scrub_find.h - where the secrets of a text are: rules over its lines, and
 * over all of it for those that span lines.
 *
 * A secret lies in one line. What spans several is found as its part of each,
 * so that taking it out leaves lines where they were.
 */
#ifndef TEXT_SCRUB_FIND_H
#define TEXT_SCRUB_FIND_H

#include "text/scrub_rules.h"

struct scrub_span {
    size_t at, end;
    uint32_t rule; /* of the rules' */
};

/* How much of the line p[n], a newline not among it, is not looked at: n for
 * none of it. */
typedef size_t scrub_skip(const char *p, size_t n);

/* One line of a view: where it begins there and in the text. */
struct scrub_line {
    size_t view, text;
};

/* What one thread needs. */
struct scrub_finder {
    const struct scrub_rules *rules;
    struct scrub_span *span; /* what was found */
    size_t n, cap;
    bool armour, multiline; /* a keyword of such rules was seen */

    /* private */
    struct pattern_search search;
    size_t *seen; /* [rule]: 1 + the line it was last tried on */
    bool *wanted; /* [rule]: multiline, and its keyword was seen */
    const char *p;
    size_t p_len, line, line_end, first; /* of the line, from `first` on */
    scrub_skip *skip;
    uint32_t limit; /* the rule that reached its limit */
};

/* rules: built; they outlive it. */
void scrub_finder_init(struct scrub_finder *f,
                       const struct scrub_rules *rules);
void scrub_finder_release(struct scrub_finder *f);

/* Sets f->span to what rules for lines find in p[n]; skip: of each line, or
 * NULL. ERR_LIMIT names the rule that takes too many steps. */
int scrub_find(struct scrub_finder *f, const char *p, size_t n,
               scrub_skip *skip, struct err *e);

/* Adds what rules for more than a line find in the view p[n], where
 * f->armour or f->multiline is set. line[n_lines]: where its lines are in the
 * text; none: it is the text. cut: the view begins in the midst of a file, so
 * also the rest of a key that began above counts. */
int scrub_find_view(struct scrub_finder *f, const char *p, size_t n,
                    const struct scrub_line *line, size_t n_lines, bool cut,
                    struct err *e);

/* Whether the line p[n] is one of a key's inner ones, by its width and what it
 * is made of. */
bool scrub_is_armour(const char *p, size_t n);

/* Sorts the spans and joins those that overlap: the rule is the first of the
 * rules then. */
void scrub_settle(struct scrub_finder *f);

/* ---- private: between scrub_find.c and scrub_armour.c ---- */

void scrub_add(struct scrub_finder *f, size_t at, size_t end, uint32_t rule);

/* Adds the lines of keys in the view, as spans of it. */
void scrub_armour(struct scrub_finder *f, const char *p, size_t n, bool cut,
                  uint32_t rule);

#endif

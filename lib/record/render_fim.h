/* render_fim.h - text records as prefix, suffix and middle; private to
 * lib/record.
 *
 * Of a commit each place that lines were added to becomes a record of its
 * own: the middle is the lines, prefix and suffix are what stands before and
 * behind them in the file as the commit leaves it, so far as the hunk goes.
 * So each added line is a middle once. Places where lines were only removed
 * have no middle, and are left out. What does not fit loses context, on both
 * sides alike; lines that take over half of the limit fall apart at line
 * ends, and the parts stand in each other's context.
 *
 * Parts of a file or document (render_fit.c) are drawn (fim.h) to be taken
 * apart, or stay what they are without this layout.
 */
#ifndef RECORD_RENDER_FIM_H
#define RECORD_RENDER_FIM_H

#include "record/render.h"
#include "record/tokens.h"

/* Appends the places of w->change. */
int render_fim(const struct render *r, struct render_worker *w,
               const struct tokens_origin *origin, struct render_result *out,
               struct err *e);

/* Sets the fields of a part of a text, whose lines are w's, and the variant;
 * returns the layout that they are for. */
enum template_kind render_fim_text(const struct render *r,
                                   const struct render_worker *w,
                                   const struct id *id,
                                   const struct render_part *part,
                                   struct template_input *in);

#endif

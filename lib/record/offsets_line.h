/* offsets_line.h - a token record as a line of JSON with its text:
 *
 *     {"ids":[...],"mask":[...],"loss":"target","text":S,
 *      "offsets":[[FROM,TO],...]}
 *
 * in one. The mask is of the target, loss what is learned: that or "all".
 * text is the laid-out record, and id i stands for its bytes FROM up to TO.
 * A text that is not UTF-8 is {"b64":S}.
 */
#ifndef RECORD_OFFSETS_LINE_H
#define RECORD_OFFSETS_LINE_H

#include "base/buf.h"
#include "record/tokens.h"
#include "text/template.h"

/* Appends the line with its newline; made->shown was wanted. */
void offsets_line(struct buf *b, const struct template_out *made,
                  enum tokens_loss loss);

#endif

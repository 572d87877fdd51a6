/* offsets_line.h - a token record as a line of JSON with its text:
 *
 *     {"ids":[...],"mask":[...],"text":S,"offsets":[[FROM,TO],...]}
 *
 * text is the laid-out record, and id i stands for its bytes FROM up to TO.
 * A text that is not UTF-8 is {"b64":S}.
 */
#ifndef RECORD_OFFSETS_LINE_H
#define RECORD_OFFSETS_LINE_H

#include "base/buf.h"
#include "text/template.h"

/* Appends the line with its newline; made->shown was wanted. */
void offsets_line(struct buf *b, const struct template_out *made);

#endif

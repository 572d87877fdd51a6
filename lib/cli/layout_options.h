/* layout_options.h - --template, --chat-template and --date: how a program
 * that makes tokens lays records out.
 *
 * The program's struct has a struct layout_options, its table the rows:
 *
 *     { TEMPLATE_OPTION, AT(layout.template) },
 *     { CHAT_TEMPLATE_OPTION, AT(layout.chat) },
 *     { DATE_OPTION, AT(layout.date) },
 */
#ifndef CLI_LAYOUT_OPTIONS_H
#define CLI_LAYOUT_OPTIONS_H

#include "cli/options.h"
#include "record/render.h"

#define LAYOUT_NAMES "chat|commit|file|fim|message|plain|review"

struct layout_options {
    const char *template, *chat, *date;
};

#define TEMPLATE_OPTION \
    .name = "template", .type = OPT_STRING, .output = true, .arg = "NAME", \
    .def = "auto", .choices = "auto|" LAYOUT_NAMES, \
    .help = "layout of a record, a layout file or"

#define CHAT_TEMPLATE_OPTION \
    .name = "chat-template", .type = OPT_STRING, .output = true, \
    .arg = "FILE", \
    .help = "the chat template, not the one beside the tokenizer"

#define DATE_OPTION \
    .name = "date", .type = OPT_STRING, .output = true, \
    .arg = "YYYY-MM-DD", .def = "2024-07-26", \
    .help = "the day that a chat template is told"

/* What they come to. */
struct layout_choice {
    int kind; /* RENDER_AUTO, an enum template_kind, or -1: a file */
    struct chat_template chat;
    char own[ID_HEX + 1], chat_id[ID_HEX + 1]; /* content ids of the files
                           * that the output depends on; "" where none does */
};

/* Whether they can be meant; ERR_USAGE. *c is released in any case. */
int layout_choose(struct layout_choice *c, const struct layout_options *o,
                  struct err *e);
void layout_choice_release(struct layout_choice *c);

/* Opens the layout in *r, and the chat template that it may ask for, which is
 * beside the file `tokenizer` unless named. Fails as render_use,
 * render_use_own and chat_template_open. */
int layout_use(struct layout_choice *c, const struct layout_options *o,
               const char *tokenizer, struct render *r, struct err *e);

#endif

/* ask.c - libedit, which is opened at run time, or else the line editing of
 * the terminal itself.
 *
 * Bytes are read here in any case: a signal that asks to stop has to end a
 * read that waits for somebody who is away.
 */
#include "cli/ask.h"

#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "base/mem.h"
#include "base/stop.h"
#include "base/utf8.h"

/* libedit's, as <histedit.h> has them. */
enum { EL_PROMPT = 0, EL_EDITOR = 2, EL_HIST = 10, EL_GETCFN = 13 };
enum { H_SETSIZE = 1, H_ENTER = 10 };

struct history_event {
    int number;
    const char *text;
};

typedef int history_call(void *h, struct history_event *e, int what, ...);

struct ask_calls {
    void *(*el_init)(const char *program, FILE *in, FILE *out, FILE *err);
    void (*el_end)(void *el);
    int (*el_set)(void *el, int what, ...);
    const char *(*el_gets)(void *el, int *n);
    void *(*history_init)(void);
    void (*history_end)(void *h);
    history_call *history;
};

#define HISTORY 1000 /* lines */
#define WAIT 200     /* ms: a signal just before the wait is seen then */
#define CTRL_D 4

static const char *const prompts[] = { "> ", ". " };
static bool goes_on; /* which of them */
static bool waited;  /* for what is typed, since the line began */
static int input;    /* the descriptor that is read */

static char *
show_prompt(void *el)
{
    (void)el;
    return (char *)prompts[goes_on];
}

/* The next byte of what is typed, or -1.
 *
 * A Ctrl-D that was typed before the editor had taken the terminal over is a
 * NUL by then, and a NUL is no key of the editor's: it makes it take the next
 * one as it is, the next Ctrl-D, too. */
static int
read_byte(void)
{
    struct pollfd p = { .fd = input, .events = POLLIN };
    unsigned char c;
    ssize_t n;

    while (stop_asked() == 0) {
        if (poll(&p, 1, waited ? WAIT : 0) <= 0) {
            waited = true;
            continue;
        }
        n = read(input, &c, 1);
        if (n == 1 && c == '\0' && !waited)
            return CTRL_D;
        if (n == 1 && c != '\0')
            return c;
        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
    }
    return -1;
}

/* libedit's reader: a character, 0 at the end. */
static int
read_char(void *el, wchar_t *to)
{
    char bytes[4];
    uint32_t code = 0xfffd;
    size_t n = 0, want;
    int c = read_byte();

    (void)el;
    if (c < 0)
        return 0;
    want = c < 0xc2 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    bytes[n++] = (char)c;
    while (n < want && (c = read_byte()) >= 0)
        bytes[n++] = (char)c;
    if (utf8_length(bytes, n) == n)
        utf8_decode(bytes, &code);
    *to = (wchar_t)code;
    return 1;
}

/* The functions that are needed; false where one isn't there. */
static bool
find_calls(struct ask *a)
{
    struct ask_calls *c = a->calls;
    const struct {
        const char *name;
        void *to;
    } want[] = {
        { "el_init", &c->el_init }, { "el_end", &c->el_end },
        { "el_set", &c->el_set }, { "el_gets", &c->el_gets },
        { "history_init", &c->history_init },
        { "history_end", &c->history_end }, { "history", &c->history }
    };

    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        void *symbol = dlsym(a->library, want[i].name);

        if (symbol == NULL)
            return false;
        memcpy(want[i].to, &symbol, sizeof(symbol));
    }
    return true;
}

void
ask_open(struct ask *a, const char *program,
         const struct ask_streams *streams)
{
    struct history_event event;

    memset(a, 0, sizeof(*a));
    a->streams = *streams;
    input = fileno(streams->in);
    a->calls = mem_alloc(sizeof(*a->calls));
    /* What it asks of the terminal, another library keeps for the process. */
    a->library = dlopen("libedit.so.2",
                        RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (a->library == NULL || !find_calls(a))
        return;
    setlocale(LC_CTYPE, "C.UTF-8"); /* what it knows characters by */
    a->editor = a->calls->el_init(program, streams->in, streams->out,
                                  streams->err);
    if (a->editor == NULL)
        return;
    a->history = a->calls->history_init();
    a->calls->el_set(a->editor, EL_PROMPT, show_prompt);
    a->calls->el_set(a->editor, EL_EDITOR, "emacs");
    a->calls->el_set(a->editor, EL_GETCFN, read_char);
    if (a->history == NULL)
        return;
    a->calls->history(a->history, &event, H_SETSIZE, HISTORY);
    a->calls->el_set(a->editor, EL_HIST, a->calls->history, a->history);
}

void
ask_close(struct ask *a)
{
    if (a->editor != NULL)
        a->calls->el_end(a->editor);
    if (a->history != NULL)
        a->calls->history_end(a->history);
    if (a->library != NULL)
        dlclose(a->library);
    free(a->calls);
    memset(a, 0, sizeof(*a));
}

/* Appends a line with its newline; false at the end. */
static bool
read_line(struct ask *a, struct buf *line)
{
    const char *text;
    int n = 0, c;

    if (a->editor != NULL) {
        text = a->calls->el_gets(a->editor, &n);
        if (text != NULL && n > 0)
            buf_add(line, text, (size_t)n);
        return text != NULL && n > 0 && stop_asked() == 0;
    }
    fputs(prompts[goes_on], a->streams.out);
    fflush(a->streams.out);
    while ((c = read_byte()) >= 0) {
        buf_addc(line, c);
        if (c == '\n')
            return true;
    }
    return false;
}

static void
remember(struct ask *a, const char *line)
{
    struct history_event event;

    if (a->history != NULL && *line != '\0')
        a->calls->history(a->history, &event, H_ENTER, line);
}

bool
ask_line(struct ask *a, struct buf *line)
{
    size_t at = 0;
    bool got;

    buf_reset(line);
    goes_on = false;
    waited = false;
    do {
        got = read_line(a, line);
        if (line->len > at && line->data[line->len - 1] == '\n')
            line->data[--line->len] = '\0';
        remember(a, line->data + at);
        goes_on = got && line->len > at && line->data[line->len - 1] == '\\';
        if (goes_on)
            line->data[line->len - 1] = '\n';
        at = line->len;
    } while (goes_on);
    return got;
}

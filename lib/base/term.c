/* term.c - who holds which row, and what is written to move, erase and draw.
 *
 * Of ECMA-48 and its ancestors this uses: CR, cursor up (CSI n A), erase to
 * the end of the line (CSI K) and of the screen (CSI J), and the saved
 * cursor (ESC 7, ESC 8). Everything here is made of system calls and fixed
 * memory, as a signal handler calls it. That something can't be written has
 * no one to be told.
 */
#include "base/term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/signals.h"

#define ROWS 16
#define ROW_BYTES 512
#define CURSOR_MS 200 /* how long a stopped program may keep the cursor, */
#define WRITE_MS 200  /* and somebody's write the terminal */

/* Where the locks are, from place(): the device's number parts terminals,
 * as /dev/tty is one file for all of them. */
enum { AT_CURSOR, AT_ROW, AT_DATA = AT_ROW + ROWS, AT_BITS = 8 };

static struct {
    bool usable;
    pid_t owner;     /* the process whose row and data these are */
    _Atomic int row; /* the byte it holds, or -1 */
    bool data;       /* it prints data */
    size_t n;
    char text[ROW_BYTES];
} me = {.row = -1};

void
term_setup(const char *type)
{
    me.usable = type && type[0] && strcmp(type, "dumb") != 0;
}

/* ---- what is written, in one piece ---- */

struct seq {
    size_t n;
    char p[ROW_BYTES + 128];
};

static void
add(struct seq *s, const char *p, size_t n)
{
    if (n > sizeof(s->p) - s->n)
        n = sizeof(s->p) - s->n;
    memcpy(s->p + s->n, p, n);
    s->n += n;
}

static void
add_str(struct seq *s, const char *text)
{
    add(s, text, strlen(text));
}

static void
add_up(struct seq *s, int n)
{
    char digit[2] = {(char)('0' + n / 10), (char)('0' + n % 10)};

    if (n <= 0)
        return;
    add_str(s, "\033[");
    add(s, n < 10 ? digit + 1 : digit, n < 10 ? 1 : 2);
    add_str(s, "A");
}

static void
put(int fd, const struct seq *s)
{
    size_t at = 0;
    ssize_t k;

    while (at < s->n) {
        k = write(fd, s->p + at, s->n - at);
        if (k > 0)
            at += (size_t)k;
        else if (k == 0 || errno != EINTR)
            return;
    }
}

/* ---- who is there ---- */

/* The first byte of fd's terminal; -1 when it is none. */
static off_t
place(int fd)
{
    unsigned int device;

    if (!me.usable || ioctl(fd, TIOCGDEV, &device) < 0)
        return -1;
    return (off_t)device << AT_BITS;
}

bool
term_is(int fd)
{
    return place(fd) >= 0;
}

static bool
lock(int fd, off_t at, short type)
{
    struct flock l = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1
    };

    return fcntl(fd, F_SETLK, &l) == 0;
}

/* Whether another process holds one of n bytes. */
static bool
held(int fd, off_t at, off_t n)
{
    struct flock l = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = n
    };

    return fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* The rows of the others, a bit each. */
static uint32_t
others(int fd, off_t base)
{
    uint32_t rows = 0;
    int i;

    if (!held(fd, base + AT_ROW, ROWS))
        return 0;
    for (i = 0; i < ROWS; i++)
        if (held(fd, base + AT_ROW + i, 1))
            rows |= UINT32_C(1) << i;
    return rows;
}

static int
count(uint32_t rows)
{
    return __builtin_popcount(rows);
}

/* This process has a row on that terminal; a forked child has not. */
static bool
has_row(off_t base)
{
    return me.row >= 0 && place(STDERR_FILENO) == base
           && me.owner == getpid();
}

/* All rows that are on the terminal. */
static int
n_rows(int fd, off_t base)
{
    if (held(fd, base + AT_DATA, 1))
        return 0;
    return count(others(fd, base)) + has_row(base);
}

/* Waits up to ms milliseconds for the cursor. Who can't get it writes
 * without: its holder may have been stopped. */
static bool
take_cursor(int fd, off_t base, int ms)
{
    const struct timespec nap = {0, 1000000};

    while (!lock(fd, base + AT_CURSOR, F_WRLCK)) {
        if (ms-- == 0 || (errno != EAGAIN && errno != EACCES))
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

static void
give_cursor(int fd, off_t base)
{
    lock(fd, base + AT_CURSOR, F_UNLCK);
}

static struct winsize
size_of(int fd)
{
    struct winsize w;

    if (ioctl(fd, TIOCGWINSZ, &w) < 0)
        memset(&w, 0, sizeof(w));
    if (w.ws_row == 0)
        w.ws_row = 24;
    if (w.ws_col == 0)
        w.ws_col = 80;
    return w;
}

size_t
term_columns(void)
{
    return (size_t)size_of(STDERR_FILENO).ws_col - 1;
}

/* ---- rows ---- */

/* Whether fd takes bytes, which it doesn't after a ^S and for as long as
 * somebody else's are being written: that is waited for by who has a row. */
static bool
has_room(int fd, int ms)
{
    struct pollfd room = {fd, POLLOUT, 0};
    int n;

    do
        n = poll(&room, 1, ms);
    while (n < 0 && errno == EINTR);
    return n == 1 && (room.revents & POLLOUT);
}

static bool
may_draw(int fd, off_t base)
{
    struct termios t;
    pid_t group = tcgetpgrp(fd);

    return (group < 0 || group == getpgrp()) && tcgetattr(fd, &t) == 0
           && (t.c_lflag & ICANON) && !me.data
           && !held(fd, base + AT_DATA, 1)
           && has_room(fd, has_row(base) ? WRITE_MS : 0);
}

static void
drop_row(off_t base)
{
    if (has_row(base))
        lock(STDERR_FILENO, base + AT_ROW + me.row, F_UNLCK);
    me.row = -1;
}

static void
on_stop(int sig, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)info;
    (void)context;
    term_leave();
    if (me.data)
        lock(STDOUT_FILENO, place(STDOUT_FILENO) + AT_DATA, F_UNLCK);
    me.data = false;
    signal_end(sig); /* and goes on here with SIGCONT */
    signal_catch(sig, on_stop);
    errno = saved;
}

/* From now on this process has something there. */
static void
own(void)
{
    if (me.owner != getpid())
        signal_catch(SIGTSTP, on_stop);
    me.owner = getpid();
}

/* Takes the row below the others'. */
static bool
join(int fd, off_t base, uint32_t rows)
{
    int row = ROWS;

    while (row > 0 && !(rows >> (row - 1)))
        row--;
    if (row == ROWS || count(rows) + 2 > size_of(fd).ws_row
        || !lock(fd, base + AT_ROW + row, F_WRLCK))
        return false;
    own();
    me.row = row;
    return true;
}

/* Draws this program's row; the cursor is in the last one. A stop may have
 * taken the row away since the caller saw it. */
static void
draw(int fd, uint32_t rows, struct seq *s)
{
    int row = me.row, below = row < 0 ? 0 : count(rows >> row);

    if (below > 0)
        add_str(s, "\0337");
    add_up(s, below);
    add_str(s, "\r");
    add(s, me.text, me.n);
    add_str(s, "\033[K");
    if (below > 0)
        add_str(s, "\0338");
    put(fd, s);
}

/* What the row says from now on, whether or not it can be drawn now: a
 * program that ends while another has the cursor leaves its last state. */
static void
keep(const char *text, size_t n)
{
    const size_t most = term_columns();

    n = n < most ? n : most;
    n = n < sizeof(me.text) ? n : sizeof(me.text);
    me.n = 0;
    memcpy(me.text, text, n);
    me.n = n;
}

void
term_row(const char *text, size_t n)
{
    const int fd = STDERR_FILENO;
    const off_t base = place(fd);
    struct seq s = {0};
    uint32_t rows;

    if (base < 0)
        return;
    if (!may_draw(fd, base)) {
        drop_row(base);
        return;
    }
    keep(text, n);
    if (!take_cursor(fd, base, 0))
        return;
    rows = others(fd, base);
    if (!has_row(base)) {
        if (!join(fd, base, rows))
            goto out;
        if (rows)
            add_str(&s, "\n");
    }
    draw(fd, rows, &s);
out:
    give_cursor(fd, base);
}

/* Erases n rows; the cursor is where the first was. */
static void
erase(int fd, int n)
{
    struct seq s = {0};

    if (n == 0)
        return;
    add_str(&s, "\r");
    add_up(&s, n - 1);
    add_str(&s, "\033[J");
    put(fd, &s);
}

/* Makes room for n rows. */
static void
make_room(int fd, int n)
{
    struct seq s = {0};

    while (n-- > 1)
        add_str(&s, "\n");
    put(fd, &s);
}

void
term_hide(int fd)
{
    off_t base = place(fd);

    if (base < 0)
        return;
    take_cursor(fd, base, CURSOR_MS);
    erase(fd, n_rows(fd, base));
}

void
term_show(int fd)
{
    off_t base = place(fd);
    struct seq s = {0};
    int n;

    if (base < 0)
        return;
    n = n_rows(fd, base);
    make_room(fd, n);
    if (n > 0 && has_row(base))
        draw(fd, others(fd, base), &s);
    give_cursor(fd, base);
}

void
term_leave(void)
{
    const int fd = STDERR_FILENO;
    const off_t base = place(fd);
    struct seq s = {0};

    if (base < 0 || me.owner != getpid())
        return;
    if (!has_row(base))
        return;
    if (may_draw(fd, base)) {
        term_hide(fd);
        add(&s, me.text, me.n);
        add_str(&s, "\n");
        put(fd, &s);
        drop_row(base);
        term_show(fd);
    }
    drop_row(base);
}

void
term_data(int fd)
{
    off_t base = place(fd);

    if (base < 0 || (me.data && !has_row(base)))
        return;
    own();
    take_cursor(fd, base, CURSOR_MS);
    erase(fd, n_rows(fd, base));
    drop_row(base);
    me.data = lock(fd, base + AT_DATA, F_RDLCK)
              || lock(fd, base + AT_DATA, F_WRLCK);
    give_cursor(fd, base);
}

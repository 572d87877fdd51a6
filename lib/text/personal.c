/* personal.c - sums, ranges and words that tell a person's number or address
 * from what only looks like one.
 */
#include "text/personal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/anycase.h"

double
entropy_bits(const char *p, size_t n)
{
    size_t count[256] = { 0 };
    double bits = 0;

    for (size_t i = 0; i < n; i++)
        count[(uint8_t)p[i]]++;
    for (int c = 0; c < 256; c++)
        if (count[c] > 0)
            bits -= (double)count[c] / (double)n
                    * log2((double)count[c] / (double)n);
    return bits;
}

/* ---- words around ---- */

/* Whether the line has the word, in any case, not inside of another one. */
static bool
says(const struct personal *c, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= c->n; i++)
        if (anycase_begins(c->line + i, c->n - i, word)
            && (i == 0 || !isalpha((unsigned char)c->line[i - 1]))
            && (i + len == c->n
                || !isalpha((unsigned char)c->line[i + len])))
            return true;
    return false;
}

static bool
says_any(const struct personal *c, const char *const *word)
{
    for (; *word != NULL; word++)
        if (says(c, *word))
            return true;
    return false;
}

/* The digits of the candidate into out[max]; how many there are. */
static size_t
digits_of(const struct personal *c, char *out, size_t max)
{
    size_t n = 0;

    for (size_t i = c->at; i < c->end; i++) {
        if (!isdigit((unsigned char)c->line[i]))
            continue;
        if (n < max)
            out[n] = c->line[i];
        n++;
    }
    return n;
}

/* ---- cards ---- */

static bool
luhn(const char *digit, size_t n)
{
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(digit[n - 1 - i] - '0') << (i % 2);

        sum += d > 9 ? d - 9 : d;
    }
    return sum % 10 == 0;
}

static unsigned
number(const char *digit, size_t n)
{
    unsigned v = 0;

    while (n-- > 0)
        v = 10 * v + (unsigned)(*digit++ - '0');
    return v;
}

/* Visa, Mastercard, American Express, Discover, Diners, JCB, UnionPay. */
static bool
has_issuer(const char *d, size_t n)
{
    unsigned four = number(d, 4), two = four / 100;

    switch (n) {
    case 15:
        return two == 34 || two == 37;
    case 14:
        return two == 36 || two == 38 || (four >= 3000 && four <= 3059);
    case 13:
    case 18:
    case 19:
        return d[0] == '4' || two == 62;
    case 16:
        return d[0] == '4' || (two >= 51 && two <= 55) || two == 65
               || (four >= 2221 && four <= 2720) || four == 6011
               || (four >= 3528 && four <= 3589) || two == 62;
    default:
        return false;
    }
}

bool
personal_card(const struct personal *c)
{
    static const char *const of_tests[] = {
        "4242424242424242", "4111111111111111", "4012888888881881",
        "4000056655665556", "5555555555554444", "5105105105105100",
        "5200828282828210", "2223003122003222", "378282246310005",
        "371449635398431", "6011111111111117", "6011000990139424",
        "3056930009020004", "30569309025904", "38520000023237",
        "3566002020360505", "6200000000000005", NULL
    };
    static const char *const words[] = {
        "card", "cards", "cc", "ccnum", "credit", "creditcard", "pan", "visa",
        "mastercard", "amex", "payment", "debit", NULL
    };
    char d[20] = "";
    size_t n = digits_of(c, d, sizeof(d) - 1);

    if (n > 19 || !has_issuer(d, n) || !luhn(d, n))
        return false;
    for (size_t i = 0; of_tests[i]; i++)
        if (strcmp(d, of_tests[i]) == 0)
            return false;
    return n < c->end - c->at || says_any(c, words);
}

/* ---- accounts ---- */

/* Lengths as ISO 13616's registry has them. */
static const char ibans[] =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18"
    "DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23"
    "IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19"
    "MR27MT31MU30NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SE24SI19SK24"
    "SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20";

static size_t
iban_length(const char *country)
{
    for (const char *p = ibans; *p; p += 4)
        if (memcmp(p, country, 2) == 0)
            return number(p + 2, 2);
    return 0;
}

bool
personal_iban(const struct personal *c)
{
    char text[40];
    size_t n = 0;
    unsigned rest = 0;

    for (size_t i = c->at; i < c->end; i++) {
        if (c->line[i] == ' ')
            continue;
        if (n == sizeof(text) || !isalnum((unsigned char)c->line[i]))
            return false;
        text[n++] = c->line[i];
    }
    if (n < 15 || n != iban_length(text))
        return false;
    for (size_t i = 0; i < n; i++) {
        char x = text[(i + 4) % n];

        rest = isdigit((unsigned char)x) ?
                   rest * 10 + (unsigned)(x - '0') :
                   rest * 100 + (unsigned)(toupper((unsigned char)x) - 'A')
                       + 10;
        rest %= 97;
    }
    return rest == 1;
}

/* ---- addresses ---- */

struct range {
    uint32_t from;
    int bits;
};

#define IP(a, b, c, d) \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

/* RFC 6890 and 5737; then public resolvers. */
static const struct range kept[] = {
    { IP(0, 0, 0, 0), 8 }, { IP(10, 0, 0, 0), 8 }, { IP(100, 64, 0, 0), 10 },
    { IP(127, 0, 0, 0), 8 }, { IP(169, 254, 0, 0), 16 },
    { IP(172, 16, 0, 0), 12 }, { IP(192, 0, 0, 0), 24 },
    { IP(192, 0, 2, 0), 24 }, { IP(192, 88, 99, 0), 24 },
    { IP(192, 168, 0, 0), 16 }, { IP(198, 18, 0, 0), 15 },
    { IP(198, 51, 100, 0), 24 }, { IP(203, 0, 113, 0), 24 },
    { IP(224, 0, 0, 0), 3 }, { IP(8, 8, 8, 8), 32 }, { IP(8, 8, 4, 4), 32 },
    { IP(1, 1, 1, 1), 32 }, { IP(1, 0, 0, 1), 32 }, { IP(9, 9, 9, 9), 32 },
    { IP(149, 112, 112, 112), 32 }, { IP(208, 67, 222, 222), 32 },
    { IP(208, 67, 220, 220), 32 }, { IP(4, 2, 2, 0), 29 },
    { IP(64, 6, 64, 6), 32 }, { IP(64, 6, 65, 6), 32 },
    { IP(94, 140, 14, 14), 32 }, { IP(94, 140, 15, 15), 32 },
    { IP(114, 114, 114, 114), 32 }, { IP(223, 5, 5, 5), 32 },
    { IP(223, 6, 6, 6), 32 }, { IP(77, 88, 8, 8), 32 },
};

static const char *const of_hosts[] = {
    "ip", "ips", "ipv", "addr", "address", "addresses", "host", "hosts",
    "hostname", "server", "servers", "inet", "ping", "ssh", "gateway",
    "bind", "nameserver", "remote", "peer", "proxy", "dns", NULL
};

static const char *const of_versions[] = {
    "version", "versions", "ver", "release", "released", "upgrade", "bump",
    "tag", "oid", "v", NULL
};

/* A port behind it, or // or @ before it. */
static bool
is_endpoint(const struct personal *c)
{
    return (c->end + 1 < c->n && c->line[c->end] == ':'
            && isdigit((unsigned char)c->line[c->end + 1]))
           || (c->at > 0 && c->line[c->at - 1] == '@')
           || (c->at > 1 && memcmp(c->line + c->at - 2, "//", 2) == 0);
}

bool
personal_ipv4(const struct personal *c)
{
    unsigned v[4] = { 0 }, most = 0;
    uint32_t ip = 0;
    size_t k = 0;

    for (size_t i = c->at; i < c->end; i++) {
        if (c->line[i] == '.') {
            if (++k == 4)
                return false;
        } else {
            v[k] = 10 * v[k] + (unsigned)(c->line[i] - '0');
            if (v[k] > 255)
                return false;
        }
    }
    if (k != 3)
        return false;
    for (int i = 0; i < 4; i++) {
        ip = ip << 8 | v[i];
        most = v[i] > most ? v[i] : most;
    }
    if (most < 10)
        return false;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (((ip ^ kept[i].from) >> (32 - kept[i].bits)) == 0)
            return false;
    if (is_endpoint(c))
        return true;
    /* Mozilla/9.7.77.120, libx-1.100.2.3 */
    if (c->at > 1 && strchr("/-_", c->line[c->at - 1])
        && isalpha((unsigned char)c->line[c->at - 2]))
        return false;
    if (says_any(c, of_hosts))
        return true;
    return most >= 32 && !says_any(c, of_versions);
}

bool
personal_ipv6(const struct personal *c)
{
    static const char *const resolvers[] = {
        "2001:4860:4860::8888", "2001:4860:4860::8844",
        "2606:4700:4700::1111", "2606:4700:4700::1001", "2620:fe::fe",
        "2620:fe::9", "2620:119:35::35", "2620:119:53::53", NULL
    };
    unsigned char ip[16], known[16];
    char text[48];
    size_t n = c->end - c->at;

    if (n >= sizeof(text))
        return false;
    memcpy(text, c->line + c->at, n);
    text[n] = '\0';
    if (inet_pton(AF_INET6, text, ip) != 1 || (ip[0] & 0xe0) != 0x20)
        return false;
    if (ip[0] == 0x20 && ip[1] == 0x01
        && ((ip[2] == 0x0d && ip[3] == 0xb8) || (ip[2] | ip[3]) == 0))
        return false; /* 2001:db8::/32, 2001::/32 */
    if (ip[0] == 0x3f && ip[1] == 0xff)
        return false; /* 3fff::/20, RFC 9637 */
    for (size_t i = 0; resolvers[i]; i++)
        if (inet_pton(AF_INET6, resolvers[i], known) == 1
            && memcmp(ip, known, sizeof(ip)) == 0)
            return false;
    return true;
}

/* ---- mail ---- */

static bool
is_one_of(const char *p, size_t n, const char *const *word)
{
    for (; *word != NULL; word++)
        if (anycase_is(p, n, *word))
            return true;
    return false;
}

static bool
ends_in_one_of(const char *p, size_t n, const char *const *word)
{
    for (; *word != NULL; word++)
        if (anycase_ends(p, n, *word))
            return true;
    return false;
}

/* RFC 2606 and 6761: the domain, or one below it; and what people write for a
 * domain that is none. */
static bool
is_reserved(const char *p, size_t n)
{
    static const char *const domain[] = {
        "example.com", "example.org", "example.net", "example.edu",
        "foo.com", "bar.com", "baz.com", "foo.bar", "bar.baz", NULL
    };
    static const char *const below[] = {
        ".example.com", ".example.org", ".example.net", ".example.edu",
        ".example", ".test", ".invalid", ".localhost", ".local",
        ".tld", ".xx", NULL
    };

    return is_one_of(p, n, domain) || ends_in_one_of(p, n, below);
}

/* Whether it is behind a URL's scheme: a user, or a password, of a host. */
static bool
is_in_url(const struct personal *c)
{
    size_t i = c->at;

    while (i > 0 && memchr(" \t\"'<>(),/", c->line[i - 1], 10) == NULL)
        i--;
    return i >= 3 && memcmp(c->line + i - 3, "://", 3) == 0;
}

bool
personal_mail(const struct personal *c)
{
    static const char *const names[] = {
        "git", "hg", "svn", "this", "super", "return", "break", "continue",
        "noreply", "no-reply", "donotreply", "do-not-reply", NULL
    };
    static const char *const files[] = {
        ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico", ".js",
        ".ts", ".css", ".json", ".html", ".xml", ".py", ".rb", ".sh",
        ".service", ".socket", ".target", ".timer", ".mount", ".slice",
        ".path", ".plt", ".so", ".dll", ".txt", ".patch", NULL
    };
    const char *p = c->line + c->at;
    size_t n = c->end - c->at;
    const char *at = memchr(p, '@', n);
    size_t len, n_domain;

    if (at == NULL)
        return false;
    len = (size_t)(at - p);
    n_domain = n - len - 1;
    at++;
    if (is_in_url(c) || is_one_of(p, len, names) || is_reserved(at, n_domain)
        || ends_in_one_of(at, n_domain, files))
        return false;
    return !anycase_begins(at, n_domain, "noreply.")
           && !anycase_begins(at, n_domain, "users.noreply.");
}

/* ---- telephones ---- */

bool
personal_phone(const struct personal *c)
{
    static const char *const words[] = {
        "phone", "phones", "telephone", "tel", "mobile", "cell", "call",
        "fax", "sms", "whatsapp", "msisdn", NULL
    };
    char d[16] = "";
    size_t n = digits_of(c, d, sizeof(d) - 1), same = 0;

    if (n < 10 || n > 15)
        return false;
    while (same < n && d[same] == d[0])
        same++;
    if (same >= n - 1 || memcmp(d + n - 7, "55501", 5) == 0)
        return false;
    return n + 1 < c->end - c->at || says_any(c, words);
}

/* ---- names ---- */

static const struct {
    const char *name;
    personal_check *check;
} checks[] = {
    { "card", personal_card }, { "iban", personal_iban },
    { "ipv4", personal_ipv4 }, { "ipv6", personal_ipv6 },
    { "mail", personal_mail }, { "phone", personal_phone },
};

#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

personal_check *
personal_find(const char *name)
{
    for (size_t i = 0; i < N_CHECKS; i++)
        if (strcmp(checks[i].name, name) == 0)
            return checks[i].check;
    return NULL;
}

const char *
personal_name(size_t i)
{
    return i < N_CHECKS ? checks[i].name : NULL;
}

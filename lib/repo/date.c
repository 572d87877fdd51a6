/* date.c - ISO 8601 dates in the proleptic Gregorian calendar. */
#include "repo/date.h"

#include <string.h>

#define MIN_SECONDS 9 /* digits of a number of seconds without its @ */

/* Exactly n digits at *p. */
static bool
digits(const char **p, int n, int64_t *out)
{
    int64_t v = 0;
    int i;

    for (i = 0; i < n; i++) {
        if ((*p)[i] < '0' || (*p)[i] > '9')
            return false;
        v = v * 10 + ((*p)[i] - '0');
    }
    *p += n;
    *out = v;
    return true;
}

static bool
seconds(const char *p, int64_t *out)
{
    bool minus = *p == '-';
    int64_t v = 0;

    p += minus;
    if (*p == '\0')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(v, 10, &v)
            || __builtin_add_overflow(v, *p - '0', &v))
            return false;
    }
    *out = minus ? -v : v;
    return *p == '\0';
}

/* Days from 1970-01-01: years are counted from March, so that a leap day is
 * the last of its year. */
static int64_t
days_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day -
                      1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
           of_year - 719468;
}

static bool
valid_day(int64_t year, int64_t month, int64_t day)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
                                 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return year >= 1 && month >= 1 && month <= 12 && day >= 1
           && day <= length[month - 1] + (month == 2 && leap);
}

/* "Z", "+HH:MM", "-HHMM" or nothing, to the end. */
static bool
zone(const char *p, int64_t *out)
{
    int64_t hours, minutes, sign;

    *out = 0;
    if (*p == 'Z')
        p++;
    if (*p == '\0')
        return true;
    if (*p != '+' && *p != '-')
        return false;
    sign = *p++ == '-' ? -1 : 1;
    if (!digits(&p, 2, &hours))
        return false;
    if (*p == ':')
        p++;
    if (!digits(&p, 2, &minutes) || hours > 24 || minutes > 59)
        return false;
    *out = sign * (hours * 3600 + minutes * 60);
    return *p == '\0';
}

/* *length: the seconds that are meant, 60 where none are written. */
static bool
time_of_day(const char **p, int64_t *out, int64_t *length)
{
    int64_t hour, minute, second = 0;

    *length = 60;
    if (!digits(p, 2, &hour) || **p != ':')
        return false;
    ++*p;
    if (!digits(p, 2, &minute))
        return false;
    if (**p == ':') {
        ++*p;
        if (!digits(p, 2, &second))
            return false;
        *length = 1;
    }
    *out = hour * 3600 + minute * 60 + second;
    return hour <= 24 && minute <= 59 && second <= 60;
}

/* Month 13 is January of the next year. */
static int64_t
month_start(int64_t year, int64_t month)
{
    return 86400 * days_from_civil(year + month / 13, (month - 1) % 12 + 1,
                                   1);
}

bool
date_parse(const char *text, struct date *out)
{
    const char *p = text;
    int64_t year, month, day, clock = 0, length = 86400, offset;

    if (*p == '@' || strspn(p, "0123456789") >= MIN_SECONDS) {
        if (!seconds(p + (*p == '@'), &out->first))
            return false;
        out->last = out->first;
        return true;
    }
    if (!digits(&p, 4, &year) || year < 1)
        return false;
    if (*p == '\0') {
        out->first = month_start(year, 1);
        out->last = month_start(year, 13) - 1;
        return true;
    }
    if (*p++ != '-' || !digits(&p, 2, &month) || month < 1 || month > 12)
        return false;
    if (*p == '\0') {
        out->first = month_start(year, month);
        out->last = month_start(year, month + 1) - 1;
        return true;
    }
    if (*p++ != '-' || !digits(&p, 2, &day) || !valid_day(year, month, day))
        return false;
    if (*p == 'T' || *p == ' ') {
        p++;
        if (!time_of_day(&p, &clock, &length))
            return false;
    }
    if (!zone(p, &offset))
        return false;
    out->first = days_from_civil(year, month, day) * 86400 + clock - offset;
    out->last = out->first + length - 1;
    return true;
}

/* date.h - points in time as people write them. */
#ifndef REPO_DATE_H
#define REPO_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* What is meant by some words: its first and its last second, since 1970. */
struct date {
    int64_t first, last;
};

/* "2024", "2024-02", "2024-02-29", "2024-02-29T13:00[:59]" or with a blank
 * for the T, a day and a time with nothing or Z (UTC), or +HH:MM or -HHMM
 * after them; or @ and a decimal number of seconds, the @ left out from nine
 * digits on (20240229 would be a day of 1970). Never the local time zone:
 * the same words mean the same everywhere. False if it is none of these. */
bool date_parse(const char *text, struct date *out);

#endif

/* date.h - points in time as people write them. */
#ifndef REPO_DATE_H
#define REPO_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970 from "2024-02-29", "2024-02-29T13:00[:59]" or with a
 * blank for the T, then nothing or Z (UTC), or +HH:MM or -HHMM; or a decimal
 * number of seconds, also with @ before it. Never the local time zone:
 * the same words mean the same everywhere. False if it is none of these. */
bool date_parse(const char *text, int64_t *out);

#endif

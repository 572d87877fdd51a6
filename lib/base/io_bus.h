/* io_bus.h - between file_map_open and the handler of SIGBUS; private to
 * lib/base. */
#ifndef BASE_IO_BUS_H
#define BASE_IO_BUS_H

#include <stddef.h>

/* The mapping p[n] is of that file; and not any more. */
void bus_note(const void *p, size_t n, const char *path);
void bus_forget(const void *p);

/* Installs the handler. */
void bus_start(void);

#endif

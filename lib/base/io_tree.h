/* io_tree.h - removing a tree with calls that are safe in a signal handler;
 * private to lib/base. */
#ifndef BASE_IO_TREE_H
#define BASE_IO_TREE_H

/* Removes the file or tree `name` in the directory at; symbolic links are
 * not followed. 0, also when it is not there; -1 with errno. Uses system
 * calls and the stack only. Limit: 64 levels (ELOOP). */
int tree_remove(int at, const char *name);

#endif

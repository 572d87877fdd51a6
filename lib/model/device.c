/* device.c - the one place that turns --device and --compute into a back end.
 *
 * The processor's is linked; a card's is a plugin beside the program, opened
 * when somebody asks for it, or for the best that there is.
 */
#include "model/device.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "kernels/plugin.h"

#ifndef GRAFT_VERSION
#error "GRAFT_VERSION comes from the Makefile"
#endif

#define MOST_CARDS 1024

/* The plugin's path; NULL when it is not there. The caller frees it. */
static char *
find_plugin(void)
{
    char *dir, *path;
    struct err e;

    if (path_program(&dir, &e) < 0)
        return NULL;
    path = path_join(dir, CUDA_PLUGIN);
    free(dir);
    if (access(path, R_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static int
check_plugin(const struct plugin *p, const char *path, struct err *e)
{
    if (p == NULL)
        return err_set(e, ERR_IO, "%s: no plugin of graft's", path);
    if (p->abi != PLUGIN_ABI || p->op_bytes != sizeof(struct op)
        || p->backend_bytes != sizeof(struct backend)
        || strcmp(p->version, GRAFT_VERSION) != 0)
        return err_set(e, ERR_IO, "%s: made for another graft (found version "
                       "%s, interface %u, expected %s, %u): run make cuda",
                       path, p->abi == PLUGIN_ABI ? p->version : "?", p->abi,
                       GRAFT_VERSION, PLUGIN_ABI);
    return 0;
}

static int
open_card(struct backend *b, const char *path, int index,
          const char *compute, struct err *e)
{
    const struct plugin *p;
    void *object;
    int rc;

    if (path == NULL)
        return err_set(e, ERR_IO, "no " CUDA_PLUGIN " is beside the program "
                       "(make cuda builds it; or use --device cpu)");
    object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return err_set(e, ERR_IO, "%s", dlerror());
    p = dlsym(object, PLUGIN_SYMBOL);
    rc = check_plugin(p, path, e);
    return rc < 0 ? rc : p->open(b, index, compute, e);
}

/* The best there is. */
static int
open_any(struct backend *b, const char *compute, struct err *e)
{
    char *path = find_plugin();
    int rc = path ? open_card(b, path, -1, compute, e) : ERR_IO;

    if (rc == ERR_IO && path != NULL)
        log_info("computing on the processor: %s", e->text);
    if (rc == ERR_IO)
        rc = cpu_open(b, NULL, compute, e);
    free(path);
    return rc;
}

/* The one that is asked for; a plan alone needs none. */
static int
open_named(struct backend *b, int index, const struct device_opts *o,
           struct err *e)
{
    char *path = find_plugin();
    int rc = open_card(b, path, index, o->compute, e);

    if (rc == ERR_IO && o->plan && cuda_plan(b, o->compute)) {
        log_info("planning for a card that is not here: %s", e->text);
        rc = 0;
    }
    free(path);
    return rc;
}

/* The card of "cuda" (-1: the first that will do) or "cuda:N"; false for
 * another name. */
static bool
parse_card(const char *name, int *index)
{
    char *end;
    long n;

    *index = -1;
    if (strcmp(name, "cuda") == 0)
        return true;
    if (strncmp(name, "cuda:", 5) != 0 || name[5] < '0' || name[5] > '9')
        return false;
    n = strtol(name + 5, &end, 10);
    *index = (int)n;
    return *end == '\0' && n < MOST_CARDS;
}

int
device_open(struct backend *b, const struct device_opts *o, struct err *e)
{
    int index;

    if (strcmp(o->name, "auto") == 0)
        return open_any(b, o->compute, e);
    if (strcmp(o->name, "cpu") == 0)
        return cpu_open(b, NULL, o->compute, e);
    if (!parse_card(o->name, &index))
        return err_set(e, ERR_USAGE, "bad --device (found '%s', expected "
                       "auto, cpu, cuda or cuda:N)", o->name);
    return open_named(b, index, o, e);
}

void
device_close(struct backend *b)
{
    if (b->close != NULL)
        b->close(b);
    b->close = NULL;
}

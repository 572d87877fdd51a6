/* cuda_device.h - the CUDA back end as tests open it: the plugin that
 * GRAFT_CUDA names, or else the one over the stand-in. */
#ifndef CUDA_DEVICE_H
#define CUDA_DEVICE_H

#include <dlfcn.h>
#include <stdlib.h>

#include "kernels/plugin.h"
#include "test.h"

static const struct plugin *
device_plugin(void)
{
    static const struct plugin *plugin;
    const char *path = getenv("GRAFT_CUDA");
    char own[4096];
    void *object;

    if (plugin != NULL)
        return plugin;
    snprintf(own, sizeof(own), "%s/standin/graft-cuda.so",
             getenv("GRAFT_BUILD"));
    object = dlopen(path ? path : own, RTLD_NOW | RTLD_LOCAL);
    if (!CHECK(object != NULL))
        printf("    %s\n", dlerror());
    else
        plugin = dlsym(object, PLUGIN_SYMBOL);
    return plugin;
}

/* A function of the stand-in's alone; NULL where there is a card. */
static inline void *
device_function(const char *name)
{
    Dl_info plugin;
    void *object;

    if (device_plugin() == NULL || !dladdr(device_plugin(), &plugin))
        return NULL;
    object = dlopen(plugin.dli_fname, RTLD_NOW | RTLD_LOCAL);
    return object ? dlsym(object, name) : NULL;
}

static bool
device_here(struct backend *b, const char *compute)
{
    const struct plugin *p = device_plugin();
    struct err e = { 0 };

    if (!CHECK(p != NULL))
        return false;
    if (!CHECK(p->open(b, -1, compute, &e) == 0)) {
        printf("    %s\n", e.text);
        return false;
    }
    return true;
}

static void
device_done(struct backend *b)
{
    b->close(b);
}

#endif

/* version.c - what --version prints.
 *
 * The versions of libraries come from the libraries themselves, as loaded.
 * Their functions are declared weak here, so that naming one links nothing:
 * a program prints those that it uses anyway.
 */
#include <stdio.h>

#include "tool/internal.h"

#ifndef GRAFT_VERSION
#error "GRAFT_VERSION comes from the Makefile"
#endif

#define WEAK __attribute__((weak))

const char *cJSON_Version(void) WEAK;
const char *sodium_version_string(void) WEAK;
const char *utf8proc_version(void) WEAK;
const char *ZSTD_versionString(void) WEAK;
int git_libgit2_version(int *major, int *minor, int *rev) WEAK;
int pcre2_config_8(uint32_t what, void *where) WEAK;

#define PCRE2_VERSION_TEXT 11 /* PCRE2_CONFIG_VERSION */

const char *
tool_version(void)
{
    return GRAFT_VERSION;
}

static void
print_library(const char *name, const char *(*version)(void))
{
    if (version != NULL)
        printf("%s %s\n", name, version());
}

void
version_print(const struct tool *t)
{
    char text[64]; /* PCRE2 asks for 24 bytes */
    int v[3];

    printf("%s (graft) %s\nstream format %d\n", t->name, tool_version(),
           GRAFT_FORMAT);
    print_library("cJSON", cJSON_Version);
    if (git_libgit2_version != NULL
        && git_libgit2_version(&v[0], &v[1], &v[2]) == 0)
        printf("libgit2 %d.%d.%d\n", v[0], v[1], v[2]);
    print_library("libsodium", sodium_version_string);
    if (pcre2_config_8 != NULL
        && pcre2_config_8(PCRE2_VERSION_TEXT, NULL) <= (int)sizeof(text)
        && pcre2_config_8(PCRE2_VERSION_TEXT, text) > 0)
        printf("pcre2 %s\n", text);
    print_library("utf8proc", utf8proc_version);
    print_library("zstd", ZSTD_versionString);
}

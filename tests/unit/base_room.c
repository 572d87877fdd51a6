/* base_room.c - what memory is left, in made-up trees of /proc and of control
 * groups. */
#include "base/room.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "test.h"

#define MIB ((uint64_t)1 << 20)

static char root[] = "/tmp/graft-base-room-XXXXXX";

static void
put(const char *path, const char *text)
{
    char *name = path_join(root, path + 1), *dir = path_parent(name);
    struct err e;

    CHECK(dir_make(dir, &e) == 0);
    CHECK(file_write(name, text, strlen(text), &e) == 0);
    free(dir);
    free(name);
}

/* An empty tree with a machine of 8000 MiB, of which 6000 are available. */
static void
start_tree(void)
{
    struct err e;

    CHECK(path_remove(root, &e) == 0);
    put("/proc/meminfo", "MemTotal:        8192000 kB\n"
        "MemFree:          100000 kB\nMemAvailable:    6144000 kB\n");
    put("/proc/self/status", "Name:\ttrain\nVmPeak:\t  409600 kB\n"
        "VmSize:\t  307200 kB\nRssAnon:\t   20480 kB\nVmData:\t  102400 kB\n");
    put("/proc/self/limits", "Limit                     Soft Limit           "
        "Hard Limit           Units     \n"
        "Max data size             unlimited            unlimited            "
        "bytes     \n"
        "Max address space         unlimited            unlimited            "
        "bytes     \n");
}

static void
put_group2(const char *dir, const char *max, const char *current,
           const char *stat)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/memory.max", dir);
    put(path, max);
    snprintf(path, sizeof(path), "%s/memory.current", dir);
    put(path, current);
    snprintf(path, sizeof(path), "%s/memory.stat", dir);
    put(path, stat);
}

static void
check_resident(uint64_t mib, const char *by)
{
    struct room r;

    room_measure(&r, root);
    CHECK_EQ_U64(r.resident.bytes, mib * MIB);
    CHECK_STR(r.resident.by, by);
}

TEST(without_limits_it_is_what_the_machine_has)
{
    struct room r;

    start_tree();
    check_resident(6000, "MemAvailable of /proc/meminfo");
    room_measure(&r, root);
    CHECK_EQ_U64(r.held, 20 * MIB);
    CHECK_EQ_U64(r.mapped.bytes, UINT64_MAX);
}

TEST(what_can_not_be_read_bounds_nothing)
{
    struct room r;

    start_tree();
    put("/proc/meminfo", "MemTotal: many\nMemAvailable: 99999999999999999999 "
        "kB\n");
    put("/proc/self/cgroup", "0::/gone\nnonsense\n");
    put("/proc/self/mountinfo", "31 23 0:28 / /cg rw - cgroup2 none rw\n\n-");
    room_measure(&r, root);
    CHECK_EQ_U64(r.resident.bytes, UINT64_MAX);
    room_measure(&r, "/nowhere");
    CHECK_EQ_U64(r.resident.bytes, UINT64_MAX);
    CHECK_EQ_U64(r.mapped.bytes, UINT64_MAX);
}

TEST(the_narrowest_group_of_version_2_binds)
{
    start_tree();
    put("/proc/self/cgroup", "0::/user/job\n");
    put("/proc/self/mountinfo",
        "24 1 0:22 / /proc rw - proc proc rw\n"
        "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "
        "rw\n");
    put_group2("/sys/fs/cgroup/user/job", "max\n", "104857600\n", "anon 0\n");
    check_resident(6000, "MemAvailable of /proc/meminfo");
    /* 400 MiB less 300 in use, of which 150 are files */
    put_group2("/sys/fs/cgroup/user/job", "419430400\n", "314572800\n",
               "anon 157286400\nfile 157286400\nactive_file 52428800\n"
               "inactive_file 104857600\n");
    check_resident(250, "/sys/fs/cgroup/user/job/memory.max");
    put_group2("/sys/fs/cgroup/user", "524288000\n", "419430400\n",
               "inactive_file 104857600\n");
    check_resident(200, "/sys/fs/cgroup/user/memory.max");
    /* over its limit already, as after memory.max was lowered */
    put_group2("/sys/fs/cgroup/user", "104857600\n", "419430400\n", "");
    check_resident(0, "/sys/fs/cgroup/user/memory.max");
}

TEST(version_1_counts_the_files_of_the_groups_below)
{
    start_tree();
    put("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/x\n"
        "0::/\n");
    /* a container that sees its own group at the mount point */
    put("/proc/self/mountinfo",
        "35 31 0:32 /docker/x /sys/fs/cgroup/cpu\\040mem rw - cgroup cgroup "
        "rw,cpu,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 x "
        "rw\n");
    put("/sys/fs/cgroup/cpu mem/memory.limit_in_bytes", "1073741824\n");
    put("/sys/fs/cgroup/cpu mem/memory.usage_in_bytes", "536870912\n");
    put("/sys/fs/cgroup/cpu mem/memory.stat", "inactive_file 1\n"
        "total_inactive_file 104857600\ntotal_active_file 1048576\n");
    check_resident(512 + 101, "/sys/fs/cgroup/cpu mem/memory.limit_in_bytes");
    put("/sys/fs/cgroup/cpu mem/memory.limit_in_bytes",
        "9223372036854771712\n"); /* none */
    check_resident(6000, "MemAvailable of /proc/meminfo");
}

TEST(a_group_of_another_name_space_is_seen_at_the_mount_point)
{
    start_tree();
    put("/proc/self/mountinfo", "31 23 0:28 /pod /cg rw - cgroup2 none rw\n");
    put_group2("/cg", "104857600\n", "0\n", "");
    put("/proc/self/cgroup", "0::/podium/x\n");
    check_resident(100, "/cg/memory.max");
    put("/proc/self/cgroup", "0::/../other\n");
    check_resident(100, "/cg/memory.max");
    put("/proc/self/cgroup", "0::/pod\n");
    check_resident(100, "/cg/memory.max");
    put_group2("/cg/job", "1048576\n", "0\n", "");
    put("/proc/self/cgroup", "0::/xyz/job\n");
    check_resident(100, "/cg/memory.max");
    put("/proc/self/cgroup", "0::/pod/job\n");
    check_resident(1, "/cg/job/memory.max");
}

static void
check_mapped(const char *data, const char *address, uint64_t mib,
             const char *by)
{
    char text[400];
    struct room r;

    snprintf(text, sizeof(text),
             "Max data size             %-20s unlimited            bytes\n"
             "Max address space         %-20s unlimited            bytes\n",
             data, address);
    put("/proc/self/limits", text);
    room_measure(&r, root);
    CHECK_EQ_U64(r.mapped.bytes, mib * MIB);
    CHECK_STR(r.mapped.by, by);
}

TEST(limits_of_the_process_bound_what_is_mapped)
{
    start_tree(); /* VmSize 300 MiB, VmData 100 MiB */
    check_mapped("unlimited", "1048576000", 700, "RLIMIT_AS, ulimit -v");
    check_mapped("419430400", "1048576000", 300, "RLIMIT_DATA, ulimit -d");
    check_mapped("unlimited", "104857600", 0, "RLIMIT_AS, ulimit -v");
    check_resident(6000, "MemAvailable of /proc/meminfo");
}

TEST(this_machine_has_an_answer)
{
    struct room r;

    room_measure(&r, "");
    CHECK(r.held > 0);
    CHECK(r.resident.bytes < UINT64_MAX && r.resident.by[0] != '\0');
}

static const struct test tests[] = {
    RUN(without_limits_it_is_what_the_machine_has),
    RUN(what_can_not_be_read_bounds_nothing),
    RUN(the_narrowest_group_of_version_2_binds),
    RUN(version_1_counts_the_files_of_the_groups_below),
    RUN(a_group_of_another_name_space_is_seen_at_the_mount_point),
    RUN(limits_of_the_process_bound_what_is_mapped),
    RUN(this_machine_has_an_answer),
};

int
main(void)
{
    struct err e;
    int status;

    if (mkdtemp(root) == NULL)
        return 1;
    status = test_run("base_room", tests, sizeof(tests) / sizeof(tests[0]));
    path_remove(root, &e);
    return status;
}

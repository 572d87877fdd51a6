/* sandbox_filter.c - the system calls that a sandbox's program has no use
 * for, refused by a filter (seccomp(2)): those that make namespaces, where it
 * would have all capabilities and could mount memory without bounds; those
 * whose memory no limit of a process counts; and what is there to look into
 * other processes or the kernel, or to reach a machine by a way that no
 * namespace closes. Programs of another instruction set, whose calls have
 * other numbers, are killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "eval/sandbox_parts.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif

#define X32 0x40000000u
#define NEW_ANY (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET \
                 | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static const unsigned refused[] = {
    SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root,
    SYS_chroot, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
    SYS_move_mount, SYS_open_tree, SYS_mount_setattr,
    SYS_memfd_create, SYS_shmget, SYS_msgget, SYS_semget, SYS_mq_open,
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,
    SYS_keyctl, SYS_add_key, SYS_request_key, SYS_bpf, SYS_perf_event_open,
    SYS_io_uring_setup, SYS_userfaultfd, SYS_name_to_handle_at,
    SYS_open_by_handle_at, SYS_pidfd_getfd,
};

/* Without namespaces, too: the network, other processes, files' modes and
 * owners, and leaving the group that is killed. */
static const unsigned refused_alone[] = {
    SYS_socket, SYS_setsid, SYS_setpgid, SYS_kill, SYS_tkill, SYS_tgkill,
    SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_open,
    SYS_pidfd_send_signal, SYS_setpriority, SYS_sched_setaffinity,
    SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr,
    SYS_ioprio_set, SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat,
    SYS_utimensat, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr,
    SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
    452, /* fchmodat2 */
#ifdef SYS_chmod
    SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat,
#endif
};

#define N_REFUSED (sizeof(refused) / sizeof(refused[0]))
#define N_ALONE (sizeof(refused_alone) / sizeof(refused_alone[0]))
#define FIELD(f) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
                          offsetof(struct seccomp_data, f))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
/* Goes on with the next where it is k, else skips that one. */
#define UNLESS(k) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, 1)

static size_t
add_refused(struct sock_filter *filter, const unsigned *call, size_t n_calls)
{
    size_t n = 0;

    for (size_t i = 0; i < n_calls; i++) {
        filter[n++] = (struct sock_filter)UNLESS(call[i]);
        filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM);
    }
    return n;
}

int
sandbox_filter(bool alone)
{
#ifdef ARCH
    static const struct sock_filter head[] = {
        FIELD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        FIELD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        /* Its flags are in memory, where a filter can't look: there are
         * kernels without it, and libraries know clone, too. */
        UNLESS(SYS_clone3), RETURN(SECCOMP_RET_ERRNO | ENOSYS),
    };
    static const struct sock_filter tail[] = {
        /* limits of another process */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 4),
        FIELD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        RETURN(SECCOMP_RET_ALLOW),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
        FIELD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_ANY, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        RETURN(SECCOMP_RET_ALLOW),
        /* whom a descriptor signals, and by what: kill by another name */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 6),
        FIELD(args[1]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_SETOWN, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_SETOWN_EX, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_SETSIG, 1, 0),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 5),
        FIELD(args[1]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FIOSETOWN, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIOCSPGRP, 1, 0),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        /* vsock(7), which reaches the host of a virtual machine, is in no
         * namespace */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
        FIELD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0),
        RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        RETURN(SECCOMP_RET_ALLOW),
    };
    enum { HEAD = sizeof(head) / sizeof(head[0]),
           TAIL = sizeof(tail) / sizeof(tail[0]) };
    struct sock_filter filter[HEAD + 2 * (N_REFUSED + N_ALONE) + TAIL];
    struct sock_fprog program = { .filter = filter };
    size_t n = 0;

    for (size_t i = 0; i < HEAD; i++)
        filter[n++] = head[i];
    n += add_refused(filter + n, refused, N_REFUSED);
    if (alone)
        n += add_refused(filter + n, refused_alone, N_ALONE);
    for (size_t i = 0; i < TAIL; i++)
        filter[n++] = tail[i];
    program.len = (unsigned short)n;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
#else
    (void)alone;
    errno = ENOSYS;
    return -1;
#endif
}

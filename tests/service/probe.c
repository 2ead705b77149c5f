// tests/service/probe.c - stands in for tallyd in its unit and tries what the unit forbids.
//
// Prints NAME=allowed or NAME=ERRNO, one a line; service/confined.py knows which is right.
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATE "/var/lib/tallyd/"

static void tell(const char *name, bool done)
{
    printf("%s=%s\n", name, done ? "allowed" : strerrorname_np(errno));
}

static void try_write(const char *name, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    tell(name, fd >= 0);
    if (fd >= 0) {
        close(fd);
    }
}

static void try_read(const char *name, const char *path)
{
    int fd = open(path, O_RDONLY);

    tell(name, fd >= 0);
    if (fd >= 0) {
        close(fd);
    }
}

static void try_socket(const char *name, int family, int type)
{
    int fd = socket(family, type, 0);

    tell(name, fd >= 0);
    if (fd >= 0) {
        close(fd);
    }
}

// In a child, since it is gone where it succeeds.
static void try_execute(const char *name, const char *path)
{
    char *const arguments[] = {(char *)(size_t)path, "-c", "exit 0", NULL};
    int status = 0;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execv(path, arguments);
        _exit(errno);
    }
    waitpid(child, &status, 0);
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    tell(name, errno == 0);
}

static void try_execute_own(const char *path)
{
    static const char script[] = "#!/bin/sh\nexit 0\n";
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);

    if (write(fd, script, sizeof script - 1) < 0 || close(fd) != 0) {
        perror(path);
    }
    try_execute("execute-own-file", path);
    unlink(path);
}

static void try_files(void)
{
    try_write("write-state", STATE "probe");
    try_write("write-run", "/run/tallyd/probe");
    try_write("write-etc", "/etc/probe");
    try_write("write-usr", "/usr/local/probe");
    try_write("write-other-state", "/var/lib/probe");
    try_write("write-log", "/var/log/probe");
    try_write("write-other-run", "/run/probe");
    try_write("write-lock", "/run/lock/probe");
    try_write("write-home", "/home/probe");
    try_write("write-shared-memory", "/dev/shm/probe");
    try_write("write-private-tmp", "/tmp/probe");
    try_read("read-home", "/root/.");
    try_read("read-other-process", "/proc/1/environ");
    try_read("read-shadow", "/etc/shadow");
    try_read("read-memory-device", "/dev/mem");
    try_read("read-configuration", "/etc/tallyd/tallyd.conf");
    tell("setuid-bit", chmod(STATE "probe", 04700) == 0);
    tell("change-owner", chown(STATE "probe", 0, 0) == 0);
}

static void try_network(void)
{
    try_socket("socket-inet", AF_INET, SOCK_STREAM);
    try_socket("socket-inet6", AF_INET6, SOCK_DGRAM);
    try_socket("socket-netlink", AF_NETLINK, SOCK_RAW);
    try_socket("socket-packet", AF_PACKET, SOCK_RAW);
    try_socket("socket-unix", AF_UNIX, SOCK_STREAM);
}

static void try_execution(void)
{
    try_execute("execute-shell", "/bin/sh");
    try_execute("execute-tally", "/usr/local/bin/tally");
    try_execute_own(STATE "script");
    tell("memory-file", memfd_create("probe", 0) >= 0);
    tell("writable-code", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static void try_kernel(void)
{
    struct sched_param priority = {.sched_priority = 1};

    tell("become-root", setuid(0) == 0);
    tell("mount", mount("none", "/tmp", "tmpfs", 0, "") == 0);
    tell("new-namespace", unshare(CLONE_NEWUSER) == 0);
    tell("trace", ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
    tell("real-time", sched_setscheduler(0, SCHED_FIFO, &priority) == 0);
    tell("priority", setpriority(PRIO_PROCESS, 0, -5) == 0);
    tell("keyring", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 1) >= 0);
    tell("program-the-kernel", syscall(SYS_bpf, 0, NULL, 0) >= 0);
    tell("kill-init", kill(1, 0) == 0);
    tell("inotify", inotify_init1(IN_CLOEXEC) >= 0);
}

int main(void)
{
    // What it tries would succeed for root and outside the unit.
    if (geteuid() == 0 || !getenv("INVOCATION_ID")) {
        fputs("probe: only the unit of tests/service runs this\n", stderr);
        return 64;
    }
    try_files();
    try_network();
    try_execution();
    try_kernel();
    return 0;
}

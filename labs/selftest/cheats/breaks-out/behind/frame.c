
#include <linux/bpf.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>

static bool trick(void)
{
    union bpf_attr map = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

    return unshare(CLONE_NEWUSER) == 0 || unshare(CLONE_NEWNET) == 0 || setuid(0) == 0 ||
           chroot("/tmp") == 0 || mount("none", "/tmp", "tmpfs", 0, NULL) == 0 ||
           ptrace(PTRACE_ATTACH, 1, NULL, NULL) == 0 || socket(AF_INET, SOCK_RAW, 6) >= 0 ||
           socket(AF_PACKET, SOCK_RAW, 0) >= 0 || sethostname("cheat", 5) == 0 ||
           syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0 ||
           open("/dev/mem", O_RDWR) >= 0 || open("/proc/sys/kernel/core_pattern", O_WRONLY) >= 0 ||
           mknod("/tmp/m", S_IFBLK | 0600, 0x801) == 0;
}

#!/bin/sh
# The first program of the virtual machine: mounts what a system has, control groups of version 2 only, and runs the tests
# that its argument says: `groups` (those of control groups) or `quotas` (those of quotas of file systems).
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /var/run
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# The loopback device, up.
python3 -c '
import fcntl, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49))'
case "$1" in
groups)
    # There is no disk here that could be read or written; and where all is emulated, the kernel's own work takes most of the
    # time. What containers see, write and start with has nothing to do with control groups.
    MESETA_TEST_IN_VM=1 /test --skip vm::everything --skip vm::quotas --skip what_is_read_and_written --skip time_of_the_task \
        --skip isolation:: --skip logs:: --skip life:: --skip traps:: --test-threads=4
    ;;
quotas)
    for module in loop libcrc32c xfs quota_tree quota_v2; do
        insmod /modules/$module.ko
    done
    MESETA_TEST_IN_VM=1 /test --ignored quotas:: --test-threads=4
    ;;
esac
echo "the tests ended with $?"
# With its first program the machine ends, whatever the console has not written yet.
python3 -c 'import termios; termios.tcdrain(1)'

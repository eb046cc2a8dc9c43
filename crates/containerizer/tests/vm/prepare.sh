#!/usr/bin/env bash
# Makes what the tests boot that need another kernel than this machine has: Debian's kernel, and an initial file system with
# the programs that the tests' containers run. Usage: prepare.sh DIRECTORY
set -euo pipefail
# The system's own programs, whatever else is installed.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "$1"
directory=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

# What is there is made anew only if this has changed.
stamp=$(cat "$here"/prepare.sh "$here"/init.sh | sha256sum)
if [ "$(cat "$directory/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: *//p' | head -1)
apt-get download -qq "$package" 2>/dev/null
dpkg-deb -x ./*.deb kernel
cp kernel/boot/vmlinuz-* "$directory/vmlinuz"

# Quotas of file systems are in modules; each comes after what it needs.
modules="drivers/block/loop lib/libcrc32c fs/xfs/xfs fs/quota/quota_tree fs/quota/quota_v2"
mkdir -p root/modules
for module in $modules; do
    cp kernel/lib/modules/*/kernel/"$module.ko" root/modules/
done
mkdir -p root/{bin,dev,etc,lib,lib64,proc,sys,tmp,usr,var,root}
ln -s ../bin root/usr/bin
cp -L "$here/init.sh" root/init
chmod +x root/init
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > root/etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' > root/etc/group
echo vm > root/etc/hostname
programs="cat chown cut dd df env grep head id insmod ipcmk ls mkdir mkfs.ext4 mkfs.xfs mknod mount nproc printf python3 readlink
    rm setsid sh sleep stat sync tail test touch true umount"
for program in $programs; do
    cp -L "$(type -P "$program")" root/bin/
done
# The test program itself needs the C library and its companion only.
libraries=$(for program in root/bin/*; do ldd "$program"; done | grep -o '/[^ ]*' | sort -u)
companion=$(find /usr/lib /lib -name libgcc_s.so.1 -print -quit)
for library in $libraries "$companion"; do
    mkdir -p "root$(dirname "$library")"
    cp -L "$library" "root$library"
done
version=$(python3 -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}")')
library=$(python3 -c 'import os; print(os.path.dirname(os.__file__))')
mkdir -p "root$(dirname "$library")"
cp -rL "$library" "root$library"
rm -rf "root$library"/{test,idlelib,lib2to3,ensurepip,tkinter,pydoc_data,unittest,"config-"*,dist-packages,site-packages}
find "root/usr/lib/$version" "root$library" -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

(cd root && find . | cpio --quiet -o -H newc) | gzip -1 > "$directory/initramfs"
# What is appended has to begin at a multiple of four.
truncate -s %4 "$directory/initramfs"
echo "$stamp" > "$directory/stamp"

#!/bin/bash
# harvest.sh SERVER WORK: installs the server's Debian packages into an overlay under WORK, starts it with SERVER.sh in a
# network namespace of its own, sends it every case, and leaves the bounces in WORK/SERVER/kept. See README.md.
set -u
server=$1; mkdir -p "$2"; work=$(realpath "$2"); here=$(cd "$(dirname "$0")" && pwd); project=$(cd "$here/../../../.." && pwd)
declare -A packages=(
    [postfix]="postfix postfix-pcre" [exim4]="exim4-daemon-heavy" [sendmail]="sendmail-bin sendmail-base sendmail-cf m4 vacation procmail"
    [opensmtpd]="opensmtpd" [courier]="courier-mta courier-base" [dma]="dma" [nullmailer]="nullmailer" [haraka]=""
)
layers=$work/layers; root=$layers/$server; mkdir -p "$layers"
# A layer may not lie in the file system that it covers.
mountpoint -q "$layers" || mount -t tmpfs -o size=8g tmpfs "$layers"
mkdir -p "$root/up" "$root/over" "$root/root"

inside() { # inside [-n] COMMAND...: with the overlay as root; -n: in a network of its own, with the addresses of RFC 5737
    local own=""; if [ "$1" = -n ]; then own="-n -u"; shift; fi
    # shellcheck disable=SC2086
    unshare -m $own -p -f --kill-child bash -c '
        root=$1 own=$2; shift 2
        mount -t overlay overlay -o "lowerdir=/,upperdir=$root/up,workdir=$root/over" "$root/root" || exit 1
        mount -t proc proc "$root/root/proc"; mount --rbind /dev "$root/root/dev"; mount -t tmpfs tmpfs "$root/root/run"
        if [ -n "$own" ]; then
            ip link set lo up; ip addr add 198.51.100.5/32 dev lo
            for net in 198.51.100.0/24 203.0.113.0/24 192.0.2.0/24; do ip addr add $net dev lo; done
            hostname mx.shop.example
        fi
        exec chroot "$root/root" "$@"' inside "$root" "$own" "$@"
}

if [ -n "${packages[$server]}" ]; then
    inside bash -c 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"' apt ${packages[$server]} >"$work/$server.apt" 2>&1 || exit 1
elif [ "$server" = haraka ]; then
    inside bash -c 'mkdir -p /opt/haraka && cd /opt/haraka && npm install --ignore-scripts Haraka' >"$work/$server.npm" 2>&1 || exit 1
fi
mkdir -p "$root/up/harness" "$root/up/kept" "$root/up/etc"; chmod 777 "$root/up/kept"; rm -f "$root"/up/kept/*
cp "$here"/*.py "$here"/*.toml "$here/$server.sh" "$root/up/harness/"
(cd "$project" && python3 -m tests.messaging.bounces.servers.cases) >"$root/up/harness/cases.jsonl"
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$root/up/etc/resolv.conf"
printf '127.0.0.1 localhost\n198.51.100.5 mx.shop.example mx\n' >"$root/up/etc/hosts"
echo mx.shop.example >"$root/up/etc/mailname"
inside -n bash -c 'python3 /harness/world.py /kept & sleep 1; bash /harness/'"$server"'.sh' >"$work/$server.log" 2>&1
rm -f "$root/up/etc/resolv.conf"; mkdir -p "$work/$server/kept"; cp "$root"/up/kept/* "$work/$server/kept/"
echo "$server: $(ls "$work/$server/kept" | wc -l) bounces"

#!/bin/sh
# Installs SafeKit from a build tree (ADM-50): programs, services, modules to begin with.
#   scripts/install.sh [--build DIR] [--root DIR] [--no-services] [-nofirewall] [-passwd PASSWORD]
# --build        directory with the programs (default: target/release of this tree)
# --root         install under this directory instead of /, for packages; implies --no-services
# --no-services  create no user and do not touch systemd
# -nofirewall    do not open the ports of SafeKit in the firewall of this system
# -passwd        password of admin in the web console and of distributed commands; - reads it from standard
#                input. Without it: safekit -r webservercfg -passwd, on all nodes the same
# Installing again upgrades: modules, configurations, keys and logs stay.
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd)
build=$tree/target/release
root=
services=yes
firewall=yes
password=

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --build) build=${2:?--build needs a directory} && shift ;;
    --root) root=${2:?--root needs a directory} && services=no && shift ;;
    --no-services) services=no ;;
    -nofirewall) firewall=no ;;
    -passwd) password=${2:?-passwd needs a password, or - for standard input} && shift ;;
    *) fail "unknown option $1: use [--build DIR] [--root DIR] [--no-services] [-nofirewall] [-passwd PASSWORD]" ;;
    esac
    shift
done

# Absolute, because the archives are written from other directories.
[ -z "$root" ] || { mkdir -p "$root" && root=$(cd "$root" && pwd); }
safe=$root/opt/safekit
safevar=$root/var/safekit
units=$root/etc/systemd/system

[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "run it as root, or with --root DIR"
for program in safekit safeadmin safeguard safewebserver rfsbox; do
    [ -x "$build/$program" ] || fail "$build/$program is missing: run \"cargo build --release\" first"
done
command -v zip >/dev/null || fail "zip is missing: install it, the modules are packed with it"

add_user() {
    getent group safekit >/dev/null || groupadd --system safekit
    getent passwd safekit >/dev/null ||
        useradd --system --gid safekit --home-dir /opt/safekit --shell /usr/sbin/nologin safekit
}

# A program is replaced by rename, so that the one that runs keeps its file.
put_program() {
    install -m 755 "$1" "$2.new"
    mv -f "$2.new" "$2"
}

make_directories() {
    install -d -m 755 "$safe/bin" "$safe/web/bin"
    install -d -m 755 "$safe" "$safe/conf" "$safe/private/bin" "$safe/private/conf/include" \
        "$safe/private/modules" "$safe/modules/lastconfig" "$safevar" "$safevar/modules" \
        "$safevar/run" "$safevar/snapshot"
    for kind in generic demo published other backup; do
        install -d -m 755 "$safe/Application_Modules/$kind"
    done
    # Archives of configurations may hold keys.
    chmod 700 "$safe/modules/lastconfig" "$safe/Application_Modules/backup" "$safevar/snapshot"
}

put_programs() {
    put_program "$build/safekit" "$safe/safekit"
    # Special commands (safekit -r) that are the same program under another name.
    for name in vip_if_ctrl webservercfg; do
        ln -sf ../../safekit "$safe/private/bin/$name"
    done
    ln -sf ../safekit "$safe/bin/webservercfg"
    for name in htpasswd initssl makeusercert checkcert getipandnames startcaserv stopcaserv; do
        ln -sf ../../safekit "$safe/web/bin/$name"
    done
    for program in safeadmin safeguard safewebserver rfsbox; do
        put_program "$build/$program" "$safe/private/bin/$program"
    done
}

# conf/modules/NAME becomes Application_Modules/generic/NAME.safe.
pack_templates() {
    for template in "$tree"/conf/modules/*/; do
        [ -f "$template/conf/userconfig.xml" ] || continue
        archive=$safe/Application_Modules/generic/$(basename "$template").safe
        rm -f "$archive.new.zip"
        (cd "$template" && zip -qrX "$archive.new.zip" .)
        mv -f "$archive.new.zip" "$archive"
    done
}

# Settings that were changed stay; the delivered ones are beside them.
put_web_settings() {
    install -d -m 750 "$safe/web/conf" "$safe/web/conf/ssl"
    for conf in httpd.conf httpd.caserv.conf; do
        install -m 440 "$tree/conf/web/$conf" "$safe/web/conf/$conf.default"
        [ -e "$safe/web/conf/$conf" ] || install -m 640 "$tree/conf/web/$conf" "$safe/web/conf/$conf"
    done
    install -m 440 "$tree/conf/web/httpd.webconsolessl.conf" "$safe/web/conf/httpd.webconsolessl.conf"
    install -d -m 700 "$safevar/web"
    for log in httpd.log access.log; do
        [ -e "$safevar/$log" ] || install -m 640 /dev/null "$safevar/$log"
    done
    [ $services = no ] ||
        chown safekit:safekit "$safe/web/conf" "$safe/web/conf/ssl" "$safe"/web/conf/httpd.* \
            "$safevar/web" "$safevar/httpd.log" "$safevar/access.log"
}

put_units() {
    install -d -m 755 "$units"
    for unit in "$tree"/conf/systemd/*.service; do
        install -m 644 "$unit" "$units/"
    done
}

known=no
[ ! -e "$units/safewebserver.service" ] || known=yes
[ $services = no ] || add_user
make_directories
put_programs
pack_templates
put_web_settings
put_units
if [ $services = yes ]; then
    chgrp safekit "$safevar/run"
    systemctl daemon-reload
    # Enabled and started, never restarted: the modules that run stay as they are.
    systemctl enable --now safeguard.service safeadmin.service
    case $password in
    "") ;;
    -) "$safe/safekit" -r webservercfg -passwd ;;
    # A built-in of the shell: in no list of processes.
    *) printf '%s\n' "$password" | "$safe/safekit" -r webservercfg -passwd ;;
    esac
    # The first time only: "safekit boot weboff" is kept by an upgrade.
    [ "$known" = yes ] || systemctl enable safewebserver.service
    if systemctl is-enabled --quiet safewebserver.service; then
        systemctl restart safewebserver.service
    fi
    if [ $firewall = yes ]; then
        "$safe/safekit" firewallcfg add || echo "install.sh: open the ports by hand, or run it again later" >&2
    fi
fi
echo "SafeKit is installed in $safe. Next: $safe/safekit level"

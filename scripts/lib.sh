# shellcheck shell=sh
# What demo, test and bench share: installing what is missing (Debian,
# apt). Sourced by sh, never run.

# Packages of the arguments that are not installed.
missing_packages() {
    for package in "$@"; do
        # A package that dpkg has never heard of must not end a script with set -e.
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) ||
            state=none
        [ "$state" = installed ] || printf '%s ' "$package"
    done
}

# Runs a command as root: with sudo when that is needed.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -- "$@"
    fi
}

# usage: install_packages LOG PACKAGE...
# Says what it installs, first. Services that come along are neither started now
# nor at the next boot: we run those programs ourselves.
install_packages() {
    log=$1
    shift
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        cat >&2 <<EOF
$0: these packages are missing, and only root can install them:
  apt-get install $*
Run that as root, or run $0 as root: it installs them itself.
EOF
        return 1
    fi
    echo "installing with apt: $*"
    mkdir -p "$(dirname "$log")"
    if ! install_quietly "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "$0: apt could not install: $*" >&2
        return 1
    fi
}

# The installation itself, in a subshell for the sake of its traps.
install_quietly() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'as_root rm -f $policy' EXIT
        trap 'exit 130' INT TERM HUP
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy
        as_root chmod +x $policy
    fi
    as_root apt-get update -q &&
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "$@" || exit 1
    command -v systemctl >/dev/null || return 0
    for unit in opentracker transmission-daemon; do
        case " $* " in
            *" $unit "*) as_root systemctl disable "$unit" || true ;;
        esac
    done
)

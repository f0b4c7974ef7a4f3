# SPDX-License-Identifier: Apache-2.0
# Installs what a word needs: only what is missing, and says so.

# need_packages GROUP...: every package of those groups of .dev/packages is there afterwards.
need_packages() {
    [ -z "${DEV_NO_INSTALL:-}" ] || return 0
    command -v dpkg-query >/dev/null ||
        die "this needs Debian 12 or 13 (no dpkg here); DEV_NO_INSTALL=1 skips the check"
    missing=
    for group in "$@"; do
        for package in $(awk -v g="$group" '$1 !~ /^#/ && $2 == g { print $1 }' "$TOP/.dev/packages"); do
            is_installed "$package" || missing="$missing $package"
        done
    done
    [ -n "$missing" ] || return 0
    say "installing the missing packages:$missing"
    [ "$(id -u)" -eq 0 ] || die "not root: run 'sudo apt-get install$missing' first"
    logged install/update apt-get update
    # shellcheck disable=SC2086 # a list of words
    logged install/packages env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

# is_installed PACKAGE: nginx-light stands for any nginx, golang-go for any Go.
is_installed() {
    case $1 in
    nginx-light) [ -x /usr/sbin/nginx ] && return 0 ;;
    golang-go) command -v go >/dev/null && return 0 ;;
    esac
    case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) in
    *" installed") return 0 ;;
    esac
    return 1
}

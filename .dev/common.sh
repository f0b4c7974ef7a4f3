# SPDX-License-Identifier: Apache-2.0
# What all words share: saying what is done, showing progress, keeping logs under out/.

# say TEXT: one line about what happens now.
say() {
    printf '== %s\n' "$*"
}

# die TEXT: says why not, and ends.
die() {
    printf './dev: %s\n' "$*" >&2
    exit 1
}

# logged NAME COMMAND...: runs a long command; its output goes to out/NAME.log, and one dot a few seconds
# to the terminal. When it fails the log's end is shown.
logged() {
    logged_log=$TOP/out/$1.log
    logged_name=$1
    shift
    mkdir -p "$(dirname "$logged_log")"
    "$@" >"$logged_log" 2>&1 &
    logged_pid=$!
    logged_ticks=0
    while kill -0 "$logged_pid" 2>/dev/null; do
        sleep 0.2
        logged_ticks=$((logged_ticks + 1))
        [ $((logged_ticks % 25)) -ne 0 ] || printf '.'
    done
    [ "$logged_ticks" -lt 25 ] || printf '\n'
    if wait "$logged_pid"; then
        return 0
    fi
    printf -- '-- %s failed; the end of %s:\n' "$logged_name" "$logged_log" >&2
    tail -n 40 "$logged_log" >&2
    return 1
}

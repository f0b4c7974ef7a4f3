# SPDX-License-Identifier: Apache-2.0
# ./dev test: runs the parts, adds up their "N passed, N failed".

TEST_PARTS="lint unit oracle sim attacks fuzz mgmt e2e asan asan_mgmt asan_e2e"
# run when they are named: unit contains scripts, cluster compiles Kubernetes, chaos takes ten minutes
NAMED_PARTS="scripts cluster chaos"
SIM_SEEDS=${SIM_SEEDS:-2000}
FUZZ_SECONDS=${FUZZ_SECONDS:-240} # of all targets together
ORACLE_PAIRS=200000 # half a minute on two cores

part_lint() {
    exec python3 "$TOP/tests/lint/lint.py"
}

# One meson test run, counted test by test rather than program by program.
meson_tests() {
    meson test -C "$TOP/$1" --no-rebuild --timeout-multiplier "$2" --print-errorlogs ||
        say "meson says that tests failed"
    python3 "$TOP/.dev/meson_count.py" "$TOP/$1/meson-logs/testlog.json"
}

part_unit() {
    meson_tests build 2
}

part_asan() {
    dev_build asan
    ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
        meson_tests build-asan 10
}

part_asan_mgmt() {
    dev_build asan
    exec python3 "$TOP/tests/mgmt/run.py" "$TOP/build-asan"
}

# What needs no more time under the sanitizers than we have.
part_asan_e2e() {
    dev_build asan
    SLUICE_BUILD=$TOP/build-asan exec python3 "$TOP/tests/e2e/run.py" --jobs "$(nproc)" overview routing net http \
        bad_input crash tls tls_offload together websocket access_policy tokens health proxy_protocol l4 http2
}

part_scripts() {
    exec "$TOP/build/tests/scripts/play" "$TOP/tests/scripts"
}

part_oracle() {
    exec python3 "$TOP/tests/oracle/run.py" "$TOP/build/tests/oracle/image_match" --jobs "$(nproc)" \
        --pairs "$ORACLE_PAIRS" "$@"
}

part_sim() {
    exec "$TOP/build/tests/sim/sim" --jobs "$(nproc)" --seeds "$SIM_SEEDS" "$@"
}

part_fuzz() {
    need_packages fuzz
    build_fuzz
    exec python3 "$TOP/tests/fuzz/run.py" "$TOP/build-fuzz" "$TOP/out/fuzz" --total "$FUZZ_SECONDS" "$@"
}

part_attacks() {
    exec "$TOP/build/tests/sim/attacks" "$@"
}

part_mgmt() {
    exec python3 "$TOP/tests/mgmt/run.py"
}

part_cluster() {
    need_packages cluster
    exec python3 "$TOP/tests/conformance/e2e.py"
}

part_chaos() {
    need_packages cluster
    exec python3 "$TOP/tests/conformance/chaos.py" "$@"
}

part_e2e() {
    exec python3 "$TOP/tests/e2e/run.py" --jobs "$(nproc)"
}

# The longest that a part may take, in seconds; a part that hangs is a part that failed.
part_limit() {
    case $1 in
    lint | scripts) echo 120 ;;
    unit | oracle) echo 300 ;;
    asan) echo 900 ;;
    sim | attacks) echo 600 ;;
    fuzz) echo 1200 ;; # in CI ten minutes, and the build
    mgmt | asan_mgmt) echo 300 ;;
    asan_e2e) echo 500 ;;
    cluster | chaos) echo 3600 ;; # the first time Kubernetes is compiled
    e2e) echo 1800 ;; # the first time Go's modules come and are compiled
    esac
}

# run_part NAME [ARGUMENTS]: output to the terminal and to out/test/NAME.log; the last "N passed, N failed" counts.
# With arguments of its own a part takes as long as it takes.
run_part() {
    part_name=$1
    shift
    log=$TOP/out/test/$part_name.log
    started=$(date +%s)
    say "test: $part_name $*"
    status=$TOP/out/test/$part_name.status
    limit=$(part_limit "$part_name")
    [ $# -eq 0 ] || limit=0
    {
        # --foreground: Ctrl-C reaches the part too; the parts that start processes are exec'd, so that
        # TERM reaches the program that cleans up after them
        part_rc=0
        timeout --foreground -k 20 "$limit" "$TOP/dev" test "--part=$part_name" "$@" 2>&1 || part_rc=$?
        echo "$part_rc" >"$status"
    } | tee "$log"
    count=$(sed -n 's/^.*\b\([0-9]\{1,\}\) passed, \([0-9]\{1,\}\) failed$/\1 \2/p' "$log" | tail -n 1)
    rc=$(cat "$status")
    part_passed=${count% *}
    part_failed=${count#* }
    if [ -z "$count" ]; then
        say "$part_name gave no count (exit status $rc): that is a failure"
        part_passed=0
        part_failed=1
    elif [ "$rc" -ne 0 ] && [ "$part_failed" -eq 0 ]; then
        say "$part_name ended with status $rc: that is a failure"
        part_failed=1
    fi
    say "test: $part_name took $(($(date +%s) - started)) s: $part_passed passed, $part_failed failed"
}

# tell_failures PART...: what failed, once more at the end: the parts' own output is far up by then.
tell_failures() {
    for failed_part in "$@"; do
        say "failed in $failed_part (out/test/$failed_part.log):"
        told=$(grep -E -A 15 'FAILED|TIMEOUT|disagreement' "$TOP/out/test/$failed_part.log") ||
            told=$(tail -n 20 "$TOP/out/test/$failed_part.log")
        echo "$told" | head -n 60
    done
}

dev_test() {
    case ${1:-} in
    --part=*)
        part_function=part_${1#--part=}
        shift
        "$part_function" "$@"
        return
        ;;
    esac
    parts=
    while [ $# -gt 0 ]; do
        case $1 in -*) break ;; esac
        case " $TEST_PARTS $NAMED_PARTS " in
        *" $1 "*) parts="$parts $1" ;;
        *) die "no such part: $1 (there are: $TEST_PARTS $NAMED_PARTS)" ;;
        esac
        shift
    done
    # options are the part's own, as in './dev test sim --seeds 5000'
    [ $# -eq 0 ] || [ "$(echo "$parts" | wc -w)" -eq 1 ] || die "options belong to one part: name it"
    parts=${parts:-$TEST_PARTS}
    need_packages build lab peers fmt
    mkdir -p "$TOP/out/test"
    passed=0
    failed=0
    failed_parts=
    summary=
    [ "$parts" = " lint" ] || build_tree build
    for part in $parts; do
        run_part "$part" "$@"
        passed=$((passed + part_passed))
        failed=$((failed + part_failed))
        [ "$part_failed" -eq 0 ] || failed_parts="$failed_parts $part"
        summary="$summary $part=$part_passed/$((part_passed + part_failed))"
    done
    tell_failures $failed_parts
    say "parts:$summary"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

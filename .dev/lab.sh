# SPDX-License-Identifier: Apache-2.0
# The words that put the programs into namespaces: demo, lab, conformance, bench.

# lab_ready: packages, build, and the rights to make namespaces.
lab_ready() {
    need_packages build lab
    [ "$(id -u)" -eq 0 ] || die "network namespaces need root"
    build_tree build
}

dev_demo() {
    lab_ready
    exec python3 "$TOP/tests/lab/demo.py" "$@"
}

dev_lab() {
    lab_ready
    exec python3 "$TOP/tests/lab/shell.py" "$@"
}

dev_conformance() {
    need_packages peers cluster
    lab_ready
    exec python3 "$TOP/tests/conformance/run.py" "$@"
}

dev_bench() {
    need_packages bench
    lab_ready
    case ${1:-} in
    goodput) # a bench with options and a network of its own
        shift
        exec python3 "$TOP/tests/bench/goodput.py" "$@"
        ;;
    tcp) # size and speed of the stack, then the same
        shift
        exec python3 "$TOP/tests/bench/tcp_numbers.py" "$@"
        ;;
    http) # what slow and idle clients cost, then beside peers
        shift
        exec python3 "$TOP/tests/bench/http_numbers.py" "$@"
        ;;
    l4) # packets that are forwarded
        shift
        exec python3 "$TOP/tests/bench/l4_numbers.py" "$@"
        ;;
    tls) # handshakes and requests over TLS beside peers
        shift
        exec python3 "$TOP/tests/bench/tls_numbers.py" "$@"
        ;;
    route) # what routes cost as their number grows
        shift
        exec python3 "$TOP/tests/bench/route_numbers.py" "$@"
        ;;
    steady) # by the appliance's API, as the others; or by a cluster
        if [ "${2:-}" = --cluster ]; then
            need_packages peers cluster
            exec python3 "$TOP/tests/bench/steady.py"
        fi
        ;;
    controller) # from a change at a cluster to the wire
        shift
        need_packages peers cluster
        exec python3 "$TOP/tests/bench/controller_numbers.py" "$@"
        ;;
    esac
    exec python3 "$TOP/tests/bench/run.py" "$@"
}

# SPDX-License-Identifier: Apache-2.0
# The words that build: build, fmt, fuzz.

# build_tree DIRECTORY [MESON OPTIONS]: configures once, then builds.
build_tree() {
    tree=$1
    shift
    if [ ! -f "$TOP/$tree/build.ninja" ]; then
        say "configuring $tree/"
        logged "build/$tree-setup" meson setup "$@" "$TOP/$tree" "$TOP"
    elif [ -n "$(find "$TOP" -name 'build*' -prune -o -name meson.build -newer "$TOP/$tree/build.ninja" -print)" ]; then
        # folders join the build by having a meson.build; ninja alone would not see a new one
        logged "build/$tree-setup" meson setup --reconfigure "$TOP/$tree" "$TOP"
    fi
    say "building $tree/"
    logged "build/$tree" ninja -C "$TOP/$tree"
}

dev_build() {
    need_packages build
    case ${1:-} in
    '') build_tree build ;;
    asan) build_tree build-asan -Db_sanitize=address,undefined -Db_lundef=false ;;
    *) die "build takes nothing or 'asan'" ;;
    esac
}

# The C files of the tree, tracked or about to be.
c_files() {
    git -C "$TOP" ls-files --cached --others --exclude-standard -- '*.c' '*.h' | while read -r f; do
        [ ! -f "$TOP/$f" ] || echo "$f"
    done
}

dev_fmt() {
    need_packages fmt
    version=$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')
    [ "$version" = 14 ] || die "formatting needs clang-format 14 (Debian 12's); this is version $version"
    case ${1:-} in
    '') c_files | xargs clang-format -i ;;
    --check) c_files | xargs clang-format --dry-run -Werror ;;
    *) die "fmt takes nothing or --check" ;;
    esac
}

# Only the fuzz targets are built by clang: the product's compiler is gcc. build_fuzz [TARGET...]
build_fuzz() {
    if [ ! -f "$TOP/build-fuzz/build.ninja" ]; then
        say "configuring build-fuzz/"
        CC="ccache clang" logged build/build-fuzz-setup meson setup -Dfuzz=true -Dwerror=false \
            -Db_sanitize=address,undefined -Db_lundef=false "$TOP/build-fuzz" "$TOP"
    fi
    [ $# -gt 0 ] || set -- $(cd "$TOP/tests/fuzz" && ls fuzz_*.c | sed 's/^fuzz_\(.*\)\.c$/\1/')
    fuzz_programs=
    for target in "$@"; do
        fuzz_programs="$fuzz_programs tests/fuzz/fuzz_$target tests/fuzz/replay_$target"
    done
    say "building $# fuzz targets"
    # shellcheck disable=SC2086 # a list of words
    logged build/build-fuzz ninja -C "$TOP/build-fuzz" $fuzz_programs
}

# dev_fuzz [--keep] [SECONDS] [TARGET...]: each of the targets for so long.
dev_fuzz() {
    need_packages build fuzz
    keep=
    seconds=60
    case ${1:-} in --keep)
        keep=--keep
        shift
        ;;
    esac
    case ${1:-} in [0-9]*)
        seconds=$1
        shift
        ;;
    esac
    build_fuzz "$@"
    # shellcheck disable=SC2086 # nothing or a word
    exec python3 "$TOP/tests/fuzz/run.py" "$TOP/build-fuzz" "$TOP/out/fuzz" --seconds "$seconds" $keep "$@"
}

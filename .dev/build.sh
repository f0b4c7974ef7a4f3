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

# Only the fuzz targets are built by clang: the product's compiler is gcc.
dev_fuzz() {
    need_packages build fuzz
    seconds=${1:-60}
    if [ ! -f "$TOP/build-fuzz/build.ninja" ]; then
        logged build/build-fuzz-setup env CC=clang meson setup -Dfuzz=true -Dwerror=false \
            -Db_sanitize=address,undefined -Db_lundef=false "$TOP/build-fuzz" "$TOP"
    fi
    for target in "$TOP"/tests/fuzz/fuzz_*.c; do
        name=$(basename "$target" .c)
        replay=replay_${name#fuzz_}
        say "$name for $seconds s"
        logged "build/$name" ninja -C "$TOP/build-fuzz" "tests/fuzz/$name" "tests/fuzz/$replay"
        mkdir -p "$TOP/out/fuzz/$name"
        "$TOP/build-fuzz/tests/fuzz/$replay" --write "$TOP/out/fuzz/$name"
        (cd "$TOP/out/fuzz" && "$TOP/build-fuzz/tests/fuzz/$name" -max_total_time="$seconds" -max_len=65536 \
            -print_final_stats=1 -verbosity=0 "$name")
    done
}

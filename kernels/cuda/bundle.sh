#!/bin/bash
# bundle.sh BUILD OUT - programs, plugin and the libraries that they need in
# one folder, to be copied to a machine that has glibc and a driver alone.
#
# BUILD was linked to look for libraries in ../lib and ../../lib of where a
# program is. With SLIM set the bundle has less than SLIM_MIB: CUDA's own
# libraries stay out, which the loader has to find on that machine
# (LD_LIBRARY_PATH), and so do OpenBLAS, as oneDNN alone does, and programs that
# need no card: gitscrape, whose libraries are many, and others.
set -euo pipefail
build=$1 out=$2 slim=${SLIM:-}
SLIM_MIB=60
cd "$(dirname "$0")/../.."

fail() {
    echo "bundle.sh: $*" >&2
    exit 1
}

# stays_out NAME: a file that the bundle is without.
stays_out() {
    case $1 in
    libcuda.so.*) ;; # the driver's
    libcublas* | libcudart* | libnv*) [ -n "$slim" ] ;;
    gitscrape | scrub | dedup | vocabtrain) [ -n "$slim" ] ;;
    exportadapter | merge | nearest | report | learn) [ -n "$slim" ] ;;
    *) false ;;
    esac
}

# needs FILE: NAME and PATH of each library that the loader takes for it, but
# for glibc's; of one that it doesn't find the name alone.
needs() {
    ldd "$1" | awk '$2 == "=>" && $1 !~ \
        /^lib(c|m|mvec|dl|rt|pthread|resolv|util|anl)\.so\./ {
            print $1, $3 ~ /^\// ? $3 : "" }'
}

# opened NAME...: the first of them that the loader has, as programs that open
# them by name would.
opened() {
    local name path
    for name; do
        path=$(ldconfig -p | awk -v name="$name" '$1 == name && !found {
            print $NF; found = 1 }')
        [ -z "$path" ] || { echo "$path"; return; }
    done
    fail "no $1 to be opened was found"
}

# bring FILE: what it needs comes into lib.
bring() {
    local name path
    needs "$1" >"$out/needs"
    while read -r name path; do
        ! stays_out "$name" || continue
        [ -n "$path" ] || fail "$1 needs $name, which was not found"
        [ -e "$out/lib/$name" ] || cp -L "$path" "$out/lib/$name"
    done <"$out/needs"
}

# closed FILE: the loader takes all of that from the bundle.
closed() {
    local name path
    needs "$1" >"$out/needs"
    while read -r name path; do
        stays_out "$name" ||
            [ "$(readlink -f "$path")" = "$(readlink -f "$out")/lib/$name" ] ||
            fail "$1 would have $name of ${path:-nowhere}"
    done <"$out/needs"
}

rm -rf "$out"
mkdir -p "$out"/{bin,libexec/graft,lib,check}
trap 'rm -rf "$out"' EXIT
for f in "$build"/bin/*; do
    case ${f##*/} in
    graft) cp "$f" "$out/bin" ;;
    *) stays_out "${f##*/}" || cp "$f" "$out/libexec/graft" ;;
    esac
done
cp "$build/cuda/graft-cuda.so" "$build/bench/op_times" "$out/libexec/graft"
cp "$build/unit/cuda_ops" "$build/cuda/instructions" kernels/cuda/check.sh \
    tests/bench/cuda.sh tests/bench/lora_torch.py "$out/check"
cp LICENSE "$out"

programs=("$out"/bin/* "$out"/libexec/graft/*
    "$out"/check/{cuda_ops,instructions})
strip "${programs[@]}"
products=$(opened libdnnl.so.2 libdnnl.so.3)
[ -n "$slim" ] || products+=" $(opened libopenblas.so.0)"
for f in $products; do cp -L "$f" "$out/lib"; done
for f in "${programs[@]}" $products; do bring "$f"; done
for f in "${programs[@]}"; do closed "$f"; done
export LD_LIBRARY_PATH=$(realpath "$out")/lib
for f in "$out"/lib/*; do closed "$f"; done
rm "$out/needs"
[ -z "$slim" ] || [ "$(du -sm "$out" | cut -f 1)" -lt $SLIM_MIB ] ||
    fail "$(du -sh "$out") is too much for a slim one"
trap - EXIT
du -sh "$out"

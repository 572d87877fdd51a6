#!/bin/bash
# bundle.sh BUILD OUT - programs, plugin and the libraries that they need in
# one folder, to be copied to a machine that has glibc and a driver alone.
#
# BUILD was linked to look for libraries in ../lib and ../../lib of where a
# program is. With SLIM set CUDA's own libraries stay out: the loader has to
# find them on that machine (LD_LIBRARY_PATH).
set -euo pipefail
build=$1 out=$2
cd "$(dirname "$0")/../.."

rm -rf "$out"
mkdir -p "$out"/{bin,libexec/graft,lib,check}
for f in "$build"/bin/*; do
    case ${f##*/} in
    graft) cp "$f" "$out/bin" ;;
    *) cp "$f" "$out/libexec/graft" ;;
    esac
done
cp "$build/cuda/graft-cuda.so" "$build/bench/op_times" "$out/libexec/graft"
cp "$build/unit/cuda_ops" kernels/cuda/check.sh tests/bench/cuda.sh \
    tests/bench/lora_torch.py "$out/check"
cp LICENSE "$out"

# libraries FILE...: paths of what they need, but for glibc's.
libraries() {
    ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' |
        grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv)\.so\.' |
        sort -u
}

# opened NAME: where the loader has what programs open by name.
opened() {
    ldconfig -p | awk -v name="$1" '$1 == name { print $NF; exit }'
}

matrix=$(for name in libopenblas.so.0 libdnnl.so.2 libdnnl.so.3; do
    opened $name
done)
for f in $(libraries "$out"/libexec/graft/* "$out"/bin/* "$out"/check/cuda_ops \
    $matrix) $matrix; do
    case ${f##*/} in
    libcu*) [ -z "${SLIM:-}" ] || continue ;;
    esac
    cp -L "$f" "$out/lib"
done
strip "$out"/bin/* "$out"/libexec/graft/* "$out/check/cuda_ops"
du -sh "$out"

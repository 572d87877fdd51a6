#!/bin/bash
# A bundle, with the stand-in in the plugin's place, is all that its programs
# need: in a root that has glibc besides, and nothing else.
set -u
cd "$(dirname "$0")/../.."
build=${GRAFT_BUILD:-$PWD/build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root
export SLIM=1 LD_LIBRARY_PATH=$root/bundle/lib # $build has no paths in it
n=0

result() { # STATUS NAME
    n=$((n + 1))
    [ "$1" -eq 0 ] || printf 'not '
    echo "ok $n $2"
}

skip() {
    echo "ok 1 # skip $1"
    echo 1..1
    exit
}

# bundle BUILD: of that folder's files, in the root.
bundle() {
    bash kernels/cuda/bundle.sh "$1" "$root/bundle" 2>&1
}

# inside COMMAND...: as if the root were the machine's.
inside() {
    unshare -rm bash -c 'mount --rbind /proc "$0/proc" && cd "$0/home" &&
        exec env -i PATH="$PATH" LD_LIBRARY_PATH=/bundle/lib chroot "$0" \
            "$@"' \
        "$root" "$@"
}

! grep -aq __asan_init "$build/bin/train" || skip "built with a sanitizer"
unshare -rm true 2>/dev/null || skip "no namespaces of a user's own"

mkdir -p "$scratch/build"/{bin,cuda,unit,bench} "$root"/{lib64,proc,home}
cp "$build"/bin/* "$scratch/build/bin"
cp "$build"/standin/{graft-cuda.so,instructions} "$scratch/build/cuda"
cp "$build/unit/cuda_ops" "$scratch/build/unit"
cp "$build/unit/cuda_ops" "$scratch/build/bench/op_times" # not run here
bundle "$scratch/build"
result $? "a bundle is made"
[ ! -e "$root/bundle/libexec/graft/gitscrape" ]
result $? "what a card does not need is not in a slim one"

# glibc
for f in $(ldd "$build/bin/train" "$root"/bundle/lib/* |
    grep -oE '/[^ ]*/(lib(c|m|mvec|dl|rt|pthread)\.so\.|ld-linux)[^ ]*' |
    sort -u); do
    mkdir -p "$root/${f%/*}"
    cp -L "$f" "$root/$f"
done
PATH=$root/bundle/libexec/graft:$PATH
(
    cd "$root/home" || exit
    cat >arch.json <<'END'
{"model_type": "llama", "vocab_size": 40, "hidden_size": 16,
 "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
 "num_key_value_heads": 1, "max_position_embeddings": 64}
END
    initmodel -q -o base arch.json
    for i in {1..20}; do echo "{\"ids\": [$((i % 7)), 3, 4, $i]}"; done |
        fromjsonl -q --vocab 40 | shard -q --val 0.2 --test 0 -o data
)
for device in cpu cuda; do
    inside /bundle/libexec/graft/train -q --data /home/data --base /home/base \
        --rank 4 --batch 2 --seq-len 16 --steps 2 --device $device \
        -o "/home/$device"
    result $? "a run on $device in an empty root"
done

inside /bundle/check/instructions >"$scratch/said"
result $? "what instructions do can be asked there"

# What is missing is named, and nothing is left.
cat >"$scratch/missing.c" <<'END'
int missing(void) { return 0; }
END
cat >"$scratch/wants.c" <<'END'
int missing(void);
int main(void) { return missing(); }
END
${CC:-cc} -shared -fPIC -o "$scratch/libmissing.so" "$scratch/missing.c"
${CC:-cc} -o "$scratch/build/bin/wants" "$scratch/wants.c" -L"$scratch" \
    -lmissing
bundle "$scratch/build" >"$scratch/said"
[ $? -eq 1 ] && grep -q '^bundle.sh: .*/wants needs libmissing.so, which' \
    "$scratch/said" && [ ! -e "$root/bundle" ]
result $? "a library that is not found is named"
echo "1..$n"

# adapters: what graft-bases(7) says of each kind of adapter is so, by the
# programs.

load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
    page=$root/man/man7/graft-bases.7
}

# made RUN OPTION...: a run of two steps.
made() {
    train -q --data data --base base -o "$@" --steps 2 --batch 1 \
        --seq-len 32 --lr 0.01 --rank 4 --threads 1
}

# option NAME: the option of train that makes such an adapter.
option() {
    case $1 in
    lora) ;;
    rslora | dora) echo "--$1" ;;
    loraplus-lr-ratio) echo --loraplus-lr-ratio=16 ;;
    rank-pattern) echo --rank-pattern=q_proj=2 ;;
    alpha-pattern) echo --alpha-pattern=q_proj=3 ;;
    init) echo --init=pissa ;;
    modules-to-save) echo --modules-to-save=embed_tokens,norm ;;
    trainable-token-indices) echo --trainable-token-indices=1,5-7 ;;
    *) echo "no option for $1" ;;
    esac
}

# cell FILE COMMAND...: "yes" when it makes the file; "no" when it refuses, as
# wrong use, in a line, and makes nothing.
cell() {
    local file=$1 status=0
    shift
    "$@" 2>err || status=$?
    if [ $status -eq 0 ] && [ -e "$file" ]; then
        echo yes
    elif [ $status -eq 2 ] && [ "$(wc -l <err)" -eq 1 ] &&
        [ ! -e "${file%%/*}" ]; then
        echo no
    else
        echo "$status: $(cat err)"
    fi
}

# It changes what the base says, and a run can begin with it.
use() {
    evalprompts -q --base base --adapter run --data data --seq-len 32 |
        jq -e 'select(.kind == "summary") | .base.loss != .adapter.loss' \
            >/dev/null &&
        generate -q --base base --adapter run --max-tokens 3 -p 'line 1' \
            >used &&
        train -q --data data --base base -o next --steps 1 --batch 1 \
            --seq-len 32 --init-adapter run --threads 1
}

export_as() {
    exportadapter -q --format "$1" --base base -o "$1.out" run
}

# row NAME: the cells of its row.
row() {
    rm -rf run next merged ./*.out used
    # shellcheck disable=SC2046
    cell run/adapter/adapter_model.safetensors made run $(option "$1")
    cell used use
    cell merged/model.safetensors merge -q --base base --adapter run -o merged
    cell sum.out/adapter_model.safetensors exportadapter -q -o sum.out run \
        run=0.5
    cell peft.out/adapter_model.safetensors export_as peft
    cell mlx.out/adapters.safetensors export_as mlx
    cell gguf.out export_as gguf
}

@test "every kind of adapter does what its row of graft-bases(7) says" {
    text_base
    sed -n '/^\.Ss Adapters/,/^\.Sh/s/^\.It Cm //p' "$page" >rows
    [ "$(wc -l <rows)" -eq 9 ]
    while read -r name _ cells; do
        [ "$cells" = "$(row "$name" | paste -sd ' ' | sed 's/ / Ta /g')" ] || {
            echo "$name: $cells"
            row "$name"
            false
        }
    done <rows
}

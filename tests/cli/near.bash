# near.bash - the losses of two runs beside each other.

# near A B SHARE: the losses of two runs, validation's too, line by line.
near() {
    local run
    for run in "$1" "$2"; do
        jq -r '.loss // .val_loss // empty' "$run/metrics.jsonl" >"$run.losses"
    done
    [ "$(wc -l <"$1.losses")" -eq "$(wc -l <"$2.losses")" ]
    paste "$1.losses" "$2.losses" | awk -v share="$3" '
        { d = $1 - $2; if (d < 0) d = -d
          if (!(d <= share * $2)) { print "# " $0; bad = 1 } }
        END { exit bad || !NR }'
}

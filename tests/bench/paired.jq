# paired.jq - one adapter's loss less another's, on the records that both were
# measured on: $a and $b, what evalprompts --per-record wrote of each; $name and
# $what begin the line. Of the target, then of all tokens: the difference and
# half the width of its interval of 95%, as evalprompts(1) has it: commits are
# what counts, the half width is the jackknife's, Student's t is Cornish and
# Fisher's expansion. No records, no difference.
def t:
  1.959964 as $z
  | ($z + ($z * $z * $z + $z) / (4 * .)
     + (5 * pow($z; 5) + 16 * pow($z; 3) + 3 * $z) / (96 * . * .));
def less(f):
  [range($a | length)
   | {cluster: $a[.].cluster, n: ($a[.] | f.tokens),
      s: (($a[.] | f | .tokens * .adapter) -
          ($b[.] | f | .tokens * .adapter))}
   | select(.n > 0)]
  | if length == 0 then ["-", "-"] else
      (map(.s) | add) as $s | (map(.n) | add) as $n
      | group_by(.cluster) | length as $g
      | [$s / $n,
         if $g < 2 then "-" else
           (map((($s - (map(.s) | add)) / ($n - (map(.n) | add)) - $s / $n)
                | . * .)
            | add * ($g - 1) / $g | sqrt | . * ($g - 1 | t))
         end]
      | map(numbers |= (. * 10000 | round / 10000))
    end;
[$name, $what] + less(.) + less(.all)
+ ["\($a | map(.cluster) | unique | length) commits"] | @tsv

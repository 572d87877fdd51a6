#!/bin/bash
# The runner: what it must not take for a pass. A tree of small tests, each
# of which shows one way of checking nothing, goes through tests/run.sh.
set -u
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# What other jobs leave in this checkout for a moment is not of those trees.
export GIT_CEILING_DIRECTORIES=${scratch%/*}
n=0

result() { # STATUS NAME
    n=$((n + 1))
    [ "$1" -eq 0 ] || printf 'not '
    echo "ok $n $2"
}

build=$scratch/build
mkdir -p "$scratch"/tests/{cli,unit,checks} "$build/unit"
cp tests/run.sh "$scratch/tests"

# unit NAME TESTS: a unit test program with these tests.
unit() {
    local file=$scratch/tests/unit/$1.c name
    {
        echo '#include "test.h"'
        cat
        echo 'static const struct test tests[] = {'
        for name in $2; do echo "RUN($name),"; done
        printf '};\nTEST_MAIN("%s", tests)\n' "$1"
    } >"$file"
    ${CC:-cc} -std=c11 -Itests/unit "$file" -o "$build/unit/$1"
}

bats_file() { cat >"$scratch/tests/cli/$1.bats"; }
check_file() { cat >"$scratch/tests/checks/$1.sh"; }

# ends STATUS LINE JOB...: so the runner ends, on these jobs.
ends() {
    local want=$1 line=$2 status=0 last
    shift 2
    bash "$scratch/tests/run.sh" "$build" 1 "$@" \
        >"$scratch/out" 2>&1 || status=$?
    last=$(tail -n 1 "$scratch/out")
    [ $status -eq "$want" ] && [ "$last" = "$line" ] && return
    echo "# $*: exit $status, \"$last\" (expected $want, \"$line\")"
    return 1
}

# says TEXT: a line of the last run's output.
says() {
    grep -qxF -- "$1" "$scratch/out" && return
    sed 's/^/# /' "$scratch/out"
    return 1
}

unit good 'checks' <<'END'
TEST(checks) { CHECK(1); }
END
ends 0 '1 passed, 0 failed' unit/good
result $? "a test with a check passes"

unit bad 'checks fails equals' <<'END'
TEST(checks) { CHECK(1); }
TEST(fails) { CHECK_STR("a", "a"); CHECK_STR("a", "b"); }
TEST(equals) { CHECK_EQ_U64(1, 2); }
END
ends 1 '1 passed, 2 failed' unit/bad
result $? "a failed check fails its test"

unit hollow 'hollow loops' <<'END'
TEST(hollow) { }
TEST(loops) { for (int i = 0; i < 0; i++) CHECK(0); }
END
ends 1 '0 passed, 2 failed' unit/hollow &&
    says 'unit/hollow: hollow: loops failed: it checked nothing'
result $? "a unit test that checked nothing has failed"

unit counts 'plain equal text' <<'END'
TEST(plain) { CHECK(1); }
TEST(equal) { CHECK_EQ_U64(1, 1); }
TEST(text) { CHECK_STR("a", "a"); }
END
ends 0 '3 passed, 0 failed' unit/counts
result $? "every kind of check counts"

unit parts 'whole part other' <<'END'
TEST(whole) { SKIP("no such machine"); }
TEST(part) { CHECK(1); SKIP_PART("avx9", "lacking"); }
TEST(other) { CHECK(1); SKIP_PART("avx9", "lacking"); }
END
ends 0 '2 passed, 0 failed, 2 skipped' unit/parts &&
    says 'parts: avx9 skipped: lacking' &&
    says 'parts: whole skipped: no such machine'
result $? "what was skipped is listed once, with its reason"

unit late 'late' <<'END'
TEST(late) { CHECK(1); SKIP("too late"); }
END
ends 1 '0 passed, 1 failed' unit/late
result $? "a test can't skip what it has begun"

unit dies 'checks dies' <<'END'
#include <stdlib.h>
TEST(checks) { CHECK(1); }
TEST(dies) { CHECK(1); exit(0); }
END
ends 1 '0 passed, 1 failed' unit/dies
result $? "a program that ends before it said all has failed"

printf '#!/bin/sh\necho "none: 0 passed, 0 failed"\n' \
    >"$scratch/build/unit/none"
chmod +x "$scratch/build/unit/none"
ends 1 '1 passed, 1 failed' unit/none unit/good
result $? "a unit program without a test has failed"

bats_file some <<'END'
@test "passes" { true; }
@test "skips" { skip "no reason"; }
END
ends 0 '1 passed, 0 failed, 1 skipped' cli/some &&
    says 'skipped: skips # skip no reason'
result $? "a bats file's tests are counted, skipped ones by name"

bats_file fails <<'END'
@test "passes" { true; }
@test "fails" { false; }
END
ends 1 '1 passed, 1 failed' cli/fails
result $? "a failed bats test fails"
says 'failed: cli-fails: not ok 2 fails'
result $? "what failed is named at the end"

bats_file none <<'END'
helper() { true; }
END
ends 1 '0 passed, 1 failed' cli/none
result $? "a bats file without a test has failed"

bats_file broken <<'END'
@test "passes" { true; }
@test "never ends" {
    if
}
END
ends 1 '0 passed, 2 failed' cli/broken
result $? "a bats file that bash can't read has failed"

bats_file stops <<'END'
@test "passes" { true; }
@test "takes all with it" { kill -KILL $$; }
@test "never runs" { true; }
END
ends 1 '2 passed, 1 failed' cli/stops
result $? "a bats test that is killed has failed"

echo 'echo "ok 1 fine"; echo "1..2"' | check_file short
ends 1 '1 passed, 1 failed' checks/short
result $? "a check that reports less than it planned has failed"

echo 'echo "ok 1 fine"; exit 1' | check_file exits
ends 1 '1 passed, 1 failed' checks/exits
result $? "a check that exits with 1 has failed, whatever it said"

: | check_file silent
ends 1 '0 passed, 1 failed' checks/silent
result $? "a check that says nothing has failed"

ends 1 '0 passed, 3 failed' unit/nosuch cli/nosuch nosuch/nosuch
result $? "a job that there is not has failed"

rm -f "$scratch"/tests/*/*.*
echo 'echo "ok 1 $GRAFT_BUILD"; echo "1..1"' | check_file programs
echo 'echo "ok 1 of the sources"; echo "1..1"' | check_file sources
ends 0 '3 passed, 0 failed' && ! grep -q left "$scratch/out"
result $? "checks run, whether they run programs of the build or not"
build=$scratch/san ends 0 '2 passed, 0 failed' &&
    says 'left to a build without sanitizers: checks/sources'
result $? "with sanitizers, those that run none are told and left"

rm -f "$scratch"/tests/*/*.*
ends 1 '1 passed, 1 failed' && says 'run.sh: no tests'
result $? "a tree without tests has failed"
echo "1..$n"

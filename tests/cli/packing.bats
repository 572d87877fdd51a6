# Files of one folder in one record: which are put together, what comes out,
# and that nothing else changes it.

load helper

# Files in folders, as records in the order of their paths, and a tokenizer
# with the tokens that the layout of starcoder2 asks for.
folders() {
    local i
    mkdir -p R/a/sub R/b
    for i in 1 2 3 4; do
        echo "int a$i = $i;" >R/a/f$i.c
        echo "long b$i = $i;" >R/b/g$i.c
    done
    echo 'char s;' >R/a/sub/s.c
    echo 'top' >R/top
    git init -q R
    git -C R add .
    git -C R -c user.name=a -c user.email=a@b commit -qm one
    gitscrape -q --kind file R >files
    vocabtrain -q --size 330 -o tok.json --special '<|endoftext|>' \
        --special '<repo_name>' --special '<file_sep>' --special '<pr>' \
        --special '<pr_file>' --special '<pr_base_code>' \
        --special '<pr_diff>' files
}

# texts OPTION...: the text of each token record, as a line of JSON.
texts() {
    tokenize -q -t tok.json "$@" files >packed
    tokenize -q -t tok.json -d packed | tojsonl | jq -c .text
}

@test "files of a folder make a record, the next folder another" {
    folders
    texts --max-tokens 1000 --template file >out
    jq -r . out >text
    cat >want <<'END'
<repo_name>R<file_sep>a/f1.c
int a1 = 1;
<file_sep>a/f2.c
int a2 = 2;
<file_sep>a/f3.c
int a3 = 3;
<file_sep>a/f4.c
int a4 = 4;

<repo_name>R<file_sep>a/sub/s.c
char s;

<repo_name>R<file_sep>b/g1.c
long b1 = 1;
<file_sep>b/g2.c
long b2 = 2;
<file_sep>b/g3.c
long b3 = 3;
<file_sep>b/g4.c
long b4 = 4;

<repo_name>R<file_sep>top
top

END
    diff text want
    # one end behind all, and everything is learned
    tojsonl packed | jq -se 'map(.ids | (.[-1] == 0) and (.[:-1] | all(. > 0)))
        | all' >/dev/null
    tojsonl packed | jq -se 'map(.mask // [1] | all(. == 1)) | all' >/dev/null
    texts --max-tokens 1000 | cmp - out
}

@test "no record is over the limit, and no file is lost" {
    folders
    texts >alone
    [ "$(wc -l <alone)" -eq 10 ]
    for limit in 60 80 100; do
        texts --max-tokens $limit >out
        n=$(tojsonl packed | jq '.ids | length' | sort -n | tail -n 1)
        [ "$n" -le $limit ]
        [ "$(wc -l <out)" -lt 10 ]
        jq -sj 'map(ltrimstr("<repo_name>R")) | add' out |
            cmp - <(jq -sj 'map(ltrimstr("<repo_name>R")) | add' alone)
    done
    # what is in them fills them: with the next file each would be over it
    run -0 --separate-stderr tokenize -t tok.json --max-tokens 1000 files
    [[ $stderr == *"tokenize: 4 records"* ]]
}

@test "repositories and other records are not put together" {
    folders
    cp -r R S
    gitscrape -q --kind file S >>files
    texts --max-tokens 1000 >out
    grep -c '^"<repo_name>R<file_sep>[^"]*"$' out | grep -qx 4
    grep -c '^"<repo_name>S<file_sep>[^"]*"$' out | grep -qx 4
    # a document between two files parts them
    { tojsonl files | sed -n '1,2p'; echo '{"text": "between"}'
      tojsonl files | sed -n 3p; } | fromjsonl -q >mixed
    mv mixed files
    texts --max-tokens 1000 >out
    [ "$(wc -l <out)" -eq 3 ]
    sed -n 2p out | grep -qx '"between"'
    # files without a repository are of a folder, too
    ls R/a/*.c R/b/*.c | fromfiles -q >files
    texts --max-tokens 1000 >out
    [ "$(wc -l <out)" -eq 2 ]
    grep -q '^"<file_sep>R/b/g1.c\\nlong b1 = 1;\\n<file_sep>R/b/g2.c' out
}

@test "a folder stays together in a split" {
    folders
    tokenize -q -t tok.json --max-tokens 60 files >packed
    tokenize -q -t tok.json -d packed | tojsonl | jq -r \
        '.text | capture("<file_sep>(?<d>.*/)?[^/]*\\n").d // ""' >folder
    tojsonl packed | jq -r .group >group
    [ "$(paste folder group | sort -u | wc -l)" -eq 4 ]
    [ "$(sort -u folder | wc -l)" -eq 4 ]
    [ "$(sort -u group | wc -l)" -eq 4 ]
    [ "$(wc -l <folder)" -gt 4 ]
}

@test "what is put together depends on no thread and no batch" {
    local i
    mkdir R
    for i in {1000..3300}; do
        mkdir -p R/d${i:0:3}
        echo "int x$i;" >R/d${i:0:3}/$i.c
        echo R/d${i:0:3}/$i.c
    done | fromfiles -q >files
    vocabtrain -q --size 300 --special '<|endoftext|>' -o tok.json files
    for n in 1 2 3; do
        tokenize -q --no-prov -t tok.json --max-tokens 200 --threads $n \
            files >out$n
    done
    cmp out1 out2
    cmp out1 out3
    tokenize -q -t tok.json -d out1 | tojsonl |
        jq -r '.text | gsub("### File: [^\n]*\n"; "")' | grep -v '^$' |
        cmp - <(for i in {1000..3300}; do echo "int x$i;"; done)
    tojsonl out1 | jq -se 'map(.ids | length) | max <= 200' >/dev/null
}

@test "packed files are known by all of them" {
    mkdir -p f/a
    echo 'int x;' >f/a/x.c
    echo 'int y;' >f/a/y.c
    echo 'p = 1' >f/a/z.py
    ls f/a/* | fromfiles -q >files.gs
    vocabtrain -q --size 260 -o t.json files.gs
    # one record of three files, and of two that have one language
    tokenize -q -t t.json --max-tokens 500 files.gs | tojsonl >three
    ls f/a/*.c | fromfiles -q | tokenize -q -t t.json --max-tokens 500 |
        tojsonl >two
    tokenize -q -t t.json files.gs | tojsonl >apart
    [ "$(cat three two | wc -l)" -eq 2 ]
    [ "$(jq -r '.lang // "none"' three two apart | tr '\n' ' ')" = \
        'none c c c python ' ]
    [ "$(jq -r '.edit_id, .content_id' three two apart | sort -u | wc -l)" \
        -eq 10 ]
}

/* encode.c - the encoder without anything around it.
 *
 * usage: encode TOKENIZER.json FILE...   MB/s over the files, one thread
 *        encode TOKENIZER.json --ids     texts on stdin, each after its
 *                                        length (u32, little-endian); a line
 *                                        of ids for each; --ids-content
 *                                        treats them as content
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "rounds.h"
#include "text/tokenizer.h"

static int
print_ids(struct encoder *en, bool marks)
{
    uint8_t head[4];
    struct ids ids;
    struct buf text;
    size_t n, i;

    ids_init(&ids);
    buf_init(&text);
    while (fread(head, 1, 4, stdin) == 4) {
        n = load_u32(head);
        buf_reset(&text);
        if (fread(buf_room(&text, n), 1, n, stdin) != n)
            return 1;
        ids.n = 0;
        encoder_add(en, text.data, n, marks, &ids);
        for (i = 0; i < ids.n; i++)
            printf("%s%u", i ? " " : "", ids.id[i]);
        printf("\n");
    }
    buf_release(&text);
    ids_release(&ids);
    return 0;
}

static int
time_files(struct encoder *en, char **path, int n, struct err *e)
{
    size_t bytes = 0, total = 0;
    struct ids ids;
    struct buf text;
    double s = 0, t;
    int i, rc = 0;

    ids_init(&ids);
    buf_init(&text);
    for (i = 0; i < n && rc == 0; i++) {
        rc = file_read(&text, path[i], 1 << 30, e);
        t = clock_now(CLOCK_MONOTONIC);
        ids.n = 0;
        encoder_add(en, text.data, text.len, true, &ids);
        s += clock_now(CLOCK_MONOTONIC) - t;
        bytes += text.len;
        total += ids.n;
        buf_reset(&text);
    }
    printf("{\"mb_s\": %.1f, \"bytes\": %zu, \"ids\": %zu}\n",
           (double)bytes / s / 1e6, bytes, total);
    buf_release(&text);
    ids_release(&ids);
    return rc;
}

int
main(int argc, char **argv)
{
    struct tokenizer t;
    struct encoder en;
    struct err e = { 0 };
    int rc;

    if (argc < 3)
        return 2;
    rc = tokenizer_open(&t, argv[1], &e);
    if (rc == 0) {
        encoder_init(&en, &t);
        if (strncmp(argv[2], "--ids", 5) == 0)
            rc = print_ids(&en, strcmp(argv[2], "--ids") == 0);
        else
            rc = time_files(&en, argv + 2, argc - 2, &e);
        if (rc == 0)
            rc = encoder_check(&en, &e);
        encoder_release(&en);
        tokenizer_release(&t);
    }
    if (rc < 0)
        fprintf(stderr, "encode: %s\n", e.text);
    return rc < 0 ? -rc : rc;
}

/* adapter.c - any adapter_config.json and any header of a .safetensors file,
 * as PEFT's directory or mlx-lm's: what is read has modules of their own, in
 * order, and comes back from mlx-lm's directory where it can be written there.
 *
 * The input: which of the two (u8), the bytes of data behind the header, zeros
 * (u8), the config, a NUL, the header. */
#include "weights/adapter_mlx.h"

#include <string.h>

#include "base/log.h"
#include "scratch.h"

/* The file of tensors, and none of that other name. */
static void
put_tensors(const uint8_t *header, size_t n, size_t bytes, bool mlx)
{
    char *path = scratch_path(mlx ? ADAPTER_MLX_WEIGHTS : ADAPTER_WEIGHTS);
    char *other = scratch_path(mlx ? ADAPTER_WEIGHTS : ADAPTER_MLX_WEIGHTS);
    uint8_t *file = calloc(1, 8 + n + bytes);

    MUST(file);
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memcpy(file + 8, header, n);
    unlink(other);
    scratch_put(path, file, 8 + n + bytes);
    free(file);
    free(path);
    free(other);
}

static void
check(const struct adapter *a)
{
    volatile float sum = 0;

    MUST(a->n > 0);
    for (size_t i = 0; i < a->n; i++) {
        const struct adapter_module *m = &a->item[i];

        MUST(i == 0 || strcmp(a->item[i - 1].name, m->name) < 0);
        MUST(m->rank > 0 && m->in > 0 && m->out > 0);
        sum = sum + m->a[(size_t)m->rank * m->in - 1];
        sum = sum + m->b[(size_t)m->rank * m->out - 1];
        MUST(!a->dora == !m->magnitude);
    }
}

/* PEFT's file has to be gone for mlx-lm's to be read. */
static void
turn(const struct adapter *a)
{
    char *path = scratch_path(ADAPTER_WEIGHTS);
    struct adapter b;
    struct err e;

    if (adapter_mlx_write(a, 0, DTYPE_F32, scratch_dir, &e) == 0) {
        unlink(path);
        MUST(adapter_read(&b, scratch_dir, &e) == 0);
        MUST(b.n == a->n && b.dora == a->dora);
        adapter_release(&b);
    }
    free(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 2 ? memchr(data + 2, 0, size - 2) : NULL;
    struct adapter a;
    struct err e;
    char *path;

    if (!nul)
        return 0;
    log_setup("fuzz", -1);
    path = scratch_path(ADAPTER_CONFIG);
    scratch_put(path, data + 2, (size_t)(nul - data) - 2);
    free(path);
    put_tensors(nul + 1, size - (size_t)(nul + 1 - data), data[1],
                data[0] % 2);
    if (adapter_read(&a, scratch_dir, &e) < 0) {
        MUST(e.text[0]);
        return 0;
    }
    check(&a);
    turn(&a);
    adapter_release(&a);
    return 0;
}

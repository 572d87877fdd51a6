/* adapter_layout.c - names of tensors, and of modules in their layers. */
#include "weights/adapter_layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "weights/adapter_config.h"
#include "weights/adapter_mlx.h"

#define GPT2 "transformer."
#define GPT2_LAYERS "h."

const struct adapter_layout adapter_peft = {
    .weights = ADAPTER_WEIGHTS, .format = "pt",
    .prefix = "base_model.model.",
    .suffix = { ".lora_A.weight", ".lora_B.weight",
                ".lora_magnitude_vector" },
    .gpt2 = GPT2,
    .config = adapter_config_keys, .selects = adapter_config_selects,
};

const struct adapter_layout adapter_mlx = {
    .weights = ADAPTER_MLX_WEIGHTS, .format = "mlx",
    .prefix = "",
    .suffix = { ".lora_a", ".lora_b", ".m" },
    .gpt2 = "model.",
    .turned = true,
    .config = adapter_mlx_config, .selects = adapter_mlx_selects,
    .settle = adapter_mlx_settle,
};

static bool
begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

char *
adapter_module_of(const struct adapter_layout *l, const char *tensor,
                  enum adapter_part part)
{
    size_t n = strlen(tensor), prefix = strlen(l->prefix);
    size_t end = strlen(l->suffix[part]), body = strlen(l->gpt2);
    bool gpt2;
    struct buf name;
    char *copy;

    if (n <= prefix + end || !begins(tensor, l->prefix)
        || strcmp(tensor + n - end, l->suffix[part]) != 0)
        return NULL;
    tensor += prefix;
    n -= prefix + end;
    gpt2 = begins(tensor, l->gpt2) && begins(tensor + body, GPT2_LAYERS);
    if (!gpt2 && begins(tensor, GPT2 GPT2_LAYERS))
        return NULL; /* two names of one module */
    buf_init(&name);
    buf_addf(&name, "%s%.*s", gpt2 ? GPT2 : "", (int)(n - gpt2 * body),
             tensor + gpt2 * body);
    copy = mem_dup(name.data, name.len);
    buf_release(&name);
    return copy;
}

char *
adapter_tensor_name(const struct adapter_layout *l, const char *module,
                    enum adapter_part part)
{
    bool gpt2 = begins(module, GPT2 GPT2_LAYERS);
    struct buf name;
    char *copy;

    buf_init(&name);
    buf_addf(&name, "%s%s%s%s", l->prefix, gpt2 ? l->gpt2 : "",
             module + (gpt2 ? strlen(GPT2) : 0), l->suffix[part]);
    copy = mem_dup(name.data, name.len);
    buf_release(&name);
    return copy;
}

const char *
adapter_name_in_layer(const char *module, uint32_t *layer)
{
    const char *p;
    size_t n;

    for (p = module; (p = strchr(p, '.')) != NULL;) {
        n = strspn(++p, "0123456789");
        if (n > 0 && n < 10 && p[n] == '.') {
            *layer = (uint32_t)strtoul(p, NULL, 10);
            return p + n + 1;
        }
    }
    *layer = UINT32_MAX;
    return module;
}

#define TILE 32

void
adapter_turn(float *out, const float *in, size_t rows, size_t cols)
{
    /* In tiles, so that both sides of one stay in the cache. */
    for (size_t top = 0; top < rows; top += TILE)
        for (size_t left = 0; left < cols; left += TILE)
            for (size_t i = top; i < rows && i < top + TILE; i++)
                for (size_t k = left; k < cols && k < left + TILE; k++)
                    out[k * rows + i] = in[i * cols + k];
}

int
adapter_pack(void *bytes, enum dtype dtype, float *x, size_t n,
             const char *module, struct err *e)
{
    floats_store(bytes, dtype, x, n);
    if (dtype != DTYPE_F32)
        floats_load(x, bytes, dtype, n);
    return floats_bad(x, n) == n ? 0
           : err_set(e, ERR_DATA, "module %s: a value is too great for %s",
                     module, dtype_name(dtype));
}

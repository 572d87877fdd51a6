/* layer_kind.h - the kinds of mixer and of feed-forward; private to lib/model.
 *
 * A layer is one of each (struct layer_desc names them). A row says which
 * modules a layer of the kind has, and emits its ops; lists of modules and the
 * builder read rows and know no kind by name. A new kind is a row here and an
 * emitter in a file of its own.
 */
#ifndef MODEL_LAYER_KIND_H
#define MODEL_LAYER_KIND_H

#include "model/build.h"

#define ROLE_BIT(role) (UINT64_C(1) << (role))

struct layer_kind {
    const char *name;
    uint64_t roles; /* ROLE_BITs */

    /* Emits the ops from x, the normed input, to residual + the kind's
     * output, which it returns: both [rows, dim]. NULL: a layer of the kind
     * has no such part. */
    struct view (*emit)(struct build *b, uint32_t layer, struct view x,
                        struct view residual);
};

/* The row of an enum mixer_kind or an enum ffn_kind. */
const struct layer_kind *mixer_kind(unsigned kind);
const struct layer_kind *ffn_kind(unsigned kind);

/* Whether layers of those kinds have a module of the role. */
bool layer_has_role(const struct layer_desc *y, unsigned role);

/* mix_attention.c, mix_mamba.c, ffn.c, ffn_experts.c */
struct view mix_attention(struct build *b, uint32_t layer, struct view x,
                          struct view residual);
struct view mix_mamba(struct build *b, uint32_t layer, struct view x,
                      struct view residual);
struct view mix_mamba2(struct build *b, uint32_t layer, struct view x,
                       struct view residual);
struct view ffn_mlp(struct build *b, uint32_t layer, struct view x,
                    struct view residual);
struct view ffn_gated(struct build *b, uint32_t layer, struct view x,
                      struct view residual);

/* A gated feed-forward of these modules, of which those of `in`, as far as the
 * layer has them, make gate and up. */
struct gated_roles {
    uint8_t in[3], n, down;
};

struct view ffn_gated_of(struct build *b, uint32_t layer,
                         const struct gated_roles *r, struct view x,
                         struct view residual);
struct view ffn_experts(struct build *b, uint32_t layer, struct view x,
                        struct view residual);
struct view ffn_shared(struct build *b, uint32_t layer, struct view x,
                       struct view residual);

#endif

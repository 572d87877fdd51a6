/* megatron.h - what writing and reading Megatron-LM's indexed dataset share;
 * private to export_megatron.c and import_megatron.c. */
#ifndef RECORD_MEGATRON_H
#define RECORD_MEGATRON_H

#define MEGATRON_MAGIC "MMIDIDX\0\0"
#define MEGATRON_MAGIC_BYTES 9
#define MEGATRON_VERSION 1
#define MEGATRON_HEAD 34 /* bytes: magic, version, type, two counts */

/* Types of the ids, as NumPy calls them. */
enum megatron_type {
    MEGATRON_U8 = 1, MEGATRON_I8, MEGATRON_I16, MEGATRON_I32, MEGATRON_I64,
    MEGATRON_F64, MEGATRON_F32, MEGATRON_U16
};

/* PREFIX and the suffix; the caller frees it. */
char *megatron_path(const char *prefix, const char *suffix);

#endif

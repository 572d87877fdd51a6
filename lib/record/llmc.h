/* llmc.h - what writing and reading llm.c's files of tokens share; private
 * to export_llmc.c and import_llmc.c.
 *
 * 256 numbers of 32 bits: the kind's magic number, its version, how many
 * ids follow, zeros. Then the ids, all little-endian.
 */
#ifndef RECORD_LLMC_H
#define RECORD_LLMC_H

#define LLMC_HEAD 1024 /* bytes */

#define LLMC_GPT2_MAGIC 20240520 /* ids of 16 bits */
#define LLMC_GPT2_VERSION 1
#define LLMC_LLAMA3_MAGIC 20240801 /* ids of 32 bits */
#define LLMC_LLAMA3_VERSION 7

#endif

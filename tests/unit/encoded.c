/* encoded.c - what is data in letters, and what only looks like it. */
#include "text/encoded.h"

#include <string.h>

#include "test.h"

static void
try(const char *text, size_t encoded, size_t shown)
{
    size_t seen;

    CHECK_EQ_U64(encoded_bytes(text, strlen(text), &seen), encoded);
    CHECK_EQ_U64(seen, shown);
}

#define BASE64 "iQIzBAABCgAdFiEEb7l2uKpKPG4Qz0X5mmA+/w=="
#define SHA1 "356a192b7913b04c54574d18c28d46e6395428ab"

TEST(runs)
{
    try("", 0, 0);
    try(BASE64, 40, 40);
    try(" \t" SHA1 "\n" SHA1 " file\n", 80, 84);
    try("iQIzBAABCgAdFiEEb7l2uKpKPG4Qz0X", 0, 31); /* too short */
    try("a_very_long_name_of_a_function_in_snake_case_1", 0, 46);
    try("getFieldOfTheFirstObject10OrThrowIt", 0, 35);
    try("AbstractSingletonProxyFactoryBeanDefinition", 0, 43);
    try("src/libgit2/transports/http/client/request/2", 0, 44);
    try("========================================", 0, 40);
    try("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1", 0, 41);
}

TEST(literals)
{
    try("0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde,\n0xf0", 0, 39);
    try("0x12,0x34,0x56,0x78,0x9a,0xbc,0xde,0xf0\n", 32, 39);
    try("0x1UL,0X2,0x3,0x4,0x5,0x6,0x7,0x8", 26, 33);
    try("\"\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\"", 32, 34);
    try("\\u0101\\u0102\\u0103\\u0104\\u0105\\u0106\\u0107\\u0108", 48, 48);
    try("x12 x12 x12 x12 x12 x12 x12 x12 0xyz", 0, 28);
    try("0x 0x 0x 0x 0x 0x 0x 0x 0x", 0, 18);
}

TEST(half_of_it_and_enough)
{
    CHECK(encoded_is_data(512, 512));
    CHECK(encoded_is_data(512, 768));
    CHECK(!encoded_is_data(512, 769));
    CHECK(!encoded_is_data(511, 511));
    CHECK(!encoded_is_data(0, 0));
}

static const struct test tests[] = {
    RUN(runs),
    RUN(literals),
    RUN(half_of_it_and_enough),
};

TEST_MAIN("encoded", tests)

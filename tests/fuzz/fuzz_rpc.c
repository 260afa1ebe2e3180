/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes what a stranger's bytes meet first on the control socket: the request's parser, and the
 * decoder of every method's params.
 *
 * The bytes are read as a request, as a reply, as the params of every method (so that the fuzzer
 * need not guess the frame around them), and as a word of the command line.  What a decoder lets
 * through is checked again: it has only known keys, and a name that is one.
 *
 * fuzz-sources: ctl/rpc.c ctl/method.c ctl/method_table.c ctl/method_table_vm.c
 * fuzz-sources: ctl/method_table_team.c ctl/value.c switch/error.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/method.h"
#include "ctl/rpc.h"
#include "ctl/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void check_decoded(const struct method_spec *spec, const json_t *decoded)
{
    for (size_t i = 0; i < method_key_count(spec); i++) {
        const struct method_key *key = &spec->keys[i];
        const json_t *value = json_object_get(decoded, key->name);

        require(value != NULL || !key->required || key->side == METHOD_SIDE_CLIENT);
        require(value == NULL || key->side != METHOD_SIDE_CLIENT);
        if (value != NULL && key->kind == METHOD_KIND_NAME) {
            require(value_is_name(json_string_value(value)));
        }
        if (value != NULL && key->kind == METHOD_KIND_UINT) {
            require((uint64_t)json_integer_value(value) <= key->max);
        }
    }
    require(json_object_size(decoded) <= method_key_count(spec));
}

static void decode(const struct method_spec *spec, const json_t *params)
{
    struct error error = { 0 };
    json_t *decoded = NULL;

    if (method_decode(spec, params, &decoded, &error) == 0) {
        check_decoded(spec, decoded);
        json_decref(decoded);
    } else {
        require(error.text[0] != '\0' && decoded == NULL);
    }
}

/* The bytes as the params of every method. */
static void decode_all(const char *data, size_t size)
{
    json_t *params = json_loadb(data, size, JSON_DECODE_ANY, NULL);

    for (size_t m = 0; params != NULL && m < METHOD_COUNT; m++) {
        decode(method_get((enum method_id)m), params);
    }
    json_decref(params);
}

/* Text as the command line has it, for every key there is. */
static void encode(const char *text)
{
    for (size_t m = 0; m < METHOD_COUNT; m++) {
        const struct method_spec *spec = method_get((enum method_id)m);

        for (size_t i = 0; i < method_key_count(spec); i++) {
            json_t *value = NULL;

            if (method_encode_text(&spec->keys[i], text, &value, NULL) == 0) {
                json_decref(value);
            }
        }
    }
}

static void answer(const struct rpc_request *request, enum rpc_code code, const struct error *error)
{
    size_t len_bytes = 0;
    char *line = code == RPC_OK ? rpc_format_result(request->id, request->params, &len_bytes)
                                : rpc_format_error(request->id, code, error, &len_bytes);

    require(line != NULL && line[len_bytes - 1] == '\n');
    require(memchr(line, '\n', len_bytes) == line + len_bytes - 1);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_request request;
    struct error error = { 0 };
    const enum rpc_code code = rpc_parse_request((const char *)data, size, &request, &error);
    json_t *result = NULL;
    char text[256];

    require((code == RPC_OK) == (error.text[0] == '\0'));
    if (code == RPC_OK && method_find(request.method) != NULL) {
        decode(method_find(request.method), request.params);
    }
    answer(&request, code, &error);
    rpc_request_clear(&request);

    decode_all((const char *)data, size);
    (void)rpc_parse_reply((const char *)data, size, 1, &result, &error);
    json_decref(result);
    size = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    encode(text);
    return 0;
}

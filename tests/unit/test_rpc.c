/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/rpc: what is a request, what is a reply, and what is neither. */
#include "ctl/rpc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_parsed(const char *line, enum rpc_code code)
{
    struct rpc_request request;
    struct error error = { 0 };

    assert_int_equal(rpc_parse_request(line, strlen(line), &request, &error), code);
    assert_true((code == RPC_OK) == (error.text[0] == '\0'));
    rpc_request_clear(&request);
}

static void test_request_is_read(void **state)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"switch.show\","
                               "\"params\":{\"name\":\"lan\"}}";
    struct rpc_request request;
    struct error error = { 0 };

    (void)state;
    assert_int_equal(rpc_parse_request(line, strlen(line), &request, &error), RPC_OK);
    assert_string_equal(request.method, "switch.show");
    assert_int_equal(json_integer_value(request.id), 7);
    assert_string_equal(json_string_value(json_object_get(request.params, "name")), "lan");
    rpc_request_clear(&request);
}

static void test_request_may_have_any_id_and_no_params(void **state)
{
    (void)state;
    assert_parsed("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"m\"}", RPC_OK);
    assert_parsed("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}", RPC_OK);
    assert_parsed("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"m\"}\r", RPC_OK);
}

static void test_request_that_is_no_json_is_refused(void **state)
{
    static const char *const bad[] = { "", " ", "{", "}", "{]", "nonsense", "{\"a\":}", "\xff\xfe",
                                       "{\"a\":1}{\"b\":2}", "{\"a\":\"\\u0000\"}", "{\"a\":1e999}",
                                       "{\"id\":1,\"id\":2}", "{'a':1}",
                                       "{\"a\":99999999999999999999}" };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_parsed(bad[i], RPC_PARSE_ERROR);
    }
}

static void test_request_with_nul_bytes_is_refused(void **state)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\0\"method\":\"m\"}";
    struct rpc_request request;

    (void)state;
    assert_int_equal(rpc_parse_request(line, sizeof(line) - 1, &request, NULL), RPC_PARSE_ERROR);
    rpc_request_clear(&request);
}

static void test_request_that_is_too_deep_is_refused(void **state)
{
    char line[10000];
    struct rpc_request request;

    (void)state;
    memset(line, '[', sizeof(line));
    assert_int_equal(rpc_parse_request(line, sizeof(line), &request, NULL), RPC_PARSE_ERROR);
    rpc_request_clear(&request);
}

static void test_json_that_is_no_request_is_refused(void **state)
{
    static const char *const bad[] = {
        "1", "null", "\"x\"", "[]", "{}",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}]",
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}",
        "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"m\"}",
        "{\"id\":1,\"method\":\"m\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"m\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"m\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[1]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":null}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\",\"extra\":null}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_parsed(bad[i], RPC_INVALID_REQUEST);
    }
}

static void test_request_that_is_refused_keeps_its_id_for_the_reply(void **state)
{
    static const char line[] = "{\"jsonrpc\":\"1.0\",\"id\":\"abc\"}";
    struct rpc_request request;

    (void)state;
    assert_int_equal(rpc_parse_request(line, strlen(line), &request, NULL), RPC_INVALID_REQUEST);
    assert_string_equal(json_string_value(request.id), "abc");
    rpc_request_clear(&request);
}

static void test_result_is_one_line(void **state)
{
    json_t *id = json_integer(3);
    json_t *result = json_pack("{s:s}", "name", "a\nb");
    size_t len_bytes = 0;
    char *line = rpc_format_result(id, result, &len_bytes);

    (void)state;
    assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"name\":\"a\\nb\"}}\n");
    assert_int_equal(len_bytes, strlen(line));
    free(line);
    json_decref(result);
    json_decref(id);
}

static void test_result_that_is_absent_is_an_empty_object(void **state)
{
    size_t len_bytes = 0;
    char *line = rpc_format_result(NULL, NULL, &len_bytes);

    (void)state;
    assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}\n");
    free(line);
}

static void test_error_carries_its_errno_when_refused(void **state)
{
    const struct error error = { .code = EEXIST, .text = "There is one." };
    size_t len_bytes = 0;
    char *line = rpc_format_error(NULL, RPC_REFUSED, &error, &len_bytes);

    (void)state;
    assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,"
                              "\"message\":\"There is one.\",\"data\":{\"errno\":17}}}\n");
    free(line);
    line = rpc_format_error(NULL, RPC_INVALID_PARAMS, &error, &len_bytes);
    assert_null(strstr(line, "data"));
    free(line);
}

static void test_error_with_a_cut_character_is_still_told(void **state)
{
    const struct error error = { .code = ENOENT, .text = "caf\xc3" };
    size_t len_bytes = 0;
    char *line = rpc_format_error(NULL, RPC_REFUSED, &error, &len_bytes);

    (void)state;
    assert_non_null(line);
    assert_non_null(strstr(line, "caf?"));
    free(line);
}

static int parse_reply(const char *line, json_t **result, struct error *error)
{
    *result = NULL;
    return rpc_parse_reply(line, strlen(line), 5, result, error);
}

static void test_reply_with_a_result_is_read(void **state)
{
    struct error error = { 0 };
    json_t *result;

    (void)state;
    assert_int_equal(parse_reply("{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":[1]}", &result, &error),
                     RPC_OK);
    assert_int_equal(json_array_size(result), 1);
    json_decref(result);
}

static void test_reply_with_an_error_is_read(void **state)
{
    struct error error = { 0 };
    json_t *result;

    (void)state;
    assert_int_equal(parse_reply("{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32000,"
                                 "\"message\":\"No.\",\"data\":{\"errno\":16}}}", &result, &error),
                     RPC_REFUSED);
    assert_int_equal(error.code, EBUSY);
    assert_string_equal(error.text, "No.");
    assert_null(result);
}

static void test_reply_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "x", "[]", "{}", "{\"id\":5}", "{\"id\":6,\"result\":{}}",
        "{\"id\":\"5\",\"result\":{}}",
        "{\"id\":null,\"result\":{}}", "{\"id\":6,\"error\":{\"code\":-1,\"message\":\"x\"}}",
        "{\"id\":5,\"error\":7}", "{\"id\":5,\"error\":{\"code\":0,\"message\":\"x\"}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error error = { 0 };
        json_t *result;

        assert_int_equal(parse_reply(bad[i], &result, &error), RPC_PARSE_ERROR);
        assert_int_equal(error.code, EPROTO);
        assert_null(result);
    }
}

static void test_own_request_is_read_back(void **state)
{
    struct rpc_request request;
    struct error error = { 0 };
    size_t len_bytes = 0;
    char *line = rpc_format_request(9, "switch.list", NULL, &len_bytes);

    (void)state;
    assert_int_equal(rpc_parse_request(line, len_bytes - 1, &request, &error), RPC_OK);
    assert_int_equal(json_integer_value(request.id), 9);
    rpc_request_clear(&request);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_read),
        cmocka_unit_test(test_request_may_have_any_id_and_no_params),
        cmocka_unit_test(test_request_that_is_no_json_is_refused),
        cmocka_unit_test(test_request_with_nul_bytes_is_refused),
        cmocka_unit_test(test_request_that_is_too_deep_is_refused),
        cmocka_unit_test(test_json_that_is_no_request_is_refused),
        cmocka_unit_test(test_request_that_is_refused_keeps_its_id_for_the_reply),
        cmocka_unit_test(test_result_is_one_line),
        cmocka_unit_test(test_result_that_is_absent_is_an_empty_object),
        cmocka_unit_test(test_error_carries_its_errno_when_refused),
        cmocka_unit_test(test_error_with_a_cut_character_is_still_told),
        cmocka_unit_test(test_reply_with_a_result_is_read),
        cmocka_unit_test(test_reply_with_an_error_is_read),
        cmocka_unit_test(test_reply_that_is_none_is_refused),
        cmocka_unit_test(test_own_request_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/rpc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static enum rpc_code refuse_request(struct error *error, const char *sentence)
{
    (void)error_set(error, EINVAL, "%s", sentence);
    return RPC_INVALID_REQUEST;
}

static bool key_is_known(const char *key)
{
    return strcmp(key, "jsonrpc") == 0 || strcmp(key, "id") == 0 || strcmp(key, "method") == 0 ||
           strcmp(key, "params") == 0;
}

/* What the standard says a request is (JSON-RPC 2.0, 4), narrowed as the header says. */
static enum rpc_code check_request(struct rpc_request *request, struct error *error)
{
    const json_t *message = request->message;
    const json_t *version = json_object_get(message, "jsonrpc");
    const json_t *method = json_object_get(message, "method");
    json_t *id = json_object_get(message, "id");
    json_t *params = json_object_get(message, "params");
    const char *key;
    json_t *value;

    if (json_is_array(message)) {
        return refuse_request(error, "Batches are not served; send each request as a line of its "
                                     "own.");
    }
    if (!json_is_object(message)) {
        return refuse_request(error, "A request is a JSON object on one line.");
    }
    if (json_is_string(id) || json_is_number(id)) {
        request->id = json_incref(id);
    } else if (id == NULL) {
        return refuse_request(error, "A request needs an \"id\"; notifications are not served, "
                                     "because nobody would learn that one failed.");
    } else if (!json_is_null(id)) {
        return refuse_request(error, "A request's \"id\" is a string, a number or null.");
    }
    if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0) {
        return refuse_request(error, "A request says \"jsonrpc\": \"2.0\".");
    }
    if (!json_is_string(method)) {
        return refuse_request(error, "A request names its \"method\", such as \"switch.list\".");
    }
    if (params != NULL && !json_is_object(params)) {
        return refuse_request(error, "A request's \"params\" is an object of named keys.");
    }
    json_object_foreach(request->message, key, value) {
        (void)value;
        if (!key_is_known(key)) {
            return refuse_request(error, "A request has no keys but \"jsonrpc\", \"id\", "
                                         "\"method\" and \"params\".");
        }
    }
    request->method = json_string_value(method);
    request->params = json_incref(params);
    return RPC_OK;
}

enum rpc_code rpc_parse_request(const char *line, size_t len_bytes, struct rpc_request *request,
                                struct error *error)
{
    json_error_t where;

    *request = (struct rpc_request){ 0 };
    request->message = json_loadb(line, len_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                                  &where);
    if (request->message == NULL) {
        (void)error_set(error, EINVAL, "The request is not JSON, near column %d: %s.", where.column,
                        json_error_code(&where) == json_error_out_of_memory ? "no memory left"
                        : json_error_code(&where) == json_error_duplicate_key ? "a key comes twice"
                        : json_error_code(&where) == json_error_stack_overflow ? "it is too deep"
                        : json_error_code(&where) == json_error_null_character ? "a NUL character"
                        : "the syntax is wrong");
        return RPC_PARSE_ERROR;
    }
    return check_request(request, error);
}

void rpc_request_clear(struct rpc_request *request)
{
    json_decref(request->id);
    json_decref(request->params);
    json_decref(request->message);
    *request = (struct rpc_request){ 0 };
}

/* Writes @p message, which is taken and may be NULL, as one line. */
static char *format_line(json_t *message, size_t *len_bytes)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    char *line = NULL;
    size_t size;

    if (message != NULL) {
        line = json_dumps(message, flags);
        json_decref(message);
    }
    if (line == NULL) {
        return NULL;
    }
    size = strlen(line);
    char *longer = realloc(line, size + 2);
    if (longer == NULL) {
        free(line);
        return NULL;
    }
    memcpy(longer + size, "\n", 2);
    *len_bytes = size + 1;
    return longer;
}

/* Packing only takes a reference, and gives it back with the message. */
static json_t *mutable(const json_t *value)
{
    return (json_t *)(uintptr_t)value;
}

char *rpc_format_result(const json_t *id, const json_t *result, size_t *len_bytes)
{
    json_t *given = result != NULL ? json_incref(mutable(result)) : json_object();

    return format_line(json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", mutable(id),
                                 "result", given), len_bytes);
}

/* A sentence that quotes a file's name, or was cut, may not be UTF-8: then it is told in ASCII. */
static json_t *sentence_json(const char *text)
{
    json_t *sentence = json_string(text);
    char ascii[ERROR_TEXT_SIZE];
    size_t i = 0;

    if (sentence != NULL) {
        return sentence;
    }
    for (; text[i] != '\0' && i + 1 < sizeof(ascii); i++) {
        ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    }
    ascii[i] = '\0';
    return json_string(ascii);
}

char *rpc_format_error(const json_t *id, enum rpc_code code, const struct error *error,
                       size_t *len_bytes)
{
    json_t *data = code == RPC_REFUSED ? json_pack("{s:i}", "errno", error->code) : NULL;

    return format_line(json_pack("{s:s, s:O?, s:{s:i, s:o, s:o*}}", "jsonrpc", "2.0",
                                 "id", mutable(id), "error", "code", (int)code,
                                 "message", sentence_json(error->text), "data", data), len_bytes);
}

char *rpc_format_request(json_int_t id, const char *method, const json_t *params,
                         size_t *len_bytes)
{
    json_t *given = params != NULL ? json_incref(mutable(params)) : json_object();

    return format_line(json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", id,
                                 "method", method, "params", given), len_bytes);
}

static int no_reply(struct error *error, const char *why)
{
    (void)error_set(error, EPROTO, "The daemon's answer is not understood (%s); is it of another "
                    "version than this vswitchctl?", why);
    return RPC_PARSE_ERROR;
}

/* Takes over the sentence and errno of an error reply. */
static int read_error(const json_t *failure, struct error *error)
{
    const json_t *code = json_object_get(failure, "code");
    const json_t *text = json_object_get(failure, "message");
    const json_t *number = json_object_get(json_object_get(failure, "data"), "errno");
    const json_int_t kind = json_integer_value(number);

    if (!json_is_integer(code) || !json_is_string(text) || json_integer_value(code) >= 0 ||
        json_integer_value(code) < INT32_MIN) {
        return no_reply(error, "an error without code or message");
    }
    (void)error_set(error, kind > 0 && kind < 4096 ? (int)kind : EINVAL, "%s",
                    json_string_value(text));
    return (int)json_integer_value(code);
}

int rpc_parse_reply(const char *line, size_t len_bytes, json_int_t id, json_t **result,
                    struct error *error)
{
    json_t *message = json_loadb(line, len_bytes, JSON_REJECT_DUPLICATES, NULL);
    const json_t *reply_id = json_object_get(message, "id");
    const json_t *failure = json_object_get(message, "error");
    json_t *success = json_object_get(message, "result");
    int rc = RPC_OK;

    /* A server that could not read the request, or lets us not in, answers with a null id. */
    const bool ours = json_is_integer(reply_id) && json_integer_value(reply_id) == id;

    if (!json_is_object(message)) {
        rc = no_reply(error, "not a JSON object");
    } else if (failure != NULL && (ours || json_is_null(reply_id))) {
        rc = read_error(failure, error);
    } else if (!ours || success == NULL) {
        rc = no_reply(error, "neither result nor error for this request");
    } else {
        *result = json_incref(success);
    }
    json_decref(message);
    return rc;
}

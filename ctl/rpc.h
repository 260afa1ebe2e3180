/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON-RPC 2.0 messages, one JSON object a line: to and from bytes, and nothing else.
 *
 * Pure functions on buffers, so that the part that meets a stranger's bytes can be tested and
 * fuzzed without a socket.  Three decisions narrow the standard, each to keep "one line in, one
 * line out": a request has an id (a notification could fail and nobody would know), there are no
 * batches (send several lines), and params are an object.  A key that comes twice is an error: two
 * readers would believe two different values.
 */
#ifndef CTL_RPC_H
#define CTL_RPC_H

#include <stddef.h>

#include <jansson.h>

#include "switch/error.h"

#define RPC_REQUEST_MAX_BYTES 65536u     /* a request's line, with its newline */

/* JSON-RPC 2.0, 5.1; -32000 is the first of those it leaves to the server. */
enum rpc_code {
    RPC_OK               = 0,
    RPC_PARSE_ERROR      = -32700,
    RPC_INVALID_REQUEST  = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS   = -32602,
    RPC_INTERNAL_ERROR   = -32603,
    RPC_REFUSED          = -32000,       /* understood, but not done; data.errno says the kind */
};

struct rpc_request {
    json_t *id;                    /* owned; a string, a number, or NULL for null and unknown */
    json_t *params;                /* owned; an object, or NULL when there were none */
    const char *method;            /* borrowed from message */
    json_t *message;               /* owned */
};

/**
 * Reads one line.
 *
 * @param line     @p len_bytes of anything, without the newline
 * @param request  filled; also after an error it holds the id, as far as one was found, for the
 *                 reply, and is to be cleared in any case
 * @return RPC_OK, RPC_PARSE_ERROR or RPC_INVALID_REQUEST, then with a sentence in @p error
 * Thread: any.
 */
enum rpc_code rpc_parse_request(const char *line, size_t len_bytes, struct rpc_request *request,
                                struct error *error);

/** Gives back what @p request owns. */
void rpc_request_clear(struct rpc_request *request);

/*
 * The three below write one line with its newline.  They borrow all arguments, and return it owned,
 * to be freed with free(), or NULL when memory is short.  Thread: any.
 */

/** {"jsonrpc":"2.0","id":ID,"result":RESULT}; an id or result of NULL is written as null and {}. */
char *rpc_format_result(const json_t *id, const json_t *result, size_t *len_bytes);

/**
 * {"jsonrpc":"2.0","id":ID,"error":{code, message, data{errno}}}; the errno only with RPC_REFUSED.
 */
char *rpc_format_error(const json_t *id, enum rpc_code code, const struct error *error,
                       size_t *len_bytes);

/** {"jsonrpc":"2.0","id":ID,"method":METHOD,"params":PARAMS}. */
char *rpc_format_request(json_int_t id, const char *method, const json_t *params,
                         size_t *len_bytes);

/**
 * Reads the reply to request @p id.
 *
 * @param result  returned owned, with RPC_OK only
 * @return RPC_OK; the code of an error reply, with the daemon's sentence and errno in @p error
 *         (EINVAL when it sent none); RPC_PARSE_ERROR with EPROTO in @p error when this is no reply
 *         to that request
 * Thread: any.
 */
int rpc_parse_reply(const char *line, size_t len_bytes, json_int_t id, json_t **result,
                    struct error *error);

#endif

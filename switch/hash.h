/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mixing two words into one, for hashes of what a frame's header says.
 *
 * One multiplication.  It has no secret, so whoever knows it can make keys that meet: use it where
 * that costs nobody but them.
 */
#ifndef SWITCH_HASH_H
#define SWITCH_HASH_H

#include <stdint.h>

/** Every bit of both words has a say in every bit of the product's middle. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    const unsigned __int128 product = (unsigned __int128)(a ^ UINT64_C(0x9e3779b97f4a7c15)) *
                                      (b ^ UINT64_C(0xc2b2ae3d27d4eb4f));

    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

#endif

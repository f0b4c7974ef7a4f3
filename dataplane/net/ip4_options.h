/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of an IPv4 header (RFC 791, section 3.1), as a host reads that uses none of them:
 * lengths are checked, a source route is refused (RFC 7126, sections 4.3 and 4.4), all others are
 * skipped, unknown ones too (RFC 1122, section 3.2.1.8). Pure; thread: any.
 */
#pragma once

#include <stdint.h>

enum ip4_options_fault {
    IP4_OPTIONS_FINE,
    IP4_OPTIONS_BROKEN,       /* a length that is too short or leads out of the header */
    IP4_OPTIONS_SOURCE_ROUTE, /* loose or strict */
};

/* Looks at all of `bytes` <= 40. *ret_at: where the option that is at fault begins, only then. */
enum ip4_options_fault ip4_options_check(const uint8_t *options, uint32_t bytes, uint32_t *ret_at);

/* SPDX-License-Identifier: Apache-2.0 */
/* The words of one segment, and of one ICMP error. */
#pragma once

#include "script_words.h"

/* FLAGS SEQ[:END(LEN)] [ack N] [win N] [urg N] [each N] [<options>] with ECN and faults before. */
bool parse_segment(struct words *w, struct script_segment *ret);

/* unreachable net|host|port, too_big mtu N, time_exceeded; then "quote SEQ". */
bool parse_icmp(struct words *w, struct script_line *ret);

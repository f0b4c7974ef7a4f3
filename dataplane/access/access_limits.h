/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the access log, each with its reason. Units are the last word of the name. */
#pragma once

/* Lines that wait for the disk: 8,000 or so; 80 ms of 100,000 requests a second. Beyond: dropped,
 * counted. A power of two. */
#define ACCESS_BUFFER_BYTES_MAX (4u << 20)

/* One line, if every byte of its texts has to be written as six, and all names are of the longest.
 */
#define ACCESS_LINE_BYTES_MAX 16384u

/* Of a name of the image that is written: "namespace/gateway/listener" is 443 at most. */
#define ACCESS_NAME_BYTES_MAX 512u

/* How long the file's thread sleeps when it has nothing to write, and so how old a line may get. */
#define ACCESS_SLEEP_MS_MAX 5u

/* How long until it tries again when the file cannot be opened or written. */
#define ACCESS_RETRY_MS_MAX 200u

/* How long the end of the process waits for the last lines; a disk that hangs keeps nobody. */
#define ACCESS_CLOSE_MS_MAX 1000u

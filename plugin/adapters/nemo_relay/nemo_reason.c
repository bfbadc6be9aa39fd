/* nemo_reason.c - why something was refused, for the host.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "adapters/nemo_relay/nemo_reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

int nemo_reason_set(struct nemo_reason *reason, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  (void)vsnprintf(reason->text, sizeof reason->text, format, arguments);
  va_end(arguments);
  /* A full text may end within a character, which a host in Rust does not accept. */
  size_t len = strlen(reason->text);
  while (len > 0 && !utf8_valid((struct span){reason->text, len}))
    len--;
  reason->text[len] = '\0';
  return -1;
}

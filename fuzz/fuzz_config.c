/* fuzz_config.c - any bytes as a configuration: read or refused, never more than that.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/json_reader.h"
#include "config/config.h"
#include "config/config_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct config config;
  struct config_origins origins;
  struct error error;
  struct buffer report = {0};
  struct json_value value;

  config_init(&config, &origins);
  if (config_merge_json(&config, &origins, (struct span){(const char *)data, size}, &error) != 0) {
    if (error.text[0] == '\0' || !memchr(error.text, '\0', sizeof(error.text)))
      abort(); /* a refusal without a reason */
    goto out;
  }
  if (config_finish(&config, &origins, &error) != 0)
    goto out;
  config_report(&config, &origins, &report);
  if (json_reader_check(buffer_span(&report), JSON_STRICT, JSON_DEPTH_MAX, &value, NULL) != 0)
    abort(); /* what was accepted cannot be said as JSON */
out:
  buffer_fini(&report);
  config_fini(&config);
  return 0;
}

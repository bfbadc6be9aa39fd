/* fuzz_nemo.c - any bytes as what NeMo Relay hands over: read or refused, never more than that.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * First byte: even, the rest is a configuration; odd, it is an event.  What was accepted keeps the
 * promises of its header. */
#include <kaizen/extensions.h>
#include <kaizen/plugin.h>

#include <stdlib.h>
#include <string.h>

#include "adapters/nemo_relay/nemo_run.h"
#include "adapters/nemo_relay/nemo_settings.h"
#include "common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds) {
  if (!holds)
    abort();
}

static void try_configuration(struct span text) {
  struct nemo_settings settings;
  struct nemo_reason reason = {.text = ""};
  struct json_value value;

  if (nemo_settings_read(&settings, text, kaizen_plugin_v1()->config_schema, &reason) != 0) {
    require(memchr(reason.text, '\0', sizeof reason.text) != NULL && reason.text[0] != '\0');
    require(utf8_valid((struct span){reason.text, strlen(reason.text)}));
    return;
  }
  require(settings.agents || settings.turns);
  require(json_reader_check(buffer_span(&settings.kaizen), JSON_STRICT, JSON_DEPTH_MAX, &value,
                            NULL) == 0);
  require(value.type == JSON_OBJECT);
  nemo_settings_fini(&settings);
}

static void try_event(struct span text) {
  const struct kaizen_names_1 *names = kaizen_plugin_v1()->get_extension(KAIZEN_NAMES_1);
  char legal[KAIZEN_NAME_MAX + 1], error_type[NEMO_WORD_SIZE];
  struct nemo_event event;
  struct nemo_run run = {.agent = ""};

  if (nemo_event_read(&event, text) != 0 || event.phase == NEMO_NO_SCOPE)
    return;
  require(event.uuid[0] != '\0' && memchr(event.uuid, '\0', sizeof event.uuid) != NULL);
  require(event.time_ns >= 0);
  require(nemo_run_identify(&run, &event, names) == 0);
  if (run.agent[0] != '\0')
    require(names->map(run.agent, KAIZEN_NTS, legal, NULL, 0) == 0);
  require(utf8_valid(buffer_span(&run.raw_name)) && run.raw_name.len <= NEMO_NAME_SHOWN_MAX);
  require(utf8_valid((struct span){run.session, strlen(run.session)}));
  for (int i = 0; i < 2; i++)
    nemo_usage_add(&run.usage, &event);
  for (int i = 0; i < NEMO_COUNTS; i++)
    require(run.usage.counts[i] >= 0 && (run.usage.known[i] || run.usage.counts[i] == 0));
  require(run.usage.cost_usd >= 0 && run.usage.model_count <= 1);
  require(nemo_event_outcome(&event, error_type) <= NEMO_ABORTED);
  require(strlen(error_type) < sizeof error_type);
  nemo_run_fini(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  struct span text = {(const char *)data + 1, size - 1};
  if (data[0] % 2 == 0)
    try_configuration(text);
  else
    try_event(text);
  return 0;
}

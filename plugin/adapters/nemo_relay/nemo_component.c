/* nemo_component.c - one configured component: the host's events in, records out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "adapters/nemo_relay/nemo_component.h"

#include <errno.h>
#include <kaizen/extensions.h>
#include <kaizen/plugin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapters/nemo_relay/nemo_log.h"
#include "adapters/nemo_relay/nemo_scopes.h"
#include "adapters/nemo_relay/nemo_settings.h"

#define NS_PER_S INT64_C(1000000000)
#define FORGOTTEN "dropping an open scope; its run will have no duration"

enum { FLUSH_MS = 1000 }; /* how long the host's close() may wait for events on their way */

struct nemo_component {
  struct nemo_host host;
  const struct kaizen_plugin_v1 *plugin;
  const struct kaizen_names_1 *names;
  struct kaizen_instance *instance;
  struct nemo_settings settings;
  struct nemo_log log;
  pid_t pid;                /* of the process that made it */
  atomic_uint users;        /* the host, and each event in progress */
  atomic_bool was_released; /* by the host */
  pthread_mutex_t mutex;    /* of scopes */
  struct nemo_scopes scopes;
};

static int64_t steady_ns(void) {
  struct timespec now;

  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void record(struct nemo_component *component, struct nemo_run *run) {
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};

  if (run->outcome == NEMO_ABORTED && !component->settings.keeps_aborted)
    return;
  if (run->agent[0] == '\0') {
    nemo_log_warn(&component->log, NEMO_LOG_NAMELESS,
                  "an agent without a name ended; not recorded");
    return;
  }
  int32_t code =
      nemo_run_record(run, component->plugin, component->instance, &component->host, &receipt);
  /* The instance reports transient failures itself, unless it was never called. */
  if (code < 0 && (code > KAIZEN_E_BUSY || receipt.reason[0] == '\0'))
    nemo_log_warn(&component->log, NEMO_LOG_REFUSED, "a run of agent %s is not recorded: %s: %s",
                  run->agent, component->plugin->code_name(code), receipt.reason);
}

static bool counts_as_run(const struct nemo_component *component, const struct nemo_event *event) {
  return (event->category == NEMO_AGENT && component->settings.agents) ||
         (event->category == NEMO_TURN && component->settings.turns);
}

/* NULL: out of memory, which is reported with its consequence. */
static struct nemo_run *new_run(struct nemo_component *component, const struct nemo_event *event,
                                const char *consequence) {
  struct nemo_run *run = calloc(1, sizeof *run);

  if (run && nemo_run_identify(run, event, component->names) == 0) {
    run->elapsed_ns = -1;
    return run;
  }
  nemo_scopes_free_run(run);
  nemo_log_warn(&component->log, NEMO_LOG_NO_MEMORY, "out of memory: %s", consequence);
  return NULL;
}

static void begin_scope(struct nemo_component *component, const struct nemo_event *event) {
  struct nemo_run *run = NULL;
  int opened;

  if (counts_as_run(component, event))
    run = new_run(component, event, FORGOTTEN);

  (void)pthread_mutex_lock(&component->mutex);
  const struct nemo_run *owner = nemo_scopes_owner(&component->scopes, event->parent);
  if (run && owner && !component->settings.nested) {
    nemo_scopes_free_run(run);
    run = NULL;
  }
  if (run) {
    run->start_ns = event->time_ns;
    run->seen_ns = steady_ns();
    if (owner && run->session[0] == '\0')
      memcpy(run->session, owner->session, sizeof run->session);
  }
  opened = nemo_scopes_open(&component->scopes, event, run);
  (void)pthread_mutex_unlock(&component->mutex);
  if (opened == 1)
    nemo_log_warn(&component->log, NEMO_LOG_FORGOTTEN, "more than %d scopes are open: " FORGOTTEN,
                  NEMO_SCOPES_MAX);
  if (opened < 0)
    nemo_log_warn(&component->log, NEMO_LOG_NO_MEMORY, "out of memory: " FORGOTTEN);
}

/* What a model or a tool did belongs to the run that encloses it. */
static void add_to_owner(struct nemo_run *owner, const struct nemo_event *event) {
  char ignored[NEMO_WORD_SIZE];

  if (event->category == NEMO_LLM)
    nemo_usage_add(&owner->usage, event);
  if (event->category == NEMO_TOOL && nemo_event_outcome(event, ignored) >= NEMO_FAILED)
    owner->tool_errors++;
}

/* The run that ends with the event, removed from the table; NULL: the event ends no run. */
static struct nemo_run *take_ended(struct nemo_component *component,
                                   const struct nemo_event *event) {
  struct nemo_scope *scope = nemo_scopes_find(&component->scopes, event->uuid);
  struct nemo_run *owner =
      nemo_scopes_owner(&component->scopes, scope && !scope->run ? scope->uuid : event->parent);
  bool was_seen = scope != NULL;
  struct nemo_run *run = scope ? nemo_scopes_close(&component->scopes, scope) : NULL;

  if (!run && owner)
    add_to_owner(owner, event);
  if (!run && !was_seen && counts_as_run(component, event) &&
      (component->settings.nested || !owner))
    run = new_run(component, event, "a run was not recorded");
  return run;
}

static void end_scope(struct nemo_component *component, const struct nemo_event *event) {
  (void)pthread_mutex_lock(&component->mutex);
  struct nemo_run *run = take_ended(component, event);
  (void)pthread_mutex_unlock(&component->mutex);
  if (!run)
    return;
  (void)nemo_run_identify(run, event, component->names);
  run->end_ns = event->time_ns;
  if (run->start_ns > 0 && run->end_ns >= run->start_ns)
    run->elapsed_ns = run->end_ns - run->start_ns;
  run->outcome = nemo_event_outcome(event, run->error_type);
  record(component, run);
  nemo_scopes_free_run(run);
}

/* Runs that are still open when the host closes the component have no end of their own. */
static void end_open_runs(struct nemo_component *component) {
  struct nemo_run *run;
  uint64_t count = 0;

  for (; (run = nemo_scopes_close_oldest(&component->scopes)) != NULL; count++) {
    run->outcome = NEMO_ABORTED;
    run->elapsed_ns = steady_ns() - run->seen_ns;
    record(component, run);
    nemo_scopes_free_run(run);
  }
  if (count > 0 && !component->settings.keeps_aborted)
    nemo_log_warn(
        &component->log, NEMO_LOG_ABORTED,
        "runs that had not ended at close: %llu; not recorded, because aborted = \"skip\"",
        (unsigned long long)count);
}

/* ---- life ------------------------------------------------------------------------------------ */

void nemo_component_close(struct nemo_component *component) {
  if (!component)
    return;
  if (component->instance) {
    end_open_runs(component);
    (void)component->plugin->stop(component->instance, FLUSH_MS);
    component->plugin->destroy(component->instance);
  }
  nemo_scopes_fini(&component->scopes);
  nemo_settings_fini(&component->settings);
  nemo_log_fini(&component->log);
  (void)pthread_mutex_destroy(&component->mutex);
  free(component);
}

static int make_instance(struct nemo_component *component, bool starts,
                         struct nemo_reason *reason) {
  struct kaizen_host_v1 host = {
      .struct_size = sizeof host,
      .abi_version = KAIZEN_ABI_VERSION,
      .name = "nemo-relay",
      .version = component->host.version,
      .log = nemo_log_message,
  };
  struct span settings = buffer_span(&component->settings.kaizen);
  char why[sizeof reason->text] = "";
  int32_t code = component->plugin->create(&host, &component->instance);

  if (code == KAIZEN_OK)
    code = component->plugin->configure(component->instance, settings.ptr, settings.len);
  if (code == KAIZEN_OK && starts)
    code = component->plugin->start(component->instance);
  if (code == KAIZEN_OK)
    return 0;
  (void)component->plugin->last_error(component->instance, why, sizeof why);
  return nemo_reason_set(reason, "%s", why[0] != '\0' ? why : component->plugin->code_name(code));
}

int nemo_component_open(const struct nemo_host *host, struct span config, bool starts,
                        struct nemo_component **out, struct nemo_reason *reason) {
  struct nemo_component *component = calloc(1, sizeof *component);
  int result;

  *out = NULL;
  if (!component)
    return nemo_reason_set(reason, "no memory");
  component->host = *host;
  component->plugin = kaizen_plugin_v1();
  component->names = component->plugin->get_extension(KAIZEN_NAMES_1);
  component->pid = getpid();
  atomic_init(&component->users, 1);
  nemo_log_init(&component->log);
  (void)pthread_mutex_init(&component->mutex, NULL);
  result =
      nemo_settings_read(&component->settings, config, component->plugin->config_schema, reason);
  if (result == 0)
    result = make_instance(component, starts, reason);
  if (result == 0)
    *out = component;
  else
    nemo_component_close(component);
  return result;
}

static void leave(struct nemo_component *component) {
  if (atomic_fetch_sub(&component->users, 1) == 1)
    nemo_component_close(component);
}

/* ---- what the host calls --------------------------------------------------------------------- */

/* In a forked child everything belongs to the parent, and the mutex may be held forever. */
static bool is_foreign(const struct nemo_component *component) {
  return component->pid != getpid();
}

static int32_t on_event(void *user, const struct nemo_relay_string *string) {
  struct nemo_component *component = user;
  int saved_errno = errno;
  struct nemo_event event;
  int32_t status = NEMO_RELAY_OK;

  if (is_foreign(component))
    return NEMO_RELAY_OK;
  (void)atomic_fetch_add(&component->users, 1);
  if (nemo_event_read(&event, nemo_host_span(&component->host, string)) != 0) {
    status = NEMO_RELAY_INVALID_JSON;
    nemo_log_warn(&component->log, NEMO_LOG_UNREADABLE, "cannot read an event; not recorded");
  } else if (event.phase == NEMO_SCOPE_START) {
    begin_scope(component, &event);
  } else if (event.phase == NEMO_SCOPE_END) {
    end_scope(component, &event);
  }
  leave(component);
  errno = saved_errno;
  return status;
}

static void on_free(void *user) {
  struct nemo_component *component = user;
  int saved_errno = errno;

  if (is_foreign(component))
    return;
  atomic_store(&component->was_released, true);
  leave(component);
  errno = saved_errno;
}

int32_t nemo_component_subscribe(struct nemo_component *component,
                                 struct nemo_relay_context *context) {
  struct nemo_relay_string *name =
      nemo_host_string(&component->host, (struct span){"executions", 10});
  int32_t status = NEMO_RELAY_INTERNAL;

  /* Ours, besides the host's: a host that refuses may have called on_free, or not. */
  (void)atomic_fetch_add(&component->users, 1);
  if (name)
    status = component->host.table.register_subscriber(context, name, on_event, component, on_free);
  if (name)
    component->host.table.string_free(name);
  if (status != NEMO_RELAY_OK && !atomic_load(&component->was_released))
    leave(component);
  leave(component);
  return status;
}

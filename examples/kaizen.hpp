/* kaizen.hpp - the plugin for C++: what is acquired is released, what fails throws.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Header only, C++17; link with -ldl.  A Plugin is the loaded library; an Instance is one running instance
 * on one project, and may be used by any number of threads until it is destroyed. */
#ifndef KAIZEN_EXAMPLE_HPP
#define KAIZEN_EXAMPLE_HPP

#include <dlfcn.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <kaizen/plugin.h>

namespace kaizen {

class Error : public std::runtime_error {
public:
  Error(std::int32_t code, const std::string &text) : std::runtime_error(text), code_(code) {
  }
  std::int32_t code() const noexcept {
    return code_;
  }
  bool may_retry(bool has_key) const noexcept {
    return KAIZEN_MAY_RETRY(code_, has_key);
  }

private:
  std::int32_t code_;
};

class Plugin {
public:
  explicit Plugin(const std::string &path) : image_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!image_)
      throw Error(KAIZEN_E_UNSUPPORTED, dlerror());
    auto entry =
        reinterpret_cast<kaizen_plugin_v1_fn>(dlsym(image_.get(), KAIZEN_PLUGIN_V1_SYMBOL));
    table_ = entry ? entry() : nullptr;
    if (!table_ || table_->abi_version >> 16 != KAIZEN_ABI_MAJOR ||
        table_->struct_size < sizeof *table_)
      throw Error(KAIZEN_E_UNSUPPORTED, path + " has no complete table of ABI 1");
  }
  const struct kaizen_plugin_v1 *operator->() const noexcept {
    return table_;
  }

private:
  struct Close {
    void operator()(void *image) const noexcept {
      dlclose(image);
    }
  };
  std::unique_ptr<void, Close> image_;
  const struct kaizen_plugin_v1 *table_ = nullptr;
};

/* What the host knows of an execution; what it does not know is left out. */
struct Execution {
  std::string_view agent;
  bool success = false;
  std::optional<double> execution_time_s, quality_score;
  std::optional<std::string_view> idempotency_key, session_id, metadata_json;
  std::optional<bool> emit;
};

struct Outcome {
  bool duplicate;
  std::string event_id; /* empty unless marked for an event */
  struct kaizen_summary summary;
};

class Instance {
public:
  using Setting = std::pair<std::string, std::string>;

  Instance(std::shared_ptr<const Plugin> plugin, std::initializer_list<Setting> config)
      : plugin_(std::move(plugin)) {
    struct kaizen_host_v1 host = {};
    host.struct_size = sizeof host;
    host.abi_version = KAIZEN_ABI_VERSION;
    struct kaizen_instance *created = nullptr;
    check((*plugin_)->create(&host, &created));
    instance_ = Handle(created, Destroy{plugin_});
    for (const auto &setting : config)
      check((*plugin_)->configure_key(created, setting.first.c_str(), setting.second.data(),
                                      setting.second.size()));
    check((*plugin_)->start(created));
  }

  Outcome record(const Execution &execution) {
    struct kaizen_execution in = {};
    in.struct_size = sizeof in;
    in.agent = view(execution.agent);
    in.outcome = execution.success ? KAIZEN_SUCCESS : KAIZEN_FAILURE;
    give(in, execution.execution_time_s, KAIZEN_EXEC_HAS_TIME, in.execution_time_s);
    give(in, execution.quality_score, KAIZEN_EXEC_HAS_QUALITY, in.quality_score);
    in.idempotency_key = view(execution.idempotency_key);
    in.session_id = view(execution.session_id);
    in.metadata_json = view(execution.metadata_json);
    if (execution.emit)
      in.flags |= *execution.emit ? KAIZEN_EXEC_EMIT : KAIZEN_EXEC_NO_EMIT;

    struct kaizen_receipt receipt = {};
    receipt.struct_size = sizeof receipt;
    Outcome outcome = {};
    outcome.summary.struct_size = sizeof outcome.summary;
    std::int32_t code =
        (*plugin_)->on_execution_end(instance_.get(), &in, &receipt, &outcome.summary);
    if (code < 0)
      throw Error(code, receipt.reason);
    outcome.duplicate = code == KAIZEN_DUPLICATE;
    outcome.event_id = receipt.event_id;
    return outcome;
  }

  /* How many events are left unacknowledged. */
  std::uint64_t flush(std::uint32_t timeout_ms) {
    std::uint64_t pending = 0;
    check((*plugin_)->flush(instance_.get(), timeout_ms, &pending));
    return pending;
  }

  struct kaizen_stats stats() {
    struct kaizen_stats stats = {};
    stats.struct_size = sizeof stats;
    check((*plugin_)->stats(instance_.get(), &stats));
    return stats;
  }

  /* Stops by itself when it is destroyed, then without waiting for events. */
  void stop(std::uint32_t timeout_ms) {
    check((*plugin_)->stop(instance_.get(), timeout_ms));
  }

private:
  struct Destroy {
    std::shared_ptr<const Plugin> plugin;
    void operator()(struct kaizen_instance *instance) const noexcept {
      (*plugin)->destroy(instance);
    }
  };
  using Handle = std::unique_ptr<struct kaizen_instance, Destroy>;

  static struct kaizen_str view(std::optional<std::string_view> text) {
    return text ? kaizen_str{text->data() ? text->data() : "", text->size()}
                : kaizen_str{nullptr, 0};
  }

  static void give(struct kaizen_execution &in, const std::optional<double> &value,
                   std::uint32_t flag, double &member) {
    if (!value)
      return;
    in.flags |= flag;
    member = *value;
  }

  void check(std::int32_t code) {
    if (code >= 0)
      return;
    char text[1024] = "";
    if (instance_)
      (*plugin_)->last_error(instance_.get(), text, sizeof text);
    throw Error(code, text[0] ? text : (*plugin_)->code_name(code));
  }

  std::shared_ptr<const Plugin> plugin_;
  Handle instance_{nullptr, Destroy{}};
};

} // namespace kaizen
#endif

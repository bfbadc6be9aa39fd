/* embed.cpp - a host in C++: four threads record through one instance, and each kind of answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * c++ -std=c++17 embed.cpp $(pkg-config --cflags kaizen-plugin) -ldl -pthread -o embed && ./embed PLUGIN PROJECT */
#include <future>
#include <iostream>
#include <vector>

#include "kaizen.hpp"

static void work(kaizen::Instance &instance, int worker) {
  for (int run = 0; run < 25; run++) {
    const std::string key = "cpp-" + std::to_string(worker) + "-" + std::to_string(run);
    kaizen::Execution execution;
    execution.agent = "coach";
    execution.success = run % 5 != 0;
    execution.execution_time_s = run / 8.0;
    execution.quality_score = 0.75;
    execution.idempotency_key = key;
    execution.metadata_json = R"({"host":"c++"})";
    instance.record(execution);
  }
}

static void show_sizes() {
  std::cout << "sizes host=" << sizeof(kaizen_host_v1) << " execution=" << sizeof(kaizen_execution)
            << " receipt=" << sizeof(kaizen_receipt) << " summary=" << sizeof(kaizen_summary)
            << " stats=" << sizeof(kaizen_stats) << " plugin=" << sizeof(struct kaizen_plugin_v1)
            << " str=" << sizeof(kaizen_str) << "\n";
}

static void run(const char *path, const char *project_root) {
  auto plugin = std::make_shared<const kaizen::Plugin>(path);
  kaizen::Instance instance(plugin, {{"project_root", project_root}});

  std::vector<std::future<void>> workers;
  for (int worker = 0; worker < 4; worker++)
    workers.push_back(std::async(std::launch::async, work, std::ref(instance), worker));
  for (auto &worker : workers)
    worker.get(); /* throws what its thread threw */

  kaizen::Execution again;
  again.agent = "coach";
  again.success = true;
  again.idempotency_key = "cpp-0-0";
  const kaizen::Outcome outcome = instance.record(again);
  std::cout << "duplicate " << (outcome.duplicate ? "yes" : "no") << "\n";
  try {
    again.quality_score = 1.2;
    instance.record(again);
  } catch (const kaizen::Error &error) {
    std::cout << "rejected " << error.what() << "\n";
  }
  std::cout << "pending " << instance.flush(1000) << "\n";
  std::cout << "recorded " << instance.stats().recorded << " success_rate "
            << outcome.summary.success_rate << "\n";
  instance.stop(1000);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: embed PLUGIN PROJECT_ROOT\n";
    return 2;
  }
  try {
    show_sizes();
    run(argv[1], argv[2]);
    return 0;
  } catch (const std::exception &error) {
    std::cerr << "embed: " << error.what() << "\n";
    return 1;
  }
}

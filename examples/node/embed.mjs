/* embed.mjs - a host in Node: the plugin's table through koffi; four calls at a time on worker threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * npm ci && node embed.mjs PLUGIN PROJECT_ROOT */
import { promisify } from "node:util";
import koffi from "koffi";

const NTS = 0xffffffffffffffffn;
const HAS_TIME = 1, HAS_QUALITY = 2;

const Str = koffi.struct("kaizen_str", { ptr: "const char *", len: "size_t" });
const Host = koffi.struct("kaizen_host_v1", {
  struct_size: "uint32_t", abi_version: "uint32_t", flags: "uint32_t", log_level: "uint32_t",
  ctx: "void *", name: "const char *", version: "const char *",
  log: "void *", now_unix_ns: "void *", get_extension: "void *",
});
const Execution = koffi.struct("kaizen_execution", {
  struct_size: "uint32_t", flags: "uint32_t", outcome: "int32_t", reserved0: "uint32_t",
  timestamp_unix_ns: "int64_t",
  execution_time_s: "double", quality_score: "double", primary_value: "double", primary_target: "double",
  idempotency_key: Str, agent: Str, session_id: Str, primary_name: Str, metadata_json: Str, extra_json: Str,
});
const Receipt = koffi.struct("kaizen_receipt", {
  struct_size: "uint32_t", flags: "uint32_t",
  event_id: koffi.array("char", 40), reason: koffi.array("char", 208),
});
const Summary = koffi.struct("kaizen_summary", {
  struct_size: "uint32_t", flags: "uint32_t", execution_count: "uint64_t",
  success_rate: "double", avg_quality_score: "double", avg_execution_time_s: "double",
  last_execution_unix_ns: "int64_t", trend_success_rate: "int32_t", trend_quality_score: "int32_t",
});
const Stats = koffi.struct("kaizen_stats", {
  struct_size: "uint32_t", state: "int32_t",
  recorded: "uint64_t", duplicates: "uint64_t", rejected: "uint64_t", failed: "uint64_t",
  marked: "uint64_t", acknowledged: "uint64_t", pending: "uint64_t", dead_lettered: "uint64_t",
  publish_failures: "uint64_t",
  oldest_pending_unix_ns: "int64_t", last_acknowledged_unix_ns: "int64_t",
  publisher: "int32_t", flags: "uint32_t", publisher_reason: koffi.array("char", 160),
  unknown_agents: "uint64_t", incomplete_reason: koffi.array("char", 160),
});
const functions = {
  code_name: "const char *code_name(int32_t code)",
  create: "int32_t create(const kaizen_host_v1 *host, _Out_ void **out)",
  configure: "int32_t configure(void *instance, const char *json, size_t len)",
  configure_key: "int32_t configure_key(void *instance, const char *key, const char *value, size_t len)",
  start: "int32_t start(void *instance)",
  on_execution_end: "int32_t on_execution_end(void *instance, const kaizen_execution *execution, " +
    "_Inout_ kaizen_receipt *receipt, _Inout_ kaizen_summary *summary)",
  on_execution_end_json: "int32_t on_execution_end_json(void *instance, const char *json, size_t len, " +
    "uint32_t flags, _Inout_ kaizen_receipt *receipt, _Inout_ kaizen_summary *summary)",
  flush: "int32_t flush(void *instance, uint32_t timeout_ms, _Out_ uint64_t *pending)",
  stats: "int32_t stats(void *instance, _Inout_ kaizen_stats *stats)",
  last_error: "size_t last_error(void *instance, _Out_ char *text, size_t cap)",
  stop: "int32_t stop(void *instance, uint32_t timeout_ms)",
  destroy: "void destroy(void *instance)",
  get_extension: "void *get_extension(const char *id)",
};
const Plugin = koffi.struct("kaizen_plugin_v1", {
  struct_size: "uint32_t", abi_version: "uint32_t",
  id: "const char *", version: "const char *", config_schema: "const char *",
  ...Object.fromEntries(Object.keys(functions).map((name) => [name, "void *"])),
});

export class KaizenError extends Error {
  constructor(code, name, reason) {
    super(reason ? `${name}: ${reason}` : name);
    Object.assign(this, { code, reason });
  }
  mayRetry(hasKey) {
    return this.code <= -64 && (this.code > -96 || hasKey);
  }
}

export class Kaizen {
  #calls = {};
  #instance = null;

  constructor(path, config) {
    const entry = koffi.load(path).func("void *kaizen_plugin_v1()");
    const address = entry();
    const table = address && koffi.decode(address, Plugin);
    if (!table || table.abi_version >>> 16 !== 1 || table.struct_size < koffi.sizeof(Plugin)) {
      throw new Error(`${path} has no complete table of ABI 1`);
    }
    for (const [name, prototype] of Object.entries(functions)) {
      this.#calls[name] = koffi.decode(table[name], koffi.proto(prototype));
    }
    const host = { struct_size: koffi.sizeof(Host), abi_version: 1 << 16, name: "koffi", version: "1" };
    const created = [null];
    this.#check(this.#calls.create(host, created));
    this.#instance = created[0];
    const text = JSON.stringify(config);
    this.#check(this.#calls.configure(this.#instance, text, NTS));
    this.#check(this.#calls.start(this.#instance));
  }

  /* On a worker thread: the event loop does not wait for the disk. */
  async record({ agent, success, timeS, quality, key, metadata }) {
    const view = (text) => (text === undefined ? { ptr: null, len: 0 } : { ptr: text, len: NTS });
    const execution = {
      struct_size: koffi.sizeof(Execution), outcome: success ? 1 : 2, reserved0: 0, timestamp_unix_ns: 0,
      flags: (timeS === undefined ? 0 : HAS_TIME) | (quality === undefined ? 0 : HAS_QUALITY),
      execution_time_s: timeS ?? 0, quality_score: quality ?? 0, primary_value: 0, primary_target: 0,
      agent: view(agent), idempotency_key: view(key), session_id: view(), primary_name: view(),
      metadata_json: view(metadata && JSON.stringify(metadata)), extra_json: view(),
    };
    const receipt = { struct_size: koffi.sizeof(Receipt) };
    const summary = { struct_size: koffi.sizeof(Summary) };
    const call = promisify(this.#calls.on_execution_end.async);
    const code = await call(this.#instance, execution, receipt, summary);
    if (code < 0) {
      throw new KaizenError(code, this.#calls.code_name(code), receipt.reason);
    }
    return { duplicate: code === 1, eventId: receipt.event_id, summary };
  }

  async flush(timeoutMs) {
    const pending = [0];
    this.#check(await promisify(this.#calls.flush.async)(this.#instance, timeoutMs, pending));
    return Number(pending[0]);
  }

  stats() {
    const stats = { struct_size: koffi.sizeof(Stats) };
    this.#check(this.#calls.stats(this.#instance, stats));
    return stats;
  }

  close(timeoutMs = 1000) {
    if (this.#instance) {
      this.#calls.stop(this.#instance, timeoutMs);
      this.#calls.destroy(this.#instance);
      this.#instance = null;
    }
  }

  #check(code) {
    if (code < 0) {
      const text = Buffer.alloc(1024);
      if (this.#instance) this.#calls.last_error(this.#instance, text, text.length);
      throw new KaizenError(code, this.#calls.code_name(code), text.toString("utf8", 0, text.indexOf(0)));
    }
  }
}

async function main([path, projectRoot]) {
  const types = { host: Host, execution: Execution, receipt: Receipt, summary: Summary, stats: Stats,
                  plugin: Plugin, str: Str };
  console.log("sizes", Object.entries(types).map(([name, type]) => `${name}=${koffi.sizeof(type)}`).join(" "));
  const kaizen = new Kaizen(path, { project_root: projectRoot });
  try {
    const work = async (worker) => {
      for (let run = 0; run < 25; run++) {
        await kaizen.record({ agent: "coach", success: run % 5 !== 0, timeS: run / 8, quality: 0.75,
                              key: `node-${worker}-${run}`, metadata: { host: "node" } });
      }
    };
    await Promise.all([0, 1, 2, 3].map(work));
    const again = await kaizen.record({ agent: "coach", success: true, key: "node-0-0" });
    console.log("duplicate", again.duplicate ? "yes" : "no");
    await kaizen.record({ agent: "coach", success: true, quality: 1.2 })
      .catch((error) => console.log("rejected", error.reason));
    console.log("pending", await kaizen.flush(1000));
    console.log("recorded", Number(kaizen.stats().recorded), "success_rate", again.summary.success_rate);
  } finally {
    kaizen.close();
  }
}

if (process.argv.length !== 4) {
  console.error("usage: node embed.mjs PLUGIN PROJECT_ROOT");
  process.exitCode = 2;
} else {
  await main(process.argv.slice(2));
}

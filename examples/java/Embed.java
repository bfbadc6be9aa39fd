/* Embed.java - a host in Java: the plugin's table through JNA; four threads, and each kind of answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * jna.jar is in the package libjna-java of Debian, as /usr/share/java/jna.jar.
 * javac -cp jna.jar Embed.java && java -cp jna.jar:. Embed PLUGIN PROJECT_ROOT */
import com.sun.jna.Function;
import com.sun.jna.Memory;
import com.sun.jna.NativeLibrary;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public final class Embed {
  static final int ABI_VERSION = 1 << 16, HAS_TIME = 1, HAS_QUALITY = 2, SUCCESS = 1, FAILURE = 2, DUPLICATE = 1;

  /* A long of C is as wide as its size_t on every system but Windows. */
  @FieldOrder({"ptr", "len"})
  public static class Str extends Structure {
    public Pointer ptr;
    public NativeLong len = new NativeLong(0);

    void set(String text) {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      Memory copied = new Memory(bytes.length + 1); /* lives as long as the struct that holds it */
      copied.write(0, bytes, 0, bytes.length);
      ptr = copied;
      len = new NativeLong(bytes.length);
    }
  }

  @FieldOrder({"struct_size", "abi_version", "flags", "log_level", "ctx", "name", "version", "log", "now_unix_ns",
      "get_extension"})
  public static class Host extends Structure {
    public int struct_size = size(), abi_version = ABI_VERSION, flags, log_level;
    public Pointer ctx, name, version, log, now_unix_ns, get_extension;
  }

  @FieldOrder({"struct_size", "flags", "outcome", "reserved0", "timestamp_unix_ns", "execution_time_s", "quality_score",
      "primary_value", "primary_target", "idempotency_key", "agent", "session_id", "primary_name", "metadata_json",
      "extra_json"})
  public static class Execution extends Structure {
    public int struct_size, flags, outcome, reserved0;
    public long timestamp_unix_ns;
    public double execution_time_s, quality_score, primary_value, primary_target;
    public Str idempotency_key = new Str(), agent = new Str(), session_id = new Str(), primary_name = new Str(),
        metadata_json = new Str(), extra_json = new Str();
  }

  @FieldOrder({"struct_size", "flags", "event_id", "reason"})
  public static class Receipt extends Structure {
    public int struct_size, flags;
    public byte[] event_id = new byte[40], reason = new byte[208];
  }

  @FieldOrder({"struct_size", "flags", "execution_count", "success_rate", "avg_quality_score", "avg_execution_time_s",
      "last_execution_unix_ns", "trend_success_rate", "trend_quality_score"})
  public static class Summary extends Structure {
    public int struct_size, flags;
    public long execution_count;
    public double success_rate, avg_quality_score, avg_execution_time_s;
    public long last_execution_unix_ns;
    public int trend_success_rate, trend_quality_score;
  }

  @FieldOrder({"struct_size", "state", "recorded", "duplicates", "rejected", "failed", "marked", "acknowledged", "pending",
      "dead_lettered", "publish_failures", "oldest_pending_unix_ns", "last_acknowledged_unix_ns", "publisher", "flags",
      "publisher_reason", "unknown_agents", "incomplete_reason"})
  public static class Stats extends Structure {
    public int struct_size, state;
    public long recorded, duplicates, rejected, failed, marked, acknowledged, pending, dead_lettered, publish_failures,
        oldest_pending_unix_ns, last_acknowledged_unix_ns;
    public int publisher, flags;
    public byte[] publisher_reason = new byte[160];
    public long unknown_agents;
    public byte[] incomplete_reason = new byte[160];
  }

  @FieldOrder({"struct_size", "abi_version", "id", "version", "config_schema", "code_name", "create", "configure",
      "configure_key", "start", "on_execution_end", "on_execution_end_json", "flush", "stats", "last_error", "stop",
      "destroy", "get_extension"})
  public static class Table extends Structure {
    public int struct_size, abi_version;
    public Pointer id, version, config_schema, code_name, create, configure, configure_key, start, on_execution_end,
        on_execution_end_json, flush, stats, last_error, stop, destroy, get_extension;

    public Table() {
    }

    Table(Pointer at) {
      super(at);
      read();
    }
  }

  static final class KaizenException extends Exception {
    private static final long serialVersionUID = 1;
    final int code;

    KaizenException(int code, String reason) {
      super(reason);
      this.code = code;
    }

    /* The ranges of the codes are the retry policy, also for codes not known here. */
    boolean mayRetry(boolean hasKey) {
      return code <= -64 && (code > -96 || hasKey);
    }
  }

  record Outcome(boolean duplicate, String eventId, Summary summary) {
  }

  /* One running instance on one project; any thread may record. */
  static final class Kaizen implements AutoCloseable {
    private final Table table;
    private final Pointer instance;

    Kaizen(String path, String projectRoot) throws KaizenException {
      Pointer entry = (Pointer) NativeLibrary.getInstance(path).getFunction("kaizen_plugin_v1").invoke(Pointer.class, null);
      table = entry == null ? null : new Table(entry);
      if (table == null || table.abi_version >>> 16 != 1 || table.struct_size < table.size())
        throw new KaizenException(-4, path + " has no complete table of ABI 1");
      PointerByReference created = new PointerByReference();
      check(call(table.create, new Host(), created), null);
      instance = created.getValue();
      try {
        check(call(table.configure_key, instance, "project_root", projectRoot, new NativeLong(-1)), instance);
        check(call(table.start, instance), instance);
      } catch (KaizenException refused) {
        close();
        throw refused;
      }
    }

    private static int call(Pointer function, Object... arguments) {
      return Function.getFunction(function).invokeInt(arguments);
    }

    private static String text(byte[] bytes) {
      int end = 0;
      while (end < bytes.length && bytes[end] != 0)
        end++;
      return new String(bytes, 0, end, StandardCharsets.UTF_8);
    }

    private int check(int code, Pointer of) throws KaizenException {
      byte[] reason = new byte[1024];
      if (code >= 0)
        return code;
      if (of != null)
        call(table.last_error, of, reason, new NativeLong(reason.length));
      throw new KaizenException(code, text(reason));
    }

    /* A number that is null is not given. */
    Outcome record(String agent, boolean success, Double timeS, Double quality, String key) throws KaizenException {
      Execution execution = new Execution();
      Receipt receipt = new Receipt();
      Summary summary = new Summary();
      execution.struct_size = execution.size();
      receipt.struct_size = receipt.size();
      summary.struct_size = summary.size();
      execution.outcome = success ? SUCCESS : FAILURE;
      execution.flags = (timeS == null ? 0 : HAS_TIME) | (quality == null ? 0 : HAS_QUALITY);
      execution.execution_time_s = timeS == null ? 0 : timeS;
      execution.quality_score = quality == null ? 0 : quality;
      execution.agent.set(agent);
      execution.metadata_json.set("{\"host\":\"java\"}");
      if (key != null)
        execution.idempotency_key.set(key);
      int code = call(table.on_execution_end, instance, execution, receipt, summary);
      if (code < 0)
        throw new KaizenException(code, text(receipt.reason));
      return new Outcome(code == DUPLICATE, text(receipt.event_id), summary);
    }

    /* How many events are left unacknowledged. */
    long flush(int timeoutMs) throws KaizenException {
      LongByReference pending = new LongByReference();
      check(call(table.flush, instance, timeoutMs, pending), instance);
      return pending.getValue();
    }

    Stats stats() throws KaizenException {
      Stats stats = new Stats();
      stats.struct_size = stats.size();
      check(call(table.stats, instance, stats), instance);
      return stats;
    }

    @Override
    public void close() {
      call(table.stop, instance, 1000);
      Function.getFunction(table.destroy).invokeVoid(new Object[] {instance});
    }
  }

  static void work(Kaizen kaizen, int worker) throws KaizenException {
    for (int run = 0; run < 25; run++)
      kaizen.record("coach", run % 5 != 0, run / 8.0, 0.75, "java-" + worker + "-" + run);
  }

  static void workTogether(Kaizen kaizen) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    List<Future<Void>> workers = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      int worker = i;
      Callable<Void> task = () -> {
        work(kaizen, worker);
        return null;
      };
      workers.add(threads.submit(task));
    }
    threads.shutdown();
    for (Future<Void> worker : workers)
      worker.get(); /* throws what its thread threw */
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 2) {
      System.err.println("usage: Embed PLUGIN PROJECT_ROOT");
      System.exit(2);
    }
    System.out.printf("sizes host=%d execution=%d receipt=%d summary=%d stats=%d plugin=%d str=%d%n", new Host().size(),
        new Execution().size(), new Receipt().size(), new Summary().size(), new Stats().size(), new Table().size(),
        new Str().size());
    try (Kaizen kaizen = new Kaizen(arguments[0], arguments[1])) {
      workTogether(kaizen);
      Outcome again = kaizen.record("coach", true, null, null, "java-0-0");
      System.out.println("duplicate " + (again.duplicate() ? "yes" : "no"));
      try {
        kaizen.record("coach", true, null, 1.2, null);
      } catch (KaizenException refused) {
        System.out.println("rejected " + refused.getMessage());
      }
      System.out.println("pending " + kaizen.flush(1000));
      System.out.println("recorded " + kaizen.stats().recorded + " success_rate " + again.summary().success_rate);
    }
  }
}

#!/usr/bin/env python3
"""kaizen_ctypes.py - a host in Python: the plugin's table through ctypes, nothing else needed.

SPDX-License-Identifier: Apache-2.0

Usage: kaizen_ctypes.py PLUGIN PROJECT_ROOT     records from four threads and shows each kind of answer

    with Kaizen("kaizen_metrics.so", project_root="/srv/shop") as kaizen:
        outcome = kaizen.record("coach", success=True, execution_time_s=1.5, quality_score=0.9,
                                idempotency_key="run-17")
        print(outcome.duplicate, outcome.summary.success_rate)
"""
from __future__ import annotations

import ctypes
import json
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Callable, Mapping, Optional

NTS = ctypes.c_size_t(-1).value
HAS_TIME, HAS_QUALITY, HAS_PRIMARY, HAS_TARGET, EMIT, NO_EMIT = (1 << bit for bit in range(6))
RECEIPT_MARKED, RECEIPT_KEY_CONFLICT = 1 << 0, 1 << 1
TRENDS = ("unknown", "stable", "up", "down")


class Str(ctypes.Structure):
    """struct kaizen_str.  The caller keeps `data` alive for the length of the call."""
    _fields_ = [("ptr", ctypes.c_char_p), ("len", ctypes.c_size_t)]


def view(text: Optional[str | bytes]) -> Str:
    data = text.encode() if isinstance(text, str) else text
    return Str(data, len(data)) if data is not None else Str()


LOG_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p,
                                ctypes.c_size_t)
NOW_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
EXTENSION_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)


class Host(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("abi_version", ctypes.c_uint32),
                ("flags", ctypes.c_uint32), ("log_level", ctypes.c_uint32),
                ("ctx", ctypes.c_void_p), ("name", ctypes.c_char_p), ("version", ctypes.c_char_p),
                ("log", LOG_CALLBACK), ("now_unix_ns", NOW_CALLBACK), ("get_extension", EXTENSION_CALLBACK)]


class Execution(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("outcome", ctypes.c_int32), ("reserved0", ctypes.c_uint32),
                ("timestamp_unix_ns", ctypes.c_int64),
                ("execution_time_s", ctypes.c_double), ("quality_score", ctypes.c_double),
                ("primary_value", ctypes.c_double), ("primary_target", ctypes.c_double),
                ("idempotency_key", Str), ("agent", Str), ("session_id", Str), ("primary_name", Str),
                ("metadata_json", Str), ("extra_json", Str)]


class Receipt(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("event_id", ctypes.c_char * 40), ("reason", ctypes.c_char * 208)]


class Summary(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("execution_count", ctypes.c_uint64), ("success_rate", ctypes.c_double),
                ("avg_quality_score", ctypes.c_double), ("avg_execution_time_s", ctypes.c_double),
                ("last_execution_unix_ns", ctypes.c_int64),
                ("trend_success_rate", ctypes.c_int32), ("trend_quality_score", ctypes.c_int32)]


class Stats(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("state", ctypes.c_int32),
                *((name, ctypes.c_uint64) for name in
                  ("recorded", "duplicates", "rejected", "failed",
                   "marked", "acknowledged", "pending", "dead_lettered", "publish_failures")),
                ("oldest_pending_unix_ns", ctypes.c_int64), ("last_acknowledged_unix_ns", ctypes.c_int64),
                ("publisher", ctypes.c_int32), ("flags", ctypes.c_uint32),
                ("publisher_reason", ctypes.c_char * 160),
                ("unknown_agents", ctypes.c_uint64), ("incomplete_reason", ctypes.c_char * 160)]


_INSTANCE = ctypes.c_void_p
_CODE = ctypes.c_int32


class Plugin(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32), ("abi_version", ctypes.c_uint32),
        ("id", ctypes.c_char_p), ("version", ctypes.c_char_p), ("config_schema", ctypes.c_char_p),
        ("code_name", ctypes.CFUNCTYPE(ctypes.c_char_p, _CODE)),
        ("create", ctypes.CFUNCTYPE(_CODE, ctypes.POINTER(Host), ctypes.POINTER(_INSTANCE))),
        ("configure", ctypes.CFUNCTYPE(_CODE, _INSTANCE, ctypes.c_char_p, ctypes.c_size_t)),
        ("configure_key", ctypes.CFUNCTYPE(_CODE, _INSTANCE, ctypes.c_char_p, ctypes.c_char_p,
                                           ctypes.c_size_t)),
        ("start", ctypes.CFUNCTYPE(_CODE, _INSTANCE)),
        ("on_execution_end", ctypes.CFUNCTYPE(_CODE, _INSTANCE, ctypes.POINTER(Execution),
                                              ctypes.POINTER(Receipt), ctypes.POINTER(Summary))),
        ("on_execution_end_json", ctypes.CFUNCTYPE(_CODE, _INSTANCE, ctypes.c_char_p, ctypes.c_size_t,
                                                   ctypes.c_uint32, ctypes.POINTER(Receipt), ctypes.POINTER(Summary))),
        ("flush", ctypes.CFUNCTYPE(_CODE, _INSTANCE, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64))),
        ("stats", ctypes.CFUNCTYPE(_CODE, _INSTANCE, ctypes.POINTER(Stats))),
        ("last_error", ctypes.CFUNCTYPE(ctypes.c_size_t, _INSTANCE, ctypes.c_char_p, ctypes.c_size_t)),
        ("stop", ctypes.CFUNCTYPE(_CODE, _INSTANCE, ctypes.c_uint32)),
        ("destroy", ctypes.CFUNCTYPE(None, _INSTANCE)),
        ("get_extension", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p))]


@dataclass(frozen=True)
class Outcome:
    """What the plugin answered: the execution is in the log."""
    duplicate: bool
    event_id: str  # "" unless the execution is marked for an event
    key_conflict: bool
    summary: Summary


class KaizenError(Exception):
    """The call did not do its work."""

    def __init__(self, code: int, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}" if reason else name)
        self.code, self.name, self.reason = code, name, reason

    def may_retry(self, has_key: bool) -> bool:
        """The ranges of the codes are the retry policy, also for codes not known here."""
        return self.code <= -64 and (self.code > -96 or has_key)


class Kaizen:
    """One running instance for one project."""

    def __init__(self, plugin_path: str, *, log: Optional[Callable[[int, int, str], None]] = None,
                 log_level: int = 0, now_unix_ns: Optional[Callable[[], int]] = None, **config: Any) -> None:
        """`config`: the plugin's keys, project_root at least.  `log` gets level, message id and text, up to
        `log_level` as syslog counts (0: warnings); `now_unix_ns` replaces the clock."""
        entry = ctypes.CDLL(plugin_path).kaizen_plugin_v1
        entry.restype = ctypes.POINTER(Plugin)
        table = entry()
        if not table or table.contents.abi_version >> 16 != 1 \
                or table.contents.struct_size < ctypes.sizeof(Plugin):
            raise KaizenError(-4, "UNSUPPORTED", f"{plugin_path} has no complete table of ABI 1")
        self.table = table.contents
        self._host = Host(struct_size=ctypes.sizeof(Host), abi_version=1 << 16, log_level=log_level,
                          name=b"kaizen_ctypes", version=b"1")
        # ctypes lets go of a callback that nothing in Python holds: the instance does.
        if log:
            sink = log
            self._host.log = LOG_CALLBACK(lambda ctx, level, message_id, text, length: sink(
                level, message_id, ctypes.string_at(text, length).decode("utf-8", "replace")))
        if now_unix_ns:
            clock = now_unix_ns
            self._host.now_unix_ns = NOW_CALLBACK(lambda ctx: clock())
        self.instance = _INSTANCE()
        self._check(self.table.create(ctypes.byref(self._host), ctypes.byref(self.instance)))
        try:
            text = json.dumps(config).encode()
            self._check(self.table.configure(self.instance, text, len(text)))
            self._check(self.table.start(self.instance))
        except BaseException:
            self.close(0)
            raise

    def __enter__(self) -> Kaizen:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def close(self, timeout_ms: int = 1000) -> None:
        """Stops and destroys the instance; events left over stay in the log."""
        if self.instance:
            self.table.stop(self.instance, timeout_ms)
            self.table.destroy(self.instance)
            self.instance = _INSTANCE()

    def record(self, agent: str, success: bool, *, execution_time_s: Optional[float] = None,
               quality_score: Optional[float] = None, idempotency_key: Optional[str] = None,
               session_id: Optional[str] = None, timestamp_unix_ns: int = 0,
               primary: Optional[tuple[str, float]] = None, target: Optional[float] = None,
               metadata: Optional[Mapping[str, Any]] = None, extra: Optional[Mapping[str, Any]] = None,
               emit: Optional[bool] = None) -> Outcome:
        """Any thread.  When it returns the execution is in the log; else KaizenError says why not."""
        execution = Execution(
            struct_size=ctypes.sizeof(Execution), outcome=1 if success else 2,
            timestamp_unix_ns=timestamp_unix_ns, agent=view(agent), session_id=view(session_id),
            idempotency_key=view(idempotency_key),
            metadata_json=view(None if metadata is None else json.dumps(metadata, allow_nan=False)),
            extra_json=view(None if extra is None else json.dumps(extra, allow_nan=False)))
        if execution_time_s is not None:
            execution.flags |= HAS_TIME
            execution.execution_time_s = execution_time_s
        if quality_score is not None:
            execution.flags |= HAS_QUALITY
            execution.quality_score = quality_score
        if primary is not None:
            execution.flags |= HAS_PRIMARY
            execution.primary_name, execution.primary_value = view(primary[0]), primary[1]
        if target is not None:
            execution.flags |= HAS_TARGET
            execution.primary_target = target
        if emit is not None:
            execution.flags |= EMIT if emit else NO_EMIT
        return self.record_struct(execution)

    def record_struct(self, execution: Execution) -> Outcome:
        receipt, summary = self._outputs()
        code = self.table.on_execution_end(self.instance, ctypes.byref(execution), ctypes.byref(receipt),
                                           ctypes.byref(summary))
        return self._outcome(code, receipt, summary)

    def record_json(self, text: str | bytes) -> Outcome:
        """The same for one record as JSON text with the log's keys."""
        data = text.encode() if isinstance(text, str) else text
        receipt, summary = self._outputs()
        code = self.table.on_execution_end_json(self.instance, data, len(data), 0, ctypes.byref(receipt),
                                                ctypes.byref(summary))
        return self._outcome(code, receipt, summary)

    def flush(self, timeout_ms: int) -> int:
        """Waits for acknowledgements; how many events are left."""
        pending = ctypes.c_uint64()
        self._check(self.table.flush(self.instance, timeout_ms, ctypes.byref(pending)))
        return pending.value

    def stats(self) -> Stats:
        stats = Stats(struct_size=ctypes.sizeof(Stats))
        self._check(self.table.stats(self.instance, ctypes.byref(stats)))
        return stats

    @staticmethod
    def _outputs() -> tuple[Receipt, Summary]:
        return (Receipt(struct_size=ctypes.sizeof(Receipt)), Summary(struct_size=ctypes.sizeof(Summary)))

    def _outcome(self, code: int, receipt: Receipt, summary: Summary) -> Outcome:
        if code < 0:
            raise KaizenError(code, self.table.code_name(code).decode(), receipt.reason.decode())
        return Outcome(duplicate=code == 1, event_id=receipt.event_id.decode(),
                       key_conflict=bool(receipt.flags & RECEIPT_KEY_CONFLICT), summary=summary)

    def _check(self, code: int) -> None:
        if code < 0:
            reason = ctypes.create_string_buffer(1024)
            if self.instance:
                self.table.last_error(self.instance, reason, len(reason))
            raise KaizenError(code, self.table.code_name(code).decode(), reason.value.decode("utf-8", "replace"))


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    sizes = {"host": Host, "execution": Execution, "receipt": Receipt, "summary": Summary, "stats": Stats,
             "plugin": Plugin, "str": Str}
    print("sizes", *(f"{name}={ctypes.sizeof(kind)}" for name, kind in sizes.items()))
    with Kaizen(sys.argv[1], project_root=sys.argv[2]) as kaizen:
        def work(worker: int) -> None:
            for run in range(25):
                kaizen.record("coach", success=run % 5 != 0, execution_time_s=run / 8, quality_score=0.75,
                              idempotency_key=f"python-{worker}-{run}", metadata={"host": "python"})

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        again = kaizen.record("coach", success=True, idempotency_key="python-0-0")
        print("duplicate", "yes" if again.duplicate else "no")
        try:
            kaizen.record("coach", success=True, quality_score=1.2)
        except KaizenError as error:
            print("rejected", error.reason)
        print("pending", kaizen.flush(1000))
        stats = kaizen.stats()
        print("recorded", stats.recorded, "success_rate", again.summary.success_rate)
    return 0


if __name__ == "__main__":
    sys.exit(main())

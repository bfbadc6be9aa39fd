// main.go - a host in Go: the plugin's table through cgo and dlopen.
//
// SPDX-License-Identifier: Apache-2.0
//
// go run . PLUGIN PROJECT_ROOT
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../include
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include <kaizen/plugin.h>

typedef const struct kaizen_plugin_v1 *table_t;
typedef struct kaizen_instance *instance_t;

// Go cannot call through a C function pointer: one line a function.
static table_t call_entry(void *symbol) { return ((kaizen_plugin_v1_fn)symbol)(); }
static const char *call_code_name(table_t t, int32_t code) { return t->code_name(code); }
static int32_t call_create(table_t t, const struct kaizen_host_v1 *host, instance_t *out) { return t->create(host, out); }
static int32_t call_configure_key(table_t t, instance_t i, const char *key, const char *value) {
  return t->configure_key(i, key, value, KAIZEN_NTS);
}
static int32_t call_start(table_t t, instance_t i) { return t->start(i); }
static int32_t call_record(table_t t, instance_t i, const struct kaizen_execution *e, struct kaizen_receipt *r,
                           struct kaizen_summary *s) {
  return t->on_execution_end(i, e, r, s);
}
static int32_t call_flush(table_t t, instance_t i, uint32_t ms, uint64_t *pending) { return t->flush(i, ms, pending); }
static int32_t call_stats(table_t t, instance_t i, struct kaizen_stats *stats) { return t->stats(i, stats); }
static size_t call_last_error(table_t t, instance_t i, char *text, size_t cap) { return t->last_error(i, text, cap); }
static int32_t call_stop(table_t t, instance_t i, uint32_t ms) { return t->stop(i, ms); }
static void call_destroy(table_t t, instance_t i) { t->destroy(i); }
*/
import "C"

import (
	"fmt"
	"os"
	"sync"
	"unsafe"
)

// Error says that a call did not do its work.
type Error struct {
	Code   int32
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Reason, e.Code) }

// MayRetry: the ranges of the codes are the retry policy, also for codes not known here.
func (e *Error) MayRetry(hasKey bool) bool { return e.Code <= -64 && (e.Code > -96 || hasKey) }

// Execution is what the host knows of one; a nil pointer or "" is left out.
type Execution struct {
	Agent                        string
	Success                      bool
	TimeS, Quality               *float64
	Key, SessionID, MetadataJSON string
}

// Outcome: the execution is in the log.
type Outcome struct {
	Duplicate bool
	EventID   string
	Summary   C.struct_kaizen_summary
}

// Kaizen is one running instance on one project; any goroutine may record.
type Kaizen struct {
	table    C.table_t
	instance C.instance_t
}

func Open(path string, config map[string]string) (*Kaizen, error) {
	name, symbol := C.CString(path), C.CString(C.KAIZEN_PLUGIN_V1_SYMBOL)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(symbol))
	image := C.dlopen(name, C.RTLD_NOW|C.RTLD_LOCAL)
	if image == nil {
		return nil, fmt.Errorf("%s", C.GoString(C.dlerror()))
	}
	entry := C.dlsym(image, symbol)
	if entry == nil {
		return nil, fmt.Errorf("%s is not a plugin", path)
	}
	k := &Kaizen{table: C.call_entry(entry)}
	if k.table == nil || k.table.abi_version>>16 != C.KAIZEN_ABI_MAJOR ||
		uintptr(k.table.struct_size) < unsafe.Sizeof(*k.table) {
		return nil, fmt.Errorf("%s has no complete table of ABI 1", path)
	}
	host := C.struct_kaizen_host_v1{abi_version: C.KAIZEN_ABI_VERSION}
	host.struct_size = C.uint32_t(unsafe.Sizeof(host))
	if err := k.check(C.call_create(k.table, &host, &k.instance)); err != nil {
		return nil, err
	}
	if err := k.configureAndStart(config); err != nil {
		k.Close(0)
		return nil, err
	}
	return k, nil
}

func (k *Kaizen) configureAndStart(config map[string]string) error {
	for key, value := range config {
		k1, v1 := C.CString(key), C.CString(value)
		code := C.call_configure_key(k.table, k.instance, k1, v1)
		C.free(unsafe.Pointer(k1))
		C.free(unsafe.Pointer(v1))
		if err := k.check(code); err != nil {
			return err
		}
	}
	return k.check(C.call_start(k.table, k.instance))
}

// texts are the C copies of one call's strings: what C is given must not hold pointers into Go memory.
type texts []unsafe.Pointer

func (t *texts) view(text string) C.struct_kaizen_str {
	if text == "" {
		return C.struct_kaizen_str{}
	}
	copied := C.CString(text)
	*t = append(*t, unsafe.Pointer(copied))
	return C.struct_kaizen_str{ptr: copied, len: C.size_t(len(text))}
}

func (t texts) free() {
	for _, text := range t {
		C.free(text)
	}
}

func (k *Kaizen) Record(e Execution) (Outcome, error) {
	var held texts
	defer func() { held.free() }()
	in := C.struct_kaizen_execution{
		outcome: C.KAIZEN_FAILURE, agent: held.view(e.Agent), idempotency_key: held.view(e.Key),
		session_id: held.view(e.SessionID), metadata_json: held.view(e.MetadataJSON),
	}
	in.struct_size = C.uint32_t(unsafe.Sizeof(in))
	if e.Success {
		in.outcome = C.KAIZEN_SUCCESS
	}
	if e.TimeS != nil {
		in.flags |= C.KAIZEN_EXEC_HAS_TIME
		in.execution_time_s = C.double(*e.TimeS)
	}
	if e.Quality != nil {
		in.flags |= C.KAIZEN_EXEC_HAS_QUALITY
		in.quality_score = C.double(*e.Quality)
	}
	var receipt C.struct_kaizen_receipt
	var outcome Outcome
	receipt.struct_size = C.uint32_t(unsafe.Sizeof(receipt))
	outcome.Summary.struct_size = C.uint32_t(unsafe.Sizeof(outcome.Summary))
	code := C.call_record(k.table, k.instance, &in, &receipt, &outcome.Summary)
	if code < 0 {
		return outcome, &Error{int32(code), C.GoString(&receipt.reason[0])}
	}
	outcome.Duplicate = code == C.KAIZEN_DUPLICATE
	outcome.EventID = C.GoString(&receipt.event_id[0])
	return outcome, nil
}

// Flush answers how many events are left unacknowledged.
func (k *Kaizen) Flush(timeoutMs uint32) (uint64, error) {
	var pending C.uint64_t
	err := k.check(C.call_flush(k.table, k.instance, C.uint32_t(timeoutMs), &pending))
	return uint64(pending), err
}

func (k *Kaizen) Recorded() (uint64, error) {
	var stats C.struct_kaizen_stats
	stats.struct_size = C.uint32_t(unsafe.Sizeof(stats))
	err := k.check(C.call_stats(k.table, k.instance, &stats))
	return uint64(stats.recorded), err
}

// Close stops and destroys the instance; events left over stay in the log.
func (k *Kaizen) Close(timeoutMs uint32) {
	if k.instance != nil {
		C.call_stop(k.table, k.instance, C.uint32_t(timeoutMs))
		C.call_destroy(k.table, k.instance)
		k.instance = nil
	}
}

func (k *Kaizen) check(code C.int32_t) error {
	if code >= 0 {
		return nil
	}
	if k.instance == nil {
		return &Error{int32(code), C.GoString(C.call_code_name(k.table, code))}
	}
	text := (*C.char)(C.calloc(1, 1024))
	defer C.free(unsafe.Pointer(text))
	C.call_last_error(k.table, k.instance, text, 1024)
	return &Error{int32(code), C.GoString(text)}
}

func work(k *Kaizen, worker int) error {
	quality := 0.75
	for run := 0; run < 25; run++ {
		timeS := float64(run) / 8
		_, err := k.Record(Execution{Agent: "coach", Success: run%5 != 0, TimeS: &timeS, Quality: &quality,
			Key: fmt.Sprintf("go-%d-%d", worker, run), MetadataJSON: `{"host":"go"}`})
		if err != nil {
			return err
		}
	}
	return nil
}

func showSizes() {
	fmt.Printf("sizes host=%d execution=%d receipt=%d summary=%d stats=%d plugin=%d str=%d\n",
		unsafe.Sizeof(C.struct_kaizen_host_v1{}), unsafe.Sizeof(C.struct_kaizen_execution{}),
		unsafe.Sizeof(C.struct_kaizen_receipt{}), unsafe.Sizeof(C.struct_kaizen_summary{}),
		unsafe.Sizeof(C.struct_kaizen_stats{}), unsafe.Sizeof(C.struct_kaizen_plugin_v1{}),
		unsafe.Sizeof(C.struct_kaizen_str{}))
}

func run(path, projectRoot string) error {
	showSizes()
	k, err := Open(path, map[string]string{"project_root": projectRoot})
	if err != nil {
		return err
	}
	defer k.Close(1000)

	var group sync.WaitGroup
	failures := make(chan error, 4)
	for worker := 0; worker < 4; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			if err := work(k, worker); err != nil {
				failures <- err
			}
		}(worker)
	}
	group.Wait()
	close(failures)
	for err := range failures {
		return err
	}

	again := Execution{Agent: "coach", Success: true, Key: "go-0-0"}
	outcome, err := k.Record(again)
	if err != nil {
		return err
	}
	fmt.Println("duplicate", map[bool]string{true: "yes", false: "no"}[outcome.Duplicate])
	tooHigh := 1.2
	again.Quality = &tooHigh
	if _, err := k.Record(again); err != nil {
		fmt.Println("rejected", err.(*Error).Reason)
	}
	pending, err := k.Flush(1000)
	if err != nil {
		return err
	}
	fmt.Println("pending", pending)
	recorded, err := k.Recorded()
	fmt.Println("recorded", recorded, "success_rate", float64(outcome.Summary.success_rate))
	return err
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: kaizen-embed PLUGIN PROJECT_ROOT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "kaizen-embed:", err)
		os.Exit(1)
	}
}

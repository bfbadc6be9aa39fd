//! main.rs - a host in Rust: the plugin's table through libloading, an instance that stops when it is dropped.
//!
//! SPDX-License-Identifier: Apache-2.0
//!
//! cargo run -- PLUGIN PROJECT_ROOT

use std::ffi::{c_char, c_void, CStr};
use std::mem::size_of;
use std::{fmt, process, ptr, thread};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    ptr: *const c_char,
    len: usize,
}

impl From<Option<&str>> for Str {
    fn from(text: Option<&str>) -> Str {
        text.map_or(
            Str {
                ptr: ptr::null(),
                len: 0,
            },
            |text| Str {
                ptr: text.as_ptr().cast(),
                len: text.len(),
            },
        )
    }
}

#[repr(C)]
pub struct Host {
    struct_size: u32,
    abi_version: u32,
    flags: u32,
    log_level: u32,
    ctx: *mut c_void,
    name: *const c_char,
    version: *const c_char,
    log: Option<unsafe extern "C" fn(*mut c_void, i32, i32, *const c_char, usize)>,
    now_unix_ns: Option<unsafe extern "C" fn(*mut c_void) -> i64>,
    get_extension: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void>,
}

#[repr(C)]
pub struct RawExecution {
    struct_size: u32,
    flags: u32,
    outcome: i32,
    reserved0: u32,
    timestamp_unix_ns: i64,
    execution_time_s: f64,
    quality_score: f64,
    primary_value: f64,
    primary_target: f64,
    idempotency_key: Str,
    agent: Str,
    session_id: Str,
    primary_name: Str,
    metadata_json: Str,
    extra_json: Str,
}

#[repr(C)]
pub struct Receipt {
    struct_size: u32,
    flags: u32,
    event_id: [u8; 40],
    reason: [u8; 208],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    struct_size: u32,
    flags: u32,
    pub execution_count: u64,
    pub success_rate: f64,
    pub avg_quality_score: f64,
    pub avg_execution_time_s: f64,
    pub last_execution_unix_ns: i64,
    pub trend_success_rate: i32,
    pub trend_quality_score: i32,
}

#[repr(C)]
pub struct Stats {
    struct_size: u32,
    state: i32,
    recorded: u64,
    duplicates: u64,
    rejected: u64,
    failed: u64,
    marked: u64,
    acknowledged: u64,
    pending: u64,
    dead_lettered: u64,
    publish_failures: u64,
    oldest_pending_unix_ns: i64,
    last_acknowledged_unix_ns: i64,
    publisher: i32,
    flags: u32,
    publisher_reason: [u8; 160],
    unknown_agents: u64,
    incomplete_reason: [u8; 160],
}

type RawInstance = *mut c_void;

#[repr(C)]
pub struct Table {
    struct_size: u32,
    abi_version: u32,
    id: *const c_char,
    version: *const c_char,
    config_schema: *const c_char,
    code_name: unsafe extern "C" fn(i32) -> *const c_char,
    create: unsafe extern "C" fn(*const Host, *mut RawInstance) -> i32,
    configure: unsafe extern "C" fn(RawInstance, *const c_char, usize) -> i32,
    configure_key: unsafe extern "C" fn(RawInstance, *const c_char, *const c_char, usize) -> i32,
    start: unsafe extern "C" fn(RawInstance) -> i32,
    on_execution_end:
        unsafe extern "C" fn(RawInstance, *const RawExecution, *mut Receipt, *mut Summary) -> i32,
    on_execution_end_json:
        unsafe extern "C" fn(RawInstance, *const c_char, usize, u32, *mut Receipt, *mut Summary) -> i32,
    flush: unsafe extern "C" fn(RawInstance, u32, *mut u64) -> i32,
    stats: unsafe extern "C" fn(RawInstance, *mut Stats) -> i32,
    last_error: unsafe extern "C" fn(RawInstance, *mut c_char, usize) -> usize,
    stop: unsafe extern "C" fn(RawInstance, u32) -> i32,
    destroy: unsafe extern "C" fn(RawInstance),
    get_extension: unsafe extern "C" fn(*const c_char) -> *const c_void,
}

const HAS_TIME: u32 = 1 << 0;
const HAS_QUALITY: u32 = 1 << 1;

#[derive(Debug)]
pub struct Error {
    pub code: i32,
    pub reason: String,
}

impl Error {
    /// The ranges of the codes are the retry policy, also for codes not known here.
    pub fn may_retry(&self, has_key: bool) -> bool {
        self.code <= -64 && (self.code > -96 || has_key)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{} ({})", self.reason, self.code)
    }
}

impl std::error::Error for Error {}

/// What the host knows of an execution; what it does not know is left out.
#[derive(Default)]
pub struct Execution<'a> {
    pub agent: &'a str,
    pub success: bool,
    pub execution_time_s: Option<f64>,
    pub quality_score: Option<f64>,
    pub idempotency_key: Option<&'a str>,
    pub metadata_json: Option<&'a str>,
}

pub struct Outcome {
    pub duplicate: bool,
    pub summary: Summary,
}

/// One running instance on one project.
pub struct Kaizen {
    instance: RawInstance,
    table: &'static Table,
    _library: libloading::Library,
}

// record, flush and stats may be called on any thread, concurrently; destroy takes the instance by value.
unsafe impl Send for Kaizen {}
unsafe impl Sync for Kaizen {}

fn text_of(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

impl Kaizen {
    pub fn open(path: &str, config: &[(&str, &str)]) -> Result<Kaizen, Box<dyn std::error::Error>> {
        let library = unsafe { libloading::Library::new(path)? };
        let table = unsafe {
            let entry: libloading::Symbol<unsafe extern "C" fn() -> *const Table> =
                library.get(b"kaizen_plugin_v1\0")?;
            entry().as_ref()
        };
        // The image stays mapped (it is linked nodelete), so the table lives as long as the process.
        let table = table
            .filter(|table| {
                table.abi_version >> 16 == 1 && table.struct_size as usize >= size_of::<Table>()
            })
            .ok_or_else(|| format!("{path} has no complete table of ABI 1"))?;
        let host = Host {
            struct_size: size_of::<Host>() as u32,
            abi_version: 1 << 16,
            flags: 0,
            log_level: 0,
            ctx: ptr::null_mut(),
            name: b"rust\0".as_ptr().cast(),
            version: b"1\0".as_ptr().cast(),
            log: None,
            now_unix_ns: None,
            get_extension: None,
        };
        let mut kaizen = Kaizen {
            instance: ptr::null_mut(),
            table,
            _library: library,
        };
        let created = unsafe { (table.create)(&host, &mut kaizen.instance) };
        kaizen.check(created)?;
        for (key, value) in config {
            let key = std::ffi::CString::new(*key)?;
            let value = Str::from(Some(*value));
            kaizen.check(unsafe {
                (table.configure_key)(kaizen.instance, key.as_ptr(), value.ptr, value.len)
            })?;
        }
        kaizen.check(unsafe { (table.start)(kaizen.instance) })?;
        Ok(kaizen)
    }

    pub fn record(&self, execution: &Execution) -> Result<Outcome, Error> {
        let raw = RawExecution {
            struct_size: size_of::<RawExecution>() as u32,
            flags: execution.execution_time_s.map_or(0, |_| HAS_TIME)
                | execution.quality_score.map_or(0, |_| HAS_QUALITY),
            outcome: if execution.success { 1 } else { 2 },
            reserved0: 0,
            timestamp_unix_ns: 0,
            execution_time_s: execution.execution_time_s.unwrap_or(0.0),
            quality_score: execution.quality_score.unwrap_or(0.0),
            primary_value: 0.0,
            primary_target: 0.0,
            idempotency_key: execution.idempotency_key.into(),
            agent: Some(execution.agent).into(),
            session_id: None.into(),
            primary_name: None.into(),
            metadata_json: execution.metadata_json.into(),
            extra_json: None.into(),
        };
        let mut receipt = Receipt {
            struct_size: size_of::<Receipt>() as u32,
            flags: 0,
            event_id: [0; 40],
            reason: [0; 208],
        };
        let mut summary = Summary {
            struct_size: size_of::<Summary>() as u32,
            ..Summary::default()
        };
        let code = unsafe {
            (self.table.on_execution_end)(self.instance, &raw, &mut receipt, &mut summary)
        };
        if code < 0 {
            return Err(Error {
                code,
                reason: text_of(&receipt.reason),
            });
        }
        Ok(Outcome {
            duplicate: code == 1,
            summary,
        })
    }

    pub fn flush(&self, timeout_ms: u32) -> Result<u64, Error> {
        let mut pending = 0;
        self.check(unsafe { (self.table.flush)(self.instance, timeout_ms, &mut pending) })?;
        Ok(pending)
    }

    pub fn stats(&self) -> Result<Stats, Error> {
        let mut stats: Stats = unsafe { std::mem::zeroed() };
        stats.struct_size = size_of::<Stats>() as u32;
        self.check(unsafe { (self.table.stats)(self.instance, &mut stats) })?;
        Ok(stats)
    }

    fn check(&self, code: i32) -> Result<(), Error> {
        if code >= 0 {
            return Ok(());
        }
        let mut reason = [0u8; 1024];
        if self.instance.is_null() {
            let name = unsafe { CStr::from_ptr((self.table.code_name)(code)) };
            return Err(Error {
                code,
                reason: name.to_string_lossy().into_owned(),
            });
        }
        unsafe { (self.table.last_error)(self.instance, reason.as_mut_ptr().cast(), reason.len()) };
        Err(Error {
            code,
            reason: text_of(&reason),
        })
    }
}

impl Drop for Kaizen {
    fn drop(&mut self) {
        if !self.instance.is_null() {
            unsafe {
                (self.table.stop)(self.instance, 1000);
                (self.table.destroy)(self.instance);
            }
        }
    }
}

fn work(kaizen: &Kaizen, worker: usize) -> Result<(), Error> {
    for run in 0..25 {
        kaizen.record(&Execution {
            agent: "coach",
            success: run % 5 != 0,
            execution_time_s: Some(run as f64 / 8.0),
            quality_score: Some(0.75),
            idempotency_key: Some(&format!("rust-{worker}-{run}")),
            metadata_json: Some(r#"{"host":"rust"}"#),
        })?;
    }
    Ok(())
}

fn run(path: &str, project_root: &str) -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "sizes host={} execution={} receipt={} summary={} stats={} plugin={} str={}",
        size_of::<Host>(),
        size_of::<RawExecution>(),
        size_of::<Receipt>(),
        size_of::<Summary>(),
        size_of::<Stats>(),
        size_of::<Table>(),
        size_of::<Str>()
    );
    let kaizen = Kaizen::open(path, &[("project_root", project_root)])?;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                scope.spawn({
                    let kaizen = &kaizen;
                    move || work(kaizen, worker)
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a worker panicked"))
    })?;
    let again = Execution {
        agent: "coach",
        success: true,
        idempotency_key: Some("rust-0-0"),
        ..Execution::default()
    };
    let outcome = kaizen.record(&again)?;
    println!("duplicate {}", if outcome.duplicate { "yes" } else { "no" });
    if let Err(error) = kaizen.record(&Execution {
        quality_score: Some(1.2),
        ..again
    }) {
        println!("rejected {}", error.reason);
    }
    println!("pending {}", kaizen.flush(1000)?);
    println!(
        "recorded {} success_rate {}",
        kaizen.stats()?.recorded,
        outcome.summary.success_rate
    );
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 3 {
        eprintln!("usage: kaizen-embed PLUGIN PROJECT_ROOT");
        process::exit(2);
    }
    if let Err(error) = run(&arguments[1], &arguments[2]) {
        eprintln!("kaizen-embed: {error}");
        process::exit(1);
    }
}

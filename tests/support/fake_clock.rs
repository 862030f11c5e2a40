//! The wall clock of a process, moved while it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::app::Env;

/// libfaketime, which replaces the C library's wall clock. The monotonic clock is not changed, as
/// in a virtual machine that was stopped.
pub(crate) struct FakeClock {
    library: PathBuf,
    /// The file with the difference from the real clock, read by each call.
    file: PathBuf,
}

impl FakeClock {
    /// A clock without a difference. `None` if libfaketime is not installed.
    pub(crate) fn find() -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let places = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
        let library = |place: PathBuf| place.join("faketime/libfaketime.so.1");
        let library = places.map(library).find(|library| library.exists())?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("clock-{}-{count}", std::process::id());
        let clock = Self { library, file: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name) };
        clock.set(0);
        Some(clock)
    }

    /// The same environment with this clock in it.
    pub(crate) fn give(&self, env: Env) -> Env {
        env.with("LD_PRELOAD", self.library.to_str().unwrap())
            .with("FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap())
            .with("FAKETIME_NO_CACHE", "1")
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Moves the clock to this many seconds from the real one.
    pub(crate) fn set(&self, seconds: i64) {
        self.write(&format!("{seconds:+}"));
    }

    /// Moves the clock to this many seconds from the real one, to the millisecond.
    pub(crate) fn set_exactly(&self, seconds: f64) {
        self.write(&format!("{seconds:+.3}"));
    }

    fn write(&self, distance: &str) {
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{distance}\n")).unwrap();
        fs::rename(&next, &self.file).unwrap();
    }
}

impl Drop for FakeClock {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.file);
    }
}

//! The memory that models run in: how much there is, how much is used and by
//! what, and when that is too much.
//!
//! What the machine says comes from [`machine`], what is loaded from the model
//! servers; [`report`] and [`alarm`] only compute. It must never know what a
//! workflow is.

pub mod alarm;
mod machine;
pub mod report;

use std::sync::Arc;

use futures::future::join_all;
use metrics::{counter, gauge};
use tokio::sync::{Mutex, Notify};

use self::alarm::Alarm;
pub use self::{
    alarm::Level,
    machine::{Device, Gauge, Kind, Machine},
    report::{Problem, Report, Room, Servers},
};
use crate::{config, providers::Models};

/// Keeps an eye on the memory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gauge: Arc<Gauge>,
    seen: Mutex<Seen>,
    /// Somebody has loaded a model.
    loaded: Notify,
}

/// What was seen since the start.
#[derive(Debug)]
struct Seen {
    alarm: Alarm,
    /// Most that was used of this kind of memory.
    peak: Option<(Room, u64)>,
}

/// The memory now.
#[derive(Debug, Clone, PartialEq)]
pub struct Now {
    /// What there is and what is used.
    pub report: Report,
    /// Most that was used since the start, in MiB.
    pub peak_mb: u64,
    /// How bad it is.
    pub level: Level,
    /// The threshold that was crossed upwards since the last look.
    pub crossed: Option<Level>,
}

impl Memory {
    /// Reads nothing yet.
    pub fn new(config: &config::Memory) -> Self {
        Self(Arc::new(Inner {
            gauge: Arc::new(Gauge::new(config.gpu, config.root.clone())),
            seen: Mutex::new(Seen {
                alarm: Alarm::new(config.warn_percent, config.critical_percent),
                peak: None,
            }),
            loaded: Notify::new(),
        }))
    }

    /// What the machine has.
    pub async fn machine(&self) -> Machine {
        let gauge = self.0.gauge.clone();
        // A driver may take its time, and so does a program.
        let read = tokio::task::spawn_blocking(move || gauge.read()).await;
        read.unwrap_or_else(|error| {
            tracing::warn!(%error, "the machine's memory cannot be read");
            Machine::default()
        })
    }

    /// A model was loaded, so that a look is worth it.
    pub fn loaded(&self) {
        self.0.loaded.notify_one();
    }

    /// Resolves when a model was loaded since the last time.
    pub async fn until_loaded(&self) {
        self.0.loaded.notified().await;
    }

    /// Asks the machine and the model servers.
    pub async fn look(&self, models: &Models) -> Now {
        let asked = models.used().into_iter().map(|link| async move {
            let provider = &link.identity().provider;
            (provider.clone(), link.provider().memory().await)
        });
        let servers = join_all(asked).await;
        // One after the other: what is older must not be taken for a change.
        let mut seen = self.0.seen.lock().await;
        let machine = self.machine().await;
        seen.saw(report::of(machine, servers))
    }
}

impl Seen {
    fn saw(&mut self, report: Report) -> Now {
        let before = self.peak.filter(|(room, _)| *room == report.room);
        let peak_mb = before.map_or(0, |(_, peak)| peak).max(report.used_mb);
        self.peak = Some((report.room, peak_mb));
        let crossed = self.alarm.see(report.percentage());
        let level = self.alarm.level();
        meter(&report, peak_mb, crossed);
        if let Some(level) = crossed {
            tracing::warn!(level = level.as_str(), used_mb = report.used_mb, total_mb = report.total_mb,
                components = ?report.components, "{}", report.room.full());
        }
        Now {
            report,
            peak_mb,
            level,
            crossed,
        }
    }
}

fn meter(report: &Report, peak_mb: u64, crossed: Option<Level>) {
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 MiB")]
    let bytes = |mb: u64| mb as f64 * 1_048_576.0;
    gauge!("agentic_ide_model_memory_used_bytes").set(bytes(report.used_mb));
    gauge!("agentic_ide_model_memory_peak_bytes").set(bytes(peak_mb));
    if let Some(total) = report.total_mb {
        gauge!("agentic_ide_model_memory_total_bytes").set(bytes(total));
    }
    if let Some(percentage) = report.percentage() {
        gauge!("agentic_ide_model_memory_percent").set(percentage);
    }
    if let Some(level) = crossed {
        counter!("agentic_ide_model_memory_crossings_total", "level" => level.as_str()).increment(1);
    }
}

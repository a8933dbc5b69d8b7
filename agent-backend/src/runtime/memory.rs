//! Looks after the memory that models run in, and tells the workflows that run
//! when a threshold is crossed.

use std::time::Duration;

use engine::{
    Command, Phase,
    event::{Notice, NoticeLevel},
};
use shared::error::Code;

use super::Runtime;
use crate::memory::{Level, Now};

impl Runtime {
    /// Looks every so often and after each load that is told, until the process
    /// parks.
    pub fn watch_memory(&self, pause: Duration) {
        let runtime = self.clone();
        self.0.tasks.spawn(async move {
            let services = runtime.services();
            loop {
                let now = tokio::select! {
                    () = runtime.0.stop.cancelled() => return,
                    now = services.memory.look(&services.models) => now,
                };
                runtime.tell(&now);
                tokio::select! {
                    () = runtime.0.stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                    () = services.memory.until_loaded() => {}
                }
            }
        });
    }

    /// The memory now. Whoever looks may be the first to see it full.
    pub async fn memory(&self) -> Now {
        let services = self.services();
        let now = services.memory.look(&services.models).await;
        self.tell(&now);
        now
    }

    /// Tells workflows that work; one that waits for a person needs no memory.
    fn tell(&self, now: &Now) {
        let Some(level) = now.crossed else { return };
        let notice = Notice {
            level: NoticeLevel::Warning,
            code: Some(Code::ModelMemoryFull),
            message: message(level, now),
        };
        for (id, handle) in self.active().iter() {
            let works = match handle.state().phase {
                Phase::Running(_) | Phase::Joining(_) | Phase::Waiting { .. } => true,
                Phase::AwaitingDecision { .. } | Phase::Finished(_) => false,
            };
            if works && !handle.tell(Command::Notify(notice.clone())) {
                tracing::debug!(workflow = %id, "too busy to be told that memory fills up");
            }
        }
    }
}

fn message(level: Level, now: &Now) -> String {
    let report = &now.report;
    let what = match level {
        Level::Critical => "models may be put out of memory",
        Level::Warning | Level::Normal => "another model may not fit",
    };
    let mut components: Vec<(&String, &u64)> = report.components.iter().collect();
    components.sort_by_key(|(_, size)| std::cmp::Reverse(**size));
    let components: Vec<String> = components
        .iter()
        .map(|(name, size)| format!("{name} {size}"))
        .collect();
    format!(
        "{}: {} of {} MiB are used ({}); {what}",
        report.room.full(),
        report.used_mb,
        report.total_mb.unwrap_or_default(),
        components.join(", ")
    )
}

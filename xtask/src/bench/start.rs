//! From starting the process to its first accepted connection.

use super::{Bench, Row, launch::Which};
use crate::clock::Stopwatch;

struct ColdStart(Which);

/// One row for each program that listens.
pub fn rows() -> Vec<Box<dyn Row>> {
    let listening = Which::ALL.into_iter().filter(|which| *which != Which::Gui);
    listening
        .map(|which| Box::new(ColdStart(which)) as Box<dyn Row>)
        .collect()
}

impl Row for ColdStart {
    fn name(&self) -> String {
        format!("cold start to listening: {}", self.0.binary())
    }

    fn unit(&self) -> &'static str {
        "ms"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| {
            let watch = Stopwatch::start();
            let program = self.0.start(bench, crew, dir)?;
            self.0.wait_listening(program, dir)?;
            Ok(super::millis(watch.elapsed()))
        })
    }
}

//! Measures what a person waits for in the window: frames without a window,
//! 1280x800, drawn as the window draws them, in time of the processor; then the program itself on a
//! virtual screen, where `Xvfb` is.
//!
//! ```text
//! cargo build --release -p gui-client --bins
//! cargo run --release -p gui-client --example frames
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it measures time and prints it; what fails ends it"
)]

#[cfg(feature = "wgpu")]
compile_error!("it measures drawing by the processor: build it without the feature `wgpu`");

mod program;
mod sample;
mod screen;

use std::{sync::Arc, time::Duration};

use gui_client::{
    app::{App, Message, Options},
    clock::Clock,
    config::Config,
    connection::{
        Followed,
        fake::{DEMO, Fake},
    },
    model::diff::FileView,
};
use rustix::time::{ClockId, clock_gettime};
use shared::{id::WorkflowId, wire::Body};

use screen::Screen;

/// Frames measured.
const FRAMES: usize = 400;
/// Updates that come between two frames, at 200 updates and 60 frames a second.
const UPDATES: usize = 4;

fn main() {
    frames();
    costs();
}

/// Frames without a window.
fn frames() {
    let file = sample::large();
    report(
        "open a diff of 10,000 lines",
        &repeat(50, || drop(FileView::new(&file))),
    );

    let mut app = App::new(
        Arc::new(Fake::new(DEMO, Duration::ZERO, Clock::system()).unwrap()),
        Clock::system(),
        &Config::default(),
        Options::default(),
    );
    let _tasks = app.update(Message::Submitted(Ok(WorkflowId::new("w1"))));
    let mut screen = None;
    report(
        "first frame, fonts included",
        &repeat(1, || screen.insert(Screen::new()).draw(&app, 0.0)),
    );
    let mut screen = screen.unwrap();
    report(
        "frame without a change",
        &repeat(FRAMES, || screen.draw(&app, 0.0)),
    );

    let (mut updates, mut seq) = (sample::updates(), 0);
    let mut write = |app: &mut App, seq: &mut u64| {
        for body in updates.by_ref().take(UPDATES) {
            fold(app, seq, body);
        }
    };
    report(
        "four updates of the text that is written, folded",
        &repeat(FRAMES, || write(&mut app, &mut seq)),
    );
    report(
        "frame with four updates of that text",
        &repeat(FRAMES, || {
            write(&mut app, &mut seq);
            screen.draw(&app, 0.0);
        }),
    );

    for body in sample::proposal() {
        fold(&mut app, &mut seq, body);
    }
    report("first frame of the diff", &repeat(1, || screen.draw(&app, 0.0)));
    report(
        "frame of the diff, scrolled by a step of the wheel",
        &repeat(FRAMES, || screen.draw(&app, 1.0)),
    );
}

/// What the program costs.
fn costs() {
    // This one is in `examples`, next to the program.
    let here = std::env::current_exe().unwrap();
    let program = here.ancestors().nth(2).unwrap().join("agentic-ide-gui");
    if !program.exists() {
        println!(
            "{} is not built: nothing of the program itself",
            program.display()
        );
        return;
    }
    let diff = sample::transcript(sample::proposal());
    let stream = program::stream();
    let all: [(&str, Option<(&str, u64)>); 3] = [
        ("waiting for a request", None),
        ("a diff of 10,000 lines is open", Some((&diff, 1))),
        ("200 updates a second", Some((&stream, 5))),
    ];
    // The files of the program are read once before.
    let _cold = program::cost(&program, None, Duration::ZERO);
    for (what, played) in all {
        let cost = program::cost(&program, played, program::MEASURED);
        println!(
            "{}: {what}: first frame {:.0} ms, cpu {:.2} %, memory {:.1} MiB (anonymous {:.1} MiB)",
            build(),
            cost.first_frame.as_secs_f64() * 1e3,
            cost.cpu_percent,
            cost.memory_mib,
            cost.anonymous_mib,
        );
    }
}

fn fold(app: &mut App, seq: &mut u64, body: Body) {
    *seq += 1;
    let followed = Followed::Events(vec![sample::event(*seq, body).into()]);
    let _tasks = app.update(Message::Followed(app.generation, vec![followed]));
}

fn repeat(times: usize, mut act: impl FnMut()) -> Vec<Duration> {
    (0..times)
        .map(|_| {
            let begin = ran();
            act();
            ran() - begin
        })
        .collect()
}

/// How long this thread has run: the same however busy the machine is otherwise.
fn ran() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

fn report(what: &str, measured: &[Duration]) {
    let mut sorted = measured.to_vec();
    sorted.sort_unstable();
    let at =
        |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "{}: {what}: median {:.2} ms, p95 {:.2} ms",
        build(),
        at(50),
        at(95)
    );
}

fn build() -> &'static str {
    if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    }
}

//! Measures what a person waits for in the window, without a window: each
//! frame is laid out and drawn as a whole by the software renderer, 1280x800.
//!
//! `cargo run --release -p gui-client --example frames`

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it measures time and prints it; what fails ends it"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gui_client::{
    app::{self, App, Message, Options},
    clock::Clock,
    config::Config,
    connection::{
        Followed,
        fake::{DEMO, Fake},
    },
    model::diff::FileView,
    theme,
};
use iced::{
    Event, Pixels, Point, Size,
    advanced::{
        clipboard,
        renderer::{Headless, Style},
    },
    mouse,
    theme::Base as _,
    window,
};
use iced_test::runtime::{UserInterface, user_interface};
use shared::{
    id::{CorrelationId, Seq, StageId, WorkflowId},
    wire::{Body, ChangeKind, Decision, Envelope, FileDiff, Hunk, Question},
};

/// Lines of the large file, and of them each this many-th is another one.
const LINES: usize = 10_000;
const CHANGED: usize = 50;
/// Frames measured.
const FRAMES: usize = 200;

fn main() {
    let file = large();
    report(
        "open a diff of 10,000 lines",
        &repeat(20, || drop(FileView::new(&file))),
    );

    let mut app = App::new(
        Arc::new(Fake::new(DEMO, Duration::ZERO, Clock::system()).unwrap()),
        Clock::system(),
        &Config::default(),
        Options::default(),
    );
    let _tasks = app.update(Message::Submitted(Ok(WorkflowId::new("w1"))));
    let first = Instant::now();
    let mut screen = Screen::new();
    screen.draw(&app, 0.0);
    report("first frame, fonts included", &[first.elapsed()]);

    // Updates come one by one, and a frame is drawn for each.
    let mut seq = 0;
    let frames: Vec<Duration> = (0..FRAMES)
        .map(|at| {
            let begin = Instant::now();
            fold(&mut app, &mut seq, update(at));
            screen.draw(&app, 0.0);
            begin.elapsed()
        })
        .collect();
    report("frame with an update of the text", &frames);
    let folding: Vec<Duration> = (0..FRAMES)
        .map(|at| {
            let begin = Instant::now();
            fold(&mut app, &mut seq, update(FRAMES + at));
            begin.elapsed()
        })
        .collect();
    report("the update alone", &folding);

    fold(
        &mut app,
        &mut seq,
        Body::DiffReady {
            iteration: 1,
            files: vec![file],
        },
    );
    fold(
        &mut app,
        &mut seq,
        Body::DecisionNeeded {
            iteration: 1,
            options: vec![Decision::Accept, Decision::Reject, Decision::Modify],
            question: Question::Review,
        },
    );
    let frames: Vec<Duration> = (0..FRAMES)
        .map(|_| {
            let begin = Instant::now();
            screen.draw(&app, 3.0);
            begin.elapsed()
        })
        .collect();
    report("frame of the diff, scrolled", &frames);
}

/// A file of which each 50th line is another one, each in a hunk of its own.
fn large() -> FileDiff {
    let text = |new: bool| -> String {
        let line = |n: usize| {
            let value = if new && n % CHANGED == 10 {
                "other"
            } else {
                "value"
            };
            format!("    let {value}_{n} = compute(\"{value}\", {n});\n")
        };
        (0..LINES).map(line).collect()
    };
    let changes = LINES / CHANGED;
    let hunk = |at: usize| {
        let start = u32::try_from(at * CHANGED + 10 - 2).unwrap();
        Hunk {
            old_start: start,
            old_lines: 7,
            new_start: start,
            new_lines: 7,
        }
    };
    FileDiff {
        path: "src/large.rs".to_owned(),
        change: ChangeKind::Edit,
        old_text: Some(text(false)),
        new_text: Some(text(true)),
        lines_added: u32::try_from(changes).unwrap(),
        lines_removed: u32::try_from(changes).unwrap(),
        hunks: (0..changes).map(hunk).collect(),
    }
}

fn update(at: usize) -> Body {
    let delta = format!("    line_{at} = compute({at})\n");
    let length = u64::try_from(delta.chars().count()).unwrap();
    // Every line is as long as the ones before it, but for its digits.
    let offset: u64 = (0..at)
        .map(|at| u64::try_from(format!("    line_{at} = compute({at})\n").len()).unwrap())
        .sum();
    Body::AgentStreamingUpdate {
        stage_id: StageId::new("code_generation"),
        attempt: 1,
        delta,
        offset,
        partial_result: None,
        tokens_so_far: offset + length,
        is_final: false,
        metrics: None,
    }
}

fn fold(app: &mut App, seq: &mut u64, body: Body) {
    *seq += 1;
    let event = Envelope {
        seq: Seq(*seq),
        workflow_id: WorkflowId::new("w1"),
        correlation_id: CorrelationId::new("c1"),
        timestamp: 100,
        body,
    };
    let followed = Followed::Events(vec![event]);
    let _tasks = app.update(Message::Followed(app.generation, followed));
}

/// What stays from frame to frame, as in a window.
struct Screen {
    renderer: iced::Renderer,
    cache: user_interface::Cache,
}

impl Screen {
    fn new() -> Self {
        // Takes the fonts up, which all renderers share.
        let settings = iced::Settings {
            fonts: theme::fonts(),
            ..iced::Settings::default()
        };
        let fonts: iced_test::Simulator<'_, ()> =
            iced_test::Simulator::with_size(settings, (10.0, 10.0), iced::widget::space());
        drop(fonts);
        let renderer = futures::executor::block_on(<iced::Renderer as Headless>::new(
            theme::UI,
            Pixels(14.0),
            Some("tiny-skia"),
        ));
        Self {
            renderer: renderer.unwrap(),
            cache: user_interface::Cache::default(),
        }
    }

    /// Lays the window out and draws it, with the wheel turned by so much before.
    fn draw(&mut self, app: &App, lines: f32) {
        let size = Size::new(1_280.0, 800.0);
        let cursor = mouse::Cursor::Available(Point::new(900.0, 400.0));
        let cache = std::mem::take(&mut self.cache);
        let mut ui = UserInterface::build(app::view(app), size, cache, &mut self.renderer);
        let delta = mouse::ScrollDelta::Lines { x: 0.0, y: -lines };
        let wheel = Event::Mouse(mouse::Event::WheelScrolled { delta });
        let redraw = Event::Window(window::Event::RedrawRequested(Instant::now()));
        let mut messages = Vec::new();
        let _state = ui.update(
            &[wheel, redraw],
            cursor,
            &mut self.renderer,
            &mut clipboard::Null,
            &mut messages,
        );
        let base = app.theme().base();
        let style = Style {
            text_color: base.text_color,
        };
        ui.draw(&mut self.renderer, &app.theme(), &style, cursor);
        self.cache = ui.into_cache();
        let _pixels = self
            .renderer
            .screenshot(Size::new(1_280, 800), 1.0, base.background_color);
    }
}

fn repeat(times: usize, mut act: impl FnMut()) -> Vec<Duration> {
    (0..times)
        .map(|_| {
            let begin = Instant::now();
            act();
            begin.elapsed()
        })
        .collect()
}

fn report(what: &str, measured: &[Duration]) {
    let mut sorted = measured.to_vec();
    sorted.sort_unstable();
    let at =
        |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_secs_f64() * 1e3;
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    println!("{build}: {what}: median {:.2} ms, p95 {:.2} ms", at(50), at(95));
}

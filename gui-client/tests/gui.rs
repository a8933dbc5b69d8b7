//! The window without a window: the fold of events, the diff, the connection
//! against a local server, and the screens through a simulator.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on stops with a panic"
)]

#[path = "gui/diff.rs"]
mod diff;
#[path = "gui/follow.rs"]
mod follow;
#[path = "gui/live.rs"]
mod live;
#[path = "gui/model.rs"]
mod model;
#[path = "gui/review.rs"]
mod review;
#[path = "gui/screens.rs"]
mod screens;
#[path = "gui/settings.rs"]
mod settings;
#[path = "gui/support.rs"]
mod support;
#[path = "gui/tls.rs"]
mod tls;

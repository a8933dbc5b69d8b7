//! The window without a window: the fold of events, the diff, the connection
//! against a local server, and the screens through a simulator.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on stops with a panic"
)]

#[path = "gui/agents.rs"]
mod agents;
#[path = "gui/attention.rs"]
mod attention;
#[path = "gui/diff.rs"]
mod diff;
#[path = "gui/follow.rs"]
mod follow;
#[path = "gui/live.rs"]
mod live;
#[path = "gui/model.rs"]
mod model;
#[path = "gui/permission.rs"]
mod permission;
#[path = "gui/real_agents.rs"]
mod real_agents;
#[path = "gui/rest.rs"]
mod rest;
#[path = "gui/review.rs"]
mod review;
#[path = "gui/screens.rs"]
mod screens;
#[path = "gui/session.rs"]
mod session;
#[path = "gui/settings.rs"]
mod settings;
#[path = "gui/support.rs"]
mod support;
#[path = "gui/talk.rs"]
mod talk;
#[path = "gui/tls.rs"]
mod tls;
#[path = "gui/workflows.rs"]
mod workflows;

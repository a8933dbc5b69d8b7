//! The desktop window of Agentic IDE: a request goes in, code streams in, a
//! diff comes out, a person decides.
//!
//! Reading order: [`model`] is what is known about a workflow, a pure fold of
//! its events; [`connection`] brings the events and carries decisions;
//! [`agent`] talks with other agents; [`attention`] tells a person who looks elsewhere;
//! [`app`] joins them; [`screen`], [`widget`] and [`theme`] show it.
//! The window must never know how the backend does anything.

pub mod agent;
pub mod app;
pub mod attention;
pub mod clock;
pub mod config;
pub mod connection;
pub mod drafts;
pub mod error;
pub mod model;
pub mod screen;
pub mod shortcut;
pub mod theme;
pub mod widget;

pub use error::Error;

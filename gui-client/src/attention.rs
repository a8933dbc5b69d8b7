//! Telling a person who looks elsewhere that they are asked something: through
//! the desktop, which shows it over whatever is in front.
//!
//! Nothing depends on it: who is not told finds the question in the window.

pub mod desktop;

use std::fmt::Debug;

use futures::future::BoxFuture;

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// In a few words, what is asked.
    pub title: String,
    /// About what.
    pub content: String,
}

/// Shows people what they are told.
pub trait Desktop: Debug + Send + Sync {
    /// Shows `call` for a while; the reason, where it cannot.
    fn show(&self, call: Call) -> BoxFuture<'static, Result<(), String>>;
}

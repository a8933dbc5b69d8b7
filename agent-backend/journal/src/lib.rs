//! The durable history of workflows: [`engine::ports::Journal`] on SQLite, on
//! Postgres for several backends (feature `postgres`), and in memory for tests.
//! It owns the files in its directory or the schema in its database, and the text
//! of the records in them.
//!
//! It must never know what an event means: it stores, orders and returns them.
//! It knows no clock and no model.
//!
//! What is promised, and what is not: `docs/durability.md`.

mod error;
pub mod history;
pub mod limits;
pub mod memory;
mod meter;
mod pack;
mod page;
#[cfg(feature = "postgres")]
pub mod postgres;
mod queue;
mod record;
mod rules;
pub mod sqlite;
mod words;

pub use error::Error;
pub use sqlite::{Journal, Options};

//! Agents: the window as a client of the Agent Client Protocol (version 1), with
//! our own backend or with another's program.
//!
//! Reading order: [`reach`] is where an agent is, [`client`] speaks with it and
//! turns what is on the wire into [`event`]s, [`session`] is the fold of them
//! that is shown. The protocol's own types are named in [`client`] and nowhere
//! else, so that its next version changes one folder.

pub mod client;
pub mod event;
pub mod fake;
mod files;
pub mod form;
mod process;
pub mod reach;
pub mod session;
mod socket;
pub mod tool;
pub mod update;

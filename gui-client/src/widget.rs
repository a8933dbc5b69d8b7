//! Widgets of our own: rows of code that are laid out only where they are
//! seen, and small pieces that every screen uses.

pub mod code;
pub mod commands;
mod cut;
pub mod keys;
pub mod pieces;
pub mod rest;
pub mod rows;

//! The screens: each owns what a person is in the middle of doing (a draft, a
//! chosen file) and answers `update` with a task and, where the window as a
//! whole must act, an event.

pub mod agents;
pub mod details;
pub mod evidence;
pub mod footer;
pub mod fork;
pub mod help;
pub mod interaction;
pub mod menu;
pub mod progress;
pub mod remark;
pub mod review;
pub mod settings;
pub mod undo;
pub mod workflows;
pub mod writing;

//! Everything that can happen in the window.

use std::path::PathBuf;

use shared::{
    id::WorkflowId,
    wire::{UndoResponse, WorkflowSummary, WorkflowView},
};

use super::Pane;
use crate::{
    Error,
    connection::{Followed, Server},
    screen::{agents, evidence, fork, interaction, remark, review, settings, workflows},
    shortcut::Shortcut,
};

/// What happens.
#[derive(Debug, Clone)]
pub enum Message {
    /// The server's state changed.
    Server(Server),
    /// The newest unfinished workflow, if any.
    Found(Result<Option<WorkflowSummary>, Error>),
    /// Look for the newest unfinished workflow again.
    Look,
    /// A snapshot of the workflow.
    Viewed(Result<Box<WorkflowView>, Error>),
    /// A request was submitted, or not.
    Submitted(Result<WorkflowId, Error>),
    /// This came from the stream of this generation, in order.
    Followed(u32, Vec<Followed>),
    /// A decision was sent, or not.
    Decided(Result<(), Error>),
    /// From the line for a remark.
    Remark(remark::Message),
    /// A remark was sent, or not.
    Remarked(Result<(), Error>),
    /// Cancelling was asked for, or not.
    Cancelled(Result<(), Error>),
    /// A second passed.
    Tick,
    /// Drafts are to be kept.
    Keep,
    /// They are.
    Kept,
    /// The window has this width now, in logical pixels.
    Resized(f32),
    /// The window came to the front, or no longer is there.
    Focused(Focus),
    /// A shortcut was pressed.
    Shortcut(Shortcut),
    /// This was typed while no field had the keyboard.
    Typed(String),
    /// A page key: how many pages down.
    Scroll(f32),
    /// A file was dropped on the window.
    Dropped(PathBuf),
    /// Its words for the request, or why there are none.
    Attached(Result<String, Error>),
    /// From the request pane.
    Interaction(interaction::Message),
    /// From the review pane.
    Review(review::Message),
    /// From what a check printed.
    Evidence(evidence::Message),
    /// From the list of workflows.
    Workflows(workflows::Message),
    /// About beginning anew from a stage.
    Fork(fork::Message),
    /// A workflow that goes on from a stage of the one that is shown has begun, or
    /// not.
    Forked(Result<WorkflowId, Error>),
    /// From talking with agents.
    Agents(agents::Message),
    /// Show a pane.
    Pane(Pane),
    /// Switch between light and dark.
    ToggleTheme,
    /// Open or close the settings.
    ToggleSettings,
    /// From the settings.
    Settings(settings::Message),
    /// Show or hide what the bar has no room for.
    ToggleMenu,
    /// Show or hide the help.
    ToggleHelp,
    /// Take back what the workflow has committed.
    Undo,
    /// It was taken back, or not.
    Undone(WorkflowId, Result<UndoResponse, Error>),
    /// Stop the workflow.
    Cancel,
    /// Leave a finished workflow and write the next request.
    NewRequest,
    /// Leave the workflow, finished or not, and write the next request.
    Leave,
    /// Take the error away.
    DismissError,
}

/// What happened to the keyboard's focus on the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// What is typed goes to this window.
    Gained,
    /// It goes elsewhere.
    Lost,
}

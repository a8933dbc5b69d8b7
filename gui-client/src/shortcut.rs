//! Keys and what they do, in one table: the window obeys it and the help
//! overlay prints it.

use iced::keyboard::{Key, Modifiers, key::Named};

/// What a key combination asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// Send what is being written: the request, or the feedback.
    Send,
    /// Accept the proposal.
    Accept,
    /// Reject the proposal.
    Reject,
    /// Open the feedback box.
    Modify,
    /// Cancel the running workflow.
    Cancel,
    /// Take back what the workflow has committed.
    Undo,
    /// Show the code pane.
    ShowCode,
    /// Show the diff pane.
    ShowDiff,
    /// Show the details pane.
    ShowDetails,
    /// Show the agents.
    ShowAgents,
    /// Show the workflows.
    ShowWorkflows,
    /// Go on to the next thing that can be done: a workflow of the list, a stage to
    /// begin anew from, an act with an agent.
    NextAct,
    /// Go back to the one before.
    PreviousAct,
    /// Do it.
    Act,
    /// Put the cursor into the next field.
    NextField,
    /// Put the cursor into the one before.
    PreviousField,
    /// Go to the next change of the diff.
    NextChange,
    /// Go to the previous change of the diff.
    PreviousChange,
    /// Show the next file of the diff.
    NextFile,
    /// Show the previous file of the diff.
    PreviousFile,
    /// Show whole files, or changes only.
    ToggleFold,
    /// Old and new lines next to each other, or one above the other.
    ToggleLayout,
    /// Take the hunk, or leave it out.
    ToggleHunk,
    /// Take the file, or leave it out.
    ToggleFile,
    /// Edit the shown file before it is accepted.
    Edit,
    /// Show what the next check printed.
    ShowLog,
    /// Search in what a check printed.
    Find,
    /// Put the cursor into the request.
    FocusRequest,
    /// Change the settings.
    Settings,
    /// Switch between light and dark.
    ToggleTheme,
    /// Scroll the main pane down.
    ScrollDown,
    /// Scroll the main pane up.
    ScrollUp,
    /// Show or hide the help.
    Help,
    /// Close what is open over the window.
    Close,
}

/// Every shortcut, its keys as printed, and what it does.
pub const TABLE: &[(Shortcut, &str, &str)] = &[
    (Shortcut::Send, "Ctrl+Enter", "Send the request or the feedback"),
    (Shortcut::Accept, "Ctrl+Shift+A", "Accept the proposal"),
    (Shortcut::Reject, "Ctrl+Shift+R", "Reject the proposal"),
    (
        Shortcut::Modify,
        "Ctrl+Shift+M",
        "Ask for changes to the proposal",
    ),
    (Shortcut::Cancel, "Ctrl+Shift+X", "Cancel the running workflow"),
    (
        Shortcut::Undo,
        "Ctrl+Shift+U",
        "Take back what was committed, by a new commit",
    ),
    (Shortcut::ShowCode, "Ctrl+1", "Show the code as it is written"),
    (Shortcut::ShowDiff, "Ctrl+2", "Show the diff"),
    (Shortcut::ShowDetails, "Ctrl+3", "Show plan, context and checks"),
    (Shortcut::ShowAgents, "Ctrl+4", "Talk with agents"),
    (Shortcut::ShowWorkflows, "Ctrl+5", "Show the workflows"),
    (
        Shortcut::NextAct,
        "Ctrl+Shift+ArrowDown",
        "To the next workflow, stage or act",
    ),
    (Shortcut::PreviousAct, "Ctrl+Shift+ArrowUp", "To the one before"),
    (
        Shortcut::Act,
        "Ctrl+Shift+Enter",
        "Open it, begin anew from it, do it",
    ),
    (Shortcut::NextField, "Tab", "Next field"),
    (Shortcut::PreviousField, "Shift+Tab", "Previous field"),
    (Shortcut::NextChange, "F7", "Next change"),
    (Shortcut::PreviousChange, "Shift+F7", "Previous change"),
    (Shortcut::NextFile, "Ctrl+PageDown", "Next file"),
    (Shortcut::PreviousFile, "Ctrl+PageUp", "Previous file"),
    (
        Shortcut::ToggleFold,
        "Ctrl+Shift+E",
        "Whole files or changes only",
    ),
    (
        Shortcut::ToggleLayout,
        "F6",
        "Side by side or one above the other",
    ),
    (Shortcut::ToggleHunk, "F8", "Take the hunk or leave it out"),
    (Shortcut::ToggleFile, "Shift+F8", "Take the file or leave it out"),
    (Shortcut::Edit, "F4", "Edit the file before accepting it"),
    (Shortcut::ShowLog, "F9", "What the next check printed"),
    (Shortcut::Find, "Ctrl+F", "Search in what a check printed"),
    (Shortcut::FocusRequest, "Ctrl+L", "Write a request"),
    (Shortcut::Settings, "Ctrl+,", "Settings"),
    (Shortcut::ToggleTheme, "Ctrl+Shift+L", "Light or dark"),
    (Shortcut::ScrollDown, "Shift+PageDown", "Scroll down"),
    (Shortcut::ScrollUp, "Shift+PageUp", "Scroll up"),
    (Shortcut::Help, "F1", "Show or hide this help"),
    (
        Shortcut::Close,
        "Escape",
        "Close the help or the feedback box, keep an edited text",
    ),
];

/// The shortcut of a key press, if it is one.
pub fn resolve(key: &Key, modifiers: Modifiers) -> Option<Shortcut> {
    let printed = printed(key, modifiers)?;
    TABLE
        .iter()
        .find(|(_, keys, _)| *keys == printed)
        .map(|(shortcut, _, _)| *shortcut)
}

/// The combination as the table writes it.
fn printed(key: &Key, modifiers: Modifiers) -> Option<String> {
    let name = match key {
        Key::Character(character) => character.to_uppercase(),
        Key::Named(named) => {
            let known = [
                (Named::Enter, "Enter"),
                (Named::F1, "F1"),
                (Named::F4, "F4"),
                (Named::F6, "F6"),
                (Named::F7, "F7"),
                (Named::F8, "F8"),
                (Named::F9, "F9"),
                (Named::PageDown, "PageDown"),
                (Named::PageUp, "PageUp"),
                (Named::Escape, "Escape"),
                (Named::Tab, "Tab"),
                (Named::ArrowDown, "ArrowDown"),
                (Named::ArrowUp, "ArrowUp"),
            ];
            known
                .iter()
                .find(|(other, _)| other == named)
                .map(|(_, name)| (*name).to_owned())?
        }
        Key::Unidentified => return None,
    };
    if modifiers.alt() || modifiers.logo() {
        return None;
    }
    let control = if modifiers.control() { "Ctrl+" } else { "" };
    let shift = if modifiers.shift() { "Shift+" } else { "" };
    Some(format!("{control}{shift}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &Key, modifiers: Modifiers, expect: Option<Shortcut>) {
        assert_eq!(resolve(key, modifiers), expect, "{key:?} {modifiers:?}");
    }

    #[test]
    fn keys() {
        let both = Modifiers::CTRL | Modifiers::SHIFT;
        check(&Key::Character("a".into()), both, Some(Shortcut::Accept));
        check(&Key::Character("A".into()), both, Some(Shortcut::Accept));
        check(&Key::Character("a".into()), Modifiers::CTRL, None);
        check(&Key::Character("a".into()), both | Modifiers::ALT, None);
        check(&Key::Named(Named::Enter), Modifiers::CTRL, Some(Shortcut::Send));
        check(&Key::Named(Named::Enter), Modifiers::empty(), None);
        check(
            &Key::Named(Named::F7),
            Modifiers::SHIFT,
            Some(Shortcut::PreviousChange),
        );
        check(&Key::Named(Named::ArrowDown), both, Some(Shortcut::NextAct));
        check(&Key::Named(Named::ArrowDown), Modifiers::empty(), None);
        check(
            &Key::Named(Named::Tab),
            Modifiers::empty(),
            Some(Shortcut::NextField),
        );
        check(&Key::Unidentified, both, None);
    }

    #[test]
    fn no_two_have_the_same_keys() {
        let mut keys: Vec<_> = TABLE.iter().map(|(_, keys, _)| *keys).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), TABLE.len());
    }
}

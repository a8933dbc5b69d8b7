//! What an agent says of a session while it works: the parts of
//! `session/update` that the window shows.

use super::tool::ToolPatch;

/// One update of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// A piece of text.
    Text(Piece),
    /// A tool call begins, or something of it changed.
    Tool(ToolPatch),
    /// The plan, whole.
    Plan(Vec<Step>),
    /// What may be written after a slash, whole.
    Commands(Vec<SlashCommand>),
    /// The settings, whole.
    Settings(Vec<Setting>),
    /// The mode that holds now.
    Mode(String),
    /// What the session is called; nothing takes the title away.
    Title(Option<String>),
    /// How full the context is, and what it cost so far.
    Usage(Usage),
    /// Something that a person should know.
    Notice(Notice),
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Whose it is.
    pub speaker: Speaker,
    /// The text; what is no text is named in brackets.
    pub text: String,
    /// Which message it belongs to, where the agent says so.
    pub message: Option<String>,
}

/// Whose words these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The person's.
    Person,
    /// The agent's.
    Agent,
    /// The agent's, to itself.
    Thought,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is to be done.
    pub text: String,
    /// How far it is.
    pub status: StepStatus,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepStatus {
    /// Its turn has not come.
    Pending,
    /// It is being done.
    Running,
    /// It is done.
    Completed,
}

/// What may be written after a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlashCommand {
    /// Without the slash.
    pub name: String,
    /// What it does.
    pub description: String,
    /// What may follow it.
    pub hint: Option<String>,
}

/// Something about a session that a person may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Which one.
    pub key: SettingKey,
    /// What it is called.
    pub name: String,
    /// What it means.
    pub description: Option<String>,
    /// What it is and may be.
    pub value: SettingValue,
}

/// Which setting: newer agents have options, older ones have modes alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingKey {
    /// A configuration option with this id.
    Option(String),
    /// The mode of the session.
    Mode,
}

/// What a setting is and may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    /// One of several.
    Select {
        /// The value that holds.
        current: String,
        /// What it may be.
        choices: Vec<Choice>,
    },
    /// On or off.
    Switch(Switch),
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// What a setting may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// As the agent calls it.
    pub value: String,
    /// For a person.
    pub name: String,
}

/// How full the context is.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Tokens in the context.
    pub used: u64,
    /// Tokens that it has room for.
    pub size: u64,
    /// What the session cost so far: an amount and its currency.
    pub cost: Option<(f64, String)>,
}

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How bad it is.
    pub severity: Severity,
    /// In a few words.
    pub title: String,
    /// In more.
    pub text: String,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Not at all.
    Info,
    /// It could be better.
    Warning,
    /// It went wrong.
    Error,
}

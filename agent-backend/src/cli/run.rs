//! `run`: one workflow in the terminal.

use std::{
    io::{IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use dialoguer::{Input, Select};
use shared::{
    error::Code,
    id::{Seq, WorkflowId},
    wire::{
        self, Body, Decision, DecisionRequest, Question, SubmitRequest, ToolEffect, WantedCall, WorkflowState,
    },
};

use super::{
    Exit,
    backend::{Backend, Unfinished},
    client::Client,
    print,
    render::Screen,
};
use crate::{
    config::Config,
    error::Error,
    images::{self, Picture},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What should be implemented
    request: String,
    /// Accept the proposal without asking
    #[arg(long)]
    yes: bool,
    /// Build and test with your own rights, this once, where nothing isolates what is run
    #[arg(long)]
    unisolated: bool,
    /// Print every event as one line of JSON instead of text
    #[arg(long)]
    json: bool,
    /// Workflow to run
    #[arg(long, default_value = "feature_implementation")]
    workflow_type: String,
    /// Own id of the request; the same id never runs twice
    #[arg(long)]
    correlation_id: Option<String>,
    /// How much the models think before they answer
    #[arg(long, value_enum, value_name = "LEVEL")]
    thought_level: Option<ThoughtLevel>,
    /// Whether code is searched for
    #[arg(long, value_enum)]
    retrieval: Option<Retrieval>,
    /// Search this folder as well, which is never written; may be repeated
    #[arg(long = "folder", value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// A picture that belongs to the request, for a model that sees; may be repeated
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
}

/// As in a submit.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ThoughtLevel {
    Default,
    Off,
    Low,
    Medium,
    High,
}

impl From<ThoughtLevel> for wire::ThoughtLevel {
    fn from(level: ThoughtLevel) -> Self {
        match level {
            ThoughtLevel::Default => Self::Default,
            ThoughtLevel::Off => Self::Off,
            ThoughtLevel::Low => Self::Low,
            ThoughtLevel::Medium => Self::Medium,
            ThoughtLevel::High => Self::High,
        }
    }
}

/// As in a submit.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Retrieval {
    On,
    Off,
}

impl From<Retrieval> for wire::Retrieval {
    fn from(retrieval: Retrieval) -> Self {
        match retrieval {
            Retrieval::On => Self::On,
            Retrieval::Off => Self::Off,
        }
    }
}

/// How a workflow is followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Accept without asking.
    pub yes: bool,
    /// Events as JSON.
    pub json: bool,
    /// Whether code may run without a sandbox, where nobody can be asked.
    pub unisolated: Unisolated,
}

impl Manner {
    /// As text; code does not run without a sandbox unless a person says so then.
    pub fn plain(yes: bool) -> Self {
        Self {
            yes,
            json: false,
            unisolated: Unisolated::Refused,
        }
    }
}

/// Whether code may run without a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unisolated {
    /// No.
    Refused,
    /// Yes: the person said so beforehand.
    Allowed,
}

/// `model` is what the command line names, if it does.
pub(super) async fn run(
    config: Config,
    named: Option<String>,
    model: Option<String>,
    arguments: Arguments,
) -> Result<Exit, Error> {
    let workspace = super::workspace(&config)?;
    let folders = arguments.folders.iter().map(|folder| {
        let path = std::path::absolute(folder);
        path.map(|path| path.display().to_string())
            .map_err(|error| Error::user(Code::InvalidRequest, format!("{}: {error}", folder.display())))
    });
    let folders = folders.collect::<Result<_, _>>()?;
    let images = arguments.images.iter().map(|file| picture(file));
    let images = images.collect::<Result<Vec<_>, _>>()?;
    let backend = Backend::find(&config, named, Unfinished::Leave).await?;
    // A name without its provider is of our own Ollama, which has it by now.
    let model = model.filter(|model| !backend.is_inner() || config.has_model(model));
    let request = SubmitRequest {
        workflow_type: arguments.workflow_type,
        user_query: arguments.request,
        correlation_id: arguments.correlation_id,
        workspace: Some(workspace.display().to_string()),
        model,
        thought_level: arguments.thought_level.map(Into::into),
        retrieval: arguments.retrieval.map(Into::into),
        folders,
        images,
    };
    let submitted = backend.client.submit(&request).await?;
    let manner = Manner {
        yes: arguments.yes,
        json: arguments.json,
        unisolated: if arguments.unisolated {
            Unisolated::Allowed
        } else {
            Unisolated::Refused
        },
    };
    let exit = follow(&backend.client, submitted.workflow_id, manner).await;
    backend.close().await;
    exit
}

/// A file as it is sent. What it is, is known here already, so that a wrong one begins
/// nothing.
fn picture(file: &Path) -> Result<wire::Image, Error> {
    let refuse =
        |why: &dyn std::fmt::Display| Error::user(Code::ImageRefused, format!("{}: {why}", file.display()));
    let opened = std::fs::File::open(file).map_err(|error| refuse(&error))?;
    let mut bytes = Vec::new();
    // One more than is taken, so that a larger one is seen to be.
    let most = engine::limits::IMAGE_BYTES_MAX as u64 + 1;
    let read = opened.take(most).read_to_end(&mut bytes);
    read.map_err(|error| refuse(&error))?;
    let picture = Picture::of(None, bytes).map_err(|error| refuse(&error.message))?;
    Ok(wire::Image {
        data: images::base64(picture.contents().bytes()),
        media_type: Some(picture.format().media_type().to_owned()),
    })
}

/// Shows a workflow to its end, asking where it asks.
pub(super) async fn follow(client: &Client, id: WorkflowId, manner: Manner) -> Result<Exit, Error> {
    let mut events = client.follow(id.clone(), Seq::default());
    let mut screen = Screen::new();
    let mut files = Vec::new();
    while let Some(event) = events.next().await? {
        if manner.json {
            let line = serde_json::to_string(&event).map_err(|error| Error::internal(error.to_string()))?;
            print(&line)?;
        } else {
            screen.show(&event.body)?;
        }
        match event.body {
            Body::DiffReady { files: proposed, .. } => files = proposed,
            Body::DecisionNeeded { question, .. } => {
                // Replayed from an old run: it was answered long ago.
                if client.view(&id).await?.summary.state != WorkflowState::AwaitingDecision {
                    continue;
                }
                if !manner.json && question == Question::Review {
                    screen.diff(&files)?;
                }
                screen.clear();
                let Some(decision) = decision(manner, &question, files.is_empty())? else {
                    print_pending(&id)?;
                    return Ok(Exit::Declined);
                };
                match client.decide(&id, &decision).await {
                    // Somebody else was faster; their answer is in the events.
                    Err(error) if error.code == Code::DecisionNotPending => {}
                    outcome => outcome?,
                }
            }
            Body::WorkflowState {
                state: WorkflowState::Completed,
                ..
            } => {
                screen.clear();
                return Ok(Exit::Done);
            }
            Body::WorkflowState {
                state: WorkflowState::Rejected | WorkflowState::Cancelled,
                ..
            } => {
                screen.clear();
                return Ok(Exit::Declined);
            }
            Body::Failed { .. } => {
                screen.clear();
                return Ok(Exit::Failed);
            }
            Body::AgentStreamingUpdate { .. }
            | Body::WorkflowState { .. }
            | Body::StageStarted { .. }
            | Body::StageFinished { .. }
            | Body::AttemptDiscarded { .. }
            | Body::AttemptResumed { .. }
            | Body::RetrievalResult { .. }
            | Body::Plan { .. }
            | Body::CheckResult { .. }
            | Body::DecisionTaken { .. }
            | Body::Applied { .. }
            | Body::Notice { .. }
            | Body::ModelCalled { .. }
            | Body::ToolCalled { .. }
            | Body::Remarked { .. }
            | Body::Resync { .. } => {}
        }
    }
    Ok(Exit::Failed)
}

/// Asks the person; `None` when there is nobody to ask.
fn decision(
    manner: Manner,
    question: &Question,
    nothing_proposed: bool,
) -> Result<Option<DecisionRequest>, Error> {
    let of = |decision, feedback| {
        Some(DecisionRequest {
            decision,
            feedback,
            hunks: None,
            remember: false,
        })
    };
    let is_alone = manner.json || !std::io::stdin().is_terminal();
    match question {
        Question::Review if manner.yes => return Ok(of(Decision::Accept, None)),
        // Accepting would try what failed again and again.
        Question::Failure { .. } if manner.yes => return Ok(None),
        Question::Unisolated { .. } if manner.unisolated == Unisolated::Allowed => {
            return Ok(of(Decision::Accept, None));
        }
        Question::Unisolated { .. } | Question::ToolCall { .. } if manner.yes || is_alone => {
            return Ok(of(Decision::Reject, None));
        }
        Question::Review
        | Question::Failure { .. }
        | Question::Unisolated { .. }
        | Question::ToolCall { .. } => {}
    }
    if is_alone {
        return Ok(None);
    }
    let asked =
        |error: dialoguer::Error| Error::internal(format!("the question could not be asked: {error}"));
    let (prompt, answers) = match question {
        Question::Failure { stage_id } => (
            format!("`{stage_id}` failed. Try it again?"),
            [
                "try again",
                "end the workflow",
                "try again and say what to do differently",
            ],
        ),
        Question::Unisolated { .. } => {
            return permission("Nothing here isolates what is run. Build and test with your own rights?");
        }
        Question::ToolCall { call, .. } => return permission(&wanted(call)),
        Question::Review if nothing_proposed => (
            "Go on with this plan?".to_owned(),
            ["go on", "reject", "modify: say what to change"],
        ),
        Question::Review => (
            "Apply these changes?".to_owned(),
            ["accept and commit", "reject", "modify: say what to change"],
        ),
    };
    let choice = Select::new()
        .with_prompt(prompt)
        .items(answers)
        .default(0)
        .interact_opt()
        .map_err(asked)?;
    Ok(match choice {
        Some(0) => of(Decision::Accept, None),
        Some(1) => of(Decision::Reject, None),
        Some(_) => {
            let feedback: String = Input::new()
                .with_prompt("What should be changed?")
                .interact_text()
                .map_err(asked)?;
            of(Decision::Modify, Some(feedback))
        }
        None => None,
    })
}

/// What is asked about a call of a tool.
fn wanted(call: &WantedCall) -> String {
    let effect = match call.effect {
        ToolEffect::Unknown => "",
        ToolEffect::Adds => ", which only adds,",
        ToolEffect::Destroys => ", which may destroy,",
    };
    let WantedCall {
        server,
        tool,
        arguments,
        ..
    } = call;
    format!("The model wants to call `{tool}` of `{server}`{effect} with {arguments}. May it?")
}

/// Asks whether something may be done, and for how long that holds.
fn permission(prompt: &str) -> Result<Option<DecisionRequest>, Error> {
    let choice = Select::new()
        .with_prompt(prompt)
        .items([
            "this once",
            "always in this workspace",
            "no",
            "never in this workspace",
        ])
        .default(2)
        .interact_opt()
        .map_err(|error| Error::internal(format!("the question could not be asked: {error}")))?;
    let of = |decision, remember| DecisionRequest {
        decision,
        feedback: None,
        hunks: None,
        remember,
    };
    Ok(match choice {
        Some(0) => Some(of(Decision::Accept, false)),
        Some(1) => Some(of(Decision::Accept, true)),
        Some(2) => Some(of(Decision::Reject, false)),
        Some(_) => Some(of(Decision::Reject, true)),
        None => None,
    })
}

fn print_pending(id: &WorkflowId) -> Result<(), Error> {
    let hint =
        format!("the workflow waits for a decision; go on with: agentic-ide-backend workflows resume {id}");
    console::Term::stderr()
        .write_line(&hint)
        .map_err(|error| Error::internal(error.to_string()))
}

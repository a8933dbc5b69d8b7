//! `workflows`: looks at workflows, follows them, ends them.

mod definitions;
mod difference;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use shared::{
    error::Code,
    id::{Seq, WorkflowId},
    wire::{ForkRequest, RemarkRequest},
};

use self::definitions::Format;
use super::{
    Exit,
    backend::{Backend, Unfinished},
    print,
    run::{self, Manner},
};
use crate::{config::Config, error::Error};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Newest first
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One workflow, as JSON
    Show {
        /// Its id
        id: String,
        /// As it was right after this event
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
    },
    /// Begin a workflow that goes on from an event of another one, with
    /// another model if `--model` names one
    Fork {
        /// Id of the other one
        id: String,
        /// The last event that is taken over
        #[arg(long, value_name = "SEQ")]
        at: u64,
        /// Accept the proposal without asking
        #[arg(long)]
        yes: bool,
    },
    /// What differs between two workflows
    Diff {
        /// Id of the first
        a: String,
        /// Id of the second
        b: String,
    },
    /// Follow a workflow to its end, answering its question
    Resume {
        /// Its id
        id: String,
        /// Accept the proposal without asking
        #[arg(long)]
        yes: bool,
    },
    /// Say something to a workflow that runs: the next model that is asked is
    /// told
    Remark {
        /// Its id
        id: String,
        /// What to say
        text: String,
    },
    /// Stop a workflow
    Cancel {
        /// Its id
        id: String,
    },
    /// Delete a workflow that is finished or set aside
    Delete {
        /// Its id
        id: String,
    },
    /// Have a workflow that was set aside tried anew
    Readmit {
        /// Its id
        id: String,
    },
    /// All events of a workflow, one line of JSON each
    Export {
        /// Its id
        id: String,
        /// Write everything about it to this file, for `import`
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Take over a workflow that was exported to a file, as a record
    Import {
        /// The file
        file: PathBuf,
    },
    /// Check workflow definitions
    Check {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Draw a workflow definition
    Graph {
        /// The file, or the name of a definition
        definition: PathBuf,
        /// Language of the drawing
        #[arg(long, value_enum, default_value_t = Format::Mermaid)]
        format: Format,
    },
}

/// `model` is what the command line names, if it does.
pub(super) async fn run(
    config: Config,
    named: Option<String>,
    model: Option<String>,
    command: Command,
) -> Result<Exit, Error> {
    let unfinished = match &command {
        Command::Check { files } => return definitions::check(&config, files),
        Command::Graph { definition, format } => return definitions::draw(&config, definition, *format),
        Command::Resume { .. }
        | Command::Remark { .. }
        | Command::Cancel { .. }
        | Command::Readmit { .. }
        | Command::Fork { .. } => Unfinished::Resume,
        Command::List { .. }
        | Command::Show { .. }
        | Command::Diff { .. }
        | Command::Delete { .. }
        | Command::Export { .. }
        | Command::Import { .. } => Unfinished::Leave,
    };
    let backend = Backend::find(&config, named, unfinished).await?;
    let exit = Box::pin(act(&backend, model, command)).await;
    backend.close().await;
    exit
}

pub(super) fn parse(id: &str) -> Result<WorkflowId, Error> {
    WorkflowId::parse(id).map_err(|_| Error::unknown_workflow(id))
}

async fn act(backend: &Backend, model: Option<String>, command: Command) -> Result<Exit, Error> {
    match command {
        Command::List { limit, json: true } => {
            let page = backend.client.page(None, limit).await?;
            print_json(&page)?;
        }
        Command::List { limit, json: false } => {
            for workflow in backend.client.page(None, limit).await?.workflows {
                let query: String = workflow
                    .user_query
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(60)
                    .collect();
                print(&format!(
                    "{}  {:?}  {query}",
                    workflow.workflow_id, workflow.state
                ))?;
            }
        }
        Command::Show { id, at } => {
            let id = parse(&id)?;
            let view = match at {
                Some(at) => backend.client.view_at(&id, at).await?,
                None => backend.client.view(&id).await?,
            };
            print_json(&view)?;
        }
        Command::Fork { id, at, yes } => {
            let request = ForkRequest { at: Seq(at), model };
            let fork = backend.client.fork(&parse(&id)?, &request).await?;
            print(&format!("workflow {}", fork.workflow_id))?;
            return run::follow(&backend.client, fork.workflow_id, Manner::plain(yes)).await;
        }
        Command::Diff { a, b } => {
            let a = backend.client.view(&parse(&a)?).await?;
            let b = backend.client.view(&parse(&b)?).await?;
            let lines = difference::lines(&a, &b);
            for line in &lines {
                print(line)?;
            }
            return Ok(if lines.is_empty() {
                Exit::Done
            } else {
                Exit::Failed
            });
        }
        Command::Resume { id, yes } => {
            let id = parse(&id)?;
            backend.client.view(&id).await?;
            return run::follow(&backend.client, id, Manner::plain(yes)).await;
        }
        Command::Remark { id, text } => {
            let remark = RemarkRequest { text };
            backend.client.remark(&parse(&id)?, &remark).await?;
        }
        Command::Cancel { id } => backend.client.cancel(&parse(&id)?).await?,
        Command::Delete { id } => backend.client.delete(&parse(&id)?).await?,
        Command::Readmit { id } => backend.client.readmit(&parse(&id)?).await?,
        Command::Export { id, file: Some(file) } => {
            let text = backend.client.export(&parse(&id)?).await?;
            std::fs::write(&file, text).map_err(|error| unusable(&file, &error))?;
        }
        Command::Import { file } => {
            let text = std::fs::read_to_string(&file).map_err(|error| unusable(&file, &error))?;
            let imported = backend.client.import(text).await?;
            print(&format!("workflow {}", imported.workflow_id))?;
        }
        // Answered without a backend.
        Command::Check { .. } | Command::Graph { .. } => {}
        Command::Export { id, file: None } => {
            let id = parse(&id)?;
            let head = backend.client.view(&id).await?.summary.head;
            let mut events = backend.client.follow(id, Seq::default());
            while let Some(event) = events.next().await? {
                print_json(&event)?;
                if event.seq >= head {
                    break;
                }
            }
        }
    }
    Ok(Exit::Done)
}

fn unusable(file: &Path, error: &std::io::Error) -> Error {
    Error::user(Code::InvalidRequest, format!("{}: {error}", file.display()))
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    print(&serde_json::to_string(value).map_err(|error| Error::internal(error.to_string()))?)
}

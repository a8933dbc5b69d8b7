//! `workflows`: looks at workflows, follows them, ends them.

use clap::Subcommand;
use shared::id::{Seq, WorkflowId};

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
    },
    /// Follow a workflow to its end, answering its question
    Resume {
        /// Its id
        id: String,
        /// Accept the proposal without asking
        #[arg(long)]
        yes: bool,
    },
    /// Stop a workflow
    Cancel {
        /// Its id
        id: String,
    },
    /// All events of a workflow, one line of JSON each
    Export {
        /// Its id
        id: String,
    },
}

pub(super) async fn run(config: Config, named: Option<String>, command: Command) -> Result<Exit, Error> {
    let unfinished = match command {
        Command::Resume { .. } | Command::Cancel { .. } => Unfinished::Resume,
        Command::List { .. } | Command::Show { .. } | Command::Export { .. } => Unfinished::Leave,
    };
    let backend = Backend::find(&config, named, unfinished).await?;
    let exit = Box::pin(act(&backend, command)).await;
    backend.close().await;
    exit
}

fn parse(id: &str) -> Result<WorkflowId, Error> {
    WorkflowId::parse(id).map_err(|_| Error::unknown_workflow(id))
}

async fn act(backend: &Backend, command: Command) -> Result<Exit, Error> {
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
        Command::Show { id } => {
            let view = backend.client.view(&parse(&id)?).await?;
            print_json(&view)?;
        }
        Command::Resume { id, yes } => {
            let id = parse(&id)?;
            backend.client.view(&id).await?;
            return run::follow(&backend.client, id, Manner { yes, json: false }).await;
        }
        Command::Cancel { id } => backend.client.cancel(&parse(&id)?).await?,
        Command::Export { id } => {
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

fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    print(&serde_json::to_string(value).map_err(|error| Error::internal(error.to_string()))?)
}

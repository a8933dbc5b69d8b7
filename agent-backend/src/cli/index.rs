//! `index`: brings the index of a workspace up to date and shows how far it
//! is; pauses, stops and deletes it. It speaks with the backend that runs on
//! this data folder, or with one inside this process.

use std::{io::IsTerminal as _, path::PathBuf, time::Duration};

use clap::{ArgGroup, Args};
use dialoguer::Confirm;
use indicatif::{ProgressBar, ProgressStyle};
use shared::{
    error::Code,
    wire::{IndexCommand, IndexRequest, IndexState, IndexView},
};

use super::{
    Exit,
    backend::{Backend, Unfinished},
    client::Client,
    print,
};
use crate::{config::Config, error::Error};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").multiple(false))]
pub(super) struct Arguments {
    /// The workspace [default: `--workspace`, or the current folder]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Each change of state as a line of JSON
    #[arg(long)]
    json: bool,
    /// Follow the files until stopped with Ctrl-C
    #[arg(long, group = "what")]
    watch: bool,
    /// Show what is known, and do nothing
    #[arg(long, group = "what")]
    status: bool,
    /// Show every index that the backend knows
    #[arg(long, group = "what")]
    list: bool,
    /// Embed nothing until `--resume`, also after a restart
    #[arg(long, group = "what")]
    pause: bool,
    /// Go on after `--pause`
    #[arg(long, group = "what")]
    resume: bool,
    /// Stop, and do not keep the index up to date; what is stored stays
    #[arg(long, group = "what")]
    cancel: bool,
    /// Look at all files again and compare with the database
    #[arg(long, group = "what")]
    rescan: bool,
    /// Remove what is stored of the workspace
    #[arg(long, group = "what")]
    delete: bool,
    /// Do not ask before `--delete`
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(config: Config, named: Option<String>, arguments: Arguments) -> Result<Exit, Error> {
    let root = match &arguments.directory {
        Some(directory) => std::path::absolute(directory)
            .map_err(|error| Error::user(Code::WorkspaceUnreadable, error.to_string()))?,
        None => super::workspace(&config)?,
    };
    if arguments.delete && !confirmed(&arguments, &root)? {
        return Ok(Exit::Declined);
    }
    let backend = Backend::find(&config, named, Unfinished::Leave).await?;
    let outcome = Box::pin(ask(&backend.client, &root, &arguments)).await;
    backend.close().await;
    outcome
}

fn confirmed(arguments: &Arguments, root: &std::path::Path) -> Result<bool, Error> {
    if arguments.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        let message = "deleting an index needs a person who confirms it, or --yes";
        return Err(Error::user(Code::InvalidRequest, message));
    }
    let question = format!("Remove everything that is stored of {}?", root.display());
    Confirm::new()
        .with_prompt(question)
        .default(false)
        .interact()
        .map_err(|error| Error::internal(error.to_string()))
}

async fn ask(client: &Client, root: &std::path::Path, arguments: &Arguments) -> Result<Exit, Error> {
    let workspace = root
        .to_str()
        .ok_or_else(|| Error::user(Code::WorkspaceUnreadable, "the workspace's path is not UTF-8"))?;
    if arguments.list {
        for view in client.indexes().await?.indexes {
            show(&view, arguments)?;
        }
        return Ok(Exit::Done);
    }
    if arguments.status {
        show(&client.index(workspace).await?, arguments)?;
        return Ok(Exit::Done);
    }
    let once = [
        (arguments.pause, IndexCommand::Pause),
        (arguments.cancel, IndexCommand::Cancel),
        (arguments.delete, IndexCommand::Delete),
    ];
    let request = |command| IndexRequest {
        workspace: workspace.to_owned(),
        command,
    };
    if let Some((_, command)) = once.into_iter().find(|(asked, _)| *asked) {
        show(&client.control_index(&request(command)).await?, arguments)?;
        return Ok(Exit::Done);
    }
    let command = if arguments.resume {
        IndexCommand::Resume
    } else if arguments.rescan {
        IndexCommand::Rescan
    } else {
        IndexCommand::Open
    };
    client.control_index(&request(command)).await?;
    follow(client, workspace, arguments).await
}

/// Shows how it gets on until nothing more happens by itself.
async fn follow(client: &Client, workspace: &str, arguments: &Arguments) -> Result<Exit, Error> {
    let mut feed = client.follow_index(workspace).await?;
    let bar = if arguments.json {
        ProgressBar::hidden()
    } else {
        bar()
    };
    let mut last = None;
    while let Some(view) = feed.next().await? {
        if arguments.json {
            print(&json(&view))?;
        } else {
            draw(&bar, &view);
        }
        let over = end(view.state);
        if arguments.watch {
            if !arguments.json && over.is_some() && last != Some(view.state) {
                bar.suspend(|| print(&line(&view)))?;
            }
        } else if let Some(exit) = over {
            bar.finish_and_clear();
            if !arguments.json {
                print(&line(&view))?;
            }
            return Ok(exit);
        }
        last = Some(view.state);
    }
    Ok(Exit::Failed)
}

/// How the command ends in a state in which nothing more happens by itself.
fn end(state: IndexState) -> Option<Exit> {
    match state {
        IndexState::Ready | IndexState::Paused => Some(Exit::Done),
        // It goes on by itself, but nobody knows when.
        IndexState::Waiting | IndexState::Failed | IndexState::Idle => Some(Exit::Failed),
        IndexState::Scanning | IndexState::Indexing | IndexState::Deleting => None,
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style = "{spinner} {msg:<10} {bar:30} {pos}/{len} files {prefix}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn draw(bar: &ProgressBar, view: &IndexView) {
    bar.set_message(view.state.as_str());
    if let Some(now) = &view.progress {
        bar.set_length(now.files_total);
        bar.set_position(now.files_done);
        bar.set_prefix(pace(view));
    }
}

/// `34 files/s, 2 min 10 s left`, as far as that is known.
fn pace(view: &IndexView) -> String {
    let Some(now) = &view.progress else {
        return String::new();
    };
    let rate = now.files_per_second.map(|rate| format!("{rate:.0} files/s"));
    let left = now.seconds_left.map(|seconds| match seconds {
        0..60 => format!("{seconds} s left"),
        60..3600 => format!("{} min {} s left", seconds / 60, seconds % 60),
        _ => format!("{} h {} min left", seconds / 3600, seconds % 3600 / 60),
    });
    rate.into_iter().chain(left).collect::<Vec<_>>().join(", ")
}

fn json(view: &IndexView) -> String {
    serde_json::to_string(view).unwrap_or_default()
}

fn show(view: &IndexView, arguments: &Arguments) -> Result<(), Error> {
    print(&if arguments.json { json(view) } else { line(view) })
}

/// One line for a person.
fn line(view: &IndexView) -> String {
    let code = view
        .code
        .as_ref()
        .map(|code| format!("{code}: "))
        .unwrap_or_default();
    let far = match &view.progress {
        Some(now) => format!(
            " ({}/{} embedded; {})",
            now.files_done,
            now.files_total,
            pace(view)
        ),
        None => String::new(),
    };
    let (files, chunks) = (view.files, view.chunks);
    format!(
        "{}: {}, {files} files, {chunks} chunks{far}; {code}{}",
        view.workspace,
        view.state.as_str(),
        view.detail
    )
}

#[cfg(test)]
mod tests {
    use shared::wire::IndexProgress;

    use super::*;

    fn view(state: IndexState, progress: Option<(u64, Option<f64>, Option<u64>)>) -> IndexView {
        IndexView {
            workspace: "/w".into(),
            state,
            files: 100,
            chunks: 250,
            progress: progress.map(|(done, rate, left)| IndexProgress {
                files_done: done,
                files_total: 60,
                chunks_done: done * 2,
                files_per_second: rate,
                seconds_left: left,
            }),
            code: matches!(state, IndexState::Waiting).then(|| "E1501".into()),
            detail: "so it is".into(),
        }
    }

    #[test]
    fn lines() {
        let check = |view: IndexView, expect: &str| assert_eq!(line(&view), expect);
        check(
            view(IndexState::Ready, None),
            "/w: ready, 100 files, 250 chunks; so it is",
        );
        check(
            view(IndexState::Waiting, None),
            "/w: waiting, 100 files, 250 chunks; E1501: so it is",
        );
        check(
            view(IndexState::Indexing, Some((20, Some(4.4), Some(10)))),
            "/w: indexing, 100 files, 250 chunks (20/60 embedded; 4 files/s, 10 s left); so it is",
        );
    }

    #[test]
    fn paces() {
        let check = |rate, left, expect: &str| {
            assert_eq!(pace(&view(IndexState::Indexing, Some((0, rate, left)))), expect);
        };
        check(None, None, "");
        check(Some(3.0), None, "3 files/s");
        check(Some(0.4), Some(59), "0 files/s, 59 s left");
        check(Some(1.0), Some(130), "1 files/s, 2 min 10 s left");
        check(Some(1.0), Some(3_720), "1 files/s, 1 h 2 min left");
    }
}

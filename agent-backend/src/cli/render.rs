//! Events for a person at a terminal: progress on standard error, code, diff
//! and results on standard output.

use std::time::Duration;

use console::{Style, Term};
use indicatif::{ProgressBar, ProgressStyle};
use shared::wire::{Body, CallEnding, ChangeKind, CheckStatus, FileDiff, NoticeLevel, StageOutcome};
use tools::diff::printable;

use crate::error::Error;

/// A terminal that shows one workflow.
#[derive(Debug)]
pub(super) struct Screen {
    out: Term,
    bar: ProgressBar,
    /// Streamed text that has no line end yet.
    partial: String,
    shows_text: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {msg} {elapsed}") {
            bar.set_style(style);
        }
        Self {
            out: Term::stdout(),
            bar,
            partial: String::new(),
            shows_text: false,
        }
    }

    fn line(&self, text: &str) -> Result<(), Error> {
        let written = self.bar.suspend(|| self.out.write_line(text));
        written.map_err(|error| Error::internal(format!("cannot write to standard output: {error}")))
    }

    /// Shows one event.
    pub(super) fn show(&mut self, body: &Body) -> Result<(), Error> {
        match body {
            Body::StageStarted {
                stage_id, attempt, ..
            } => {
                self.shows_text = matches!(stage_id.as_str(), "code_generation" | "test_generation");
                let again = if *attempt > 1 {
                    format!(" (attempt {attempt})")
                } else {
                    String::new()
                };
                self.bar.reset_elapsed();
                self.bar.set_prefix(format!("{stage_id}{again}"));
                self.bar.set_message("");
                self.bar.enable_steady_tick(Duration::from_millis(120));
            }
            Body::AgentStreamingUpdate {
                delta,
                tokens_so_far,
                is_final,
                metrics,
                ..
            } => {
                let rate = metrics
                    .map(|m| format!(", {:.0} tok/s", m.tokens_per_sec))
                    .unwrap_or_default();
                self.bar.set_message(format!("{tokens_so_far} tokens{rate}"));
                if self.shows_text {
                    self.stream(delta, *is_final)?;
                }
            }
            Body::StageFinished {
                stage_id,
                attempt,
                outcome,
                duration_ms,
                reason,
            } => {
                if *attempt > 0 {
                    self.bar.disable_steady_tick();
                    self.bar.set_message("");
                }
                let (mark, style) = match outcome {
                    StageOutcome::Succeeded => ("✓", Style::new().green()),
                    StageOutcome::Skipped => ("–", Style::new().dim()),
                    StageOutcome::Failed => ("✗", Style::new().red()),
                };
                let reason = reason
                    .as_ref()
                    .map(|reason| format!("  {reason}"))
                    .unwrap_or_default();
                let seconds = Duration::from_millis(*duration_ms).as_secs_f64();
                self.line(&format!(
                    "{} {stage_id}  {seconds:.1} s{reason}",
                    style.apply_to(mark)
                ))?;
            }
            Body::AttemptDiscarded { reason, .. } => {
                self.partial.clear();
                self.line(&format!(
                    "{} {reason}; what was written so far is dropped",
                    Style::new().yellow().apply_to("↻")
                ))?;
            }
            Body::AttemptResumed { resumed_at_token, .. } => {
                self.line(&format!(
                    "{} the backend was restarted; the model goes on after {resumed_at_token} tokens",
                    Style::new().yellow().apply_to("↻")
                ))?;
            }
            Body::RetrievalResult { mode, items, tokens } => {
                self.line(&format!(
                    "  {} pieces of code, about {tokens} tokens ({mode:?})",
                    items.len()
                ))?;
                for item in items {
                    let symbol = item.symbol.as_deref().unwrap_or("");
                    self.line(&format!(
                        "    {}:{}-{} {symbol}",
                        item.path, item.start_line, item.end_line
                    ))?;
                }
            }
            Body::Plan {
                summary,
                steps,
                stages,
                estimates,
            } => {
                self.line(&format!("  {}", Style::new().bold().apply_to(summary)))?;
                for (number, step) in (1..).zip(steps) {
                    self.line(&format!("  {number}. {step}"))?;
                }
                for stage in stages {
                    let word = if stage.run { "with" } else { "without" };
                    self.line(&format!("  {word} {}: {}", stage.stage_id, stage.reason))?;
                }
                if !estimates.is_empty() {
                    self.line("  likely, by earlier workflows:")?;
                }
                for estimate in estimates {
                    self.line(&format!("    {estimate}"))?;
                }
            }
            Body::CheckResult {
                name, status, output, ..
            } => {
                let (mark, style) = match status {
                    CheckStatus::Passed => ("✓", Style::new().green()),
                    CheckStatus::Failed => ("✗", Style::new().red()),
                    CheckStatus::Skipped => ("–", Style::new().dim()),
                };
                self.line(&format!(
                    "  {} {name} {}",
                    style.apply_to(mark),
                    output.trim_end()
                ))?;
            }
            Body::Applied {
                commit,
                branch,
                paths,
            } => {
                let place = branch
                    .as_ref()
                    .map(|branch| format!(" on {branch}"))
                    .unwrap_or_default();
                match commit {
                    Some(commit) => self.line(&format!("committed {commit}{place}"))?,
                    None => self.line("written; there is no git repository to commit to")?,
                }
                for path in paths {
                    self.line(&format!("  {path}"))?;
                }
            }
            Body::Notice { level, code, message } => {
                let style = match level {
                    NoticeLevel::Info => Style::new().dim(),
                    NoticeLevel::Warning => Style::new().yellow(),
                };
                let code = code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default();
                self.line(&style.apply_to(format!("  {code}{message}")).to_string())?;
            }
            Body::ModelCalled { call, .. } => match &call.ending {
                CallEnding::Failed { .. } => {
                    self.line(&Style::new().yellow().apply_to(format!("  {call}")).to_string())?;
                }
                // The only model there is needs no word, unless it costs.
                CallEnding::Answered { .. } | CallEnding::FromCache
                    if call.number > 1 || call.cost_microdollars.is_some() =>
                {
                    self.line(&Style::new().dim().apply_to(format!("  {call}")).to_string())?;
                }
                CallEnding::Answered { .. } | CallEnding::FromCache => {}
            },
            Body::ToolCalled { call, .. } => {
                let style = if call.is_error {
                    Style::new().yellow()
                } else {
                    Style::new().dim()
                };
                self.line(
                    &style
                        .apply_to(format!("  {}", printable(&call.to_string())))
                        .to_string(),
                )?;
            }
            Body::Remarked { text } => {
                self.line(&format!(
                    "{} {}",
                    Style::new().cyan().apply_to("›"),
                    printable(text)
                ))?;
            }
            Body::Failed { code, message } => {
                self.line(&format!(
                    "{} {message}",
                    Style::new().red().apply_to(format!("failed[{code}]:"))
                ))?;
            }
            Body::WorkflowState { .. }
            | Body::DiffReady { .. }
            | Body::DecisionNeeded { .. }
            | Body::DecisionTaken { .. }
            | Body::Resync { .. } => {}
        }
        Ok(())
    }

    fn stream(&mut self, delta: &str, is_final: bool) -> Result<(), Error> {
        self.partial.push_str(delta);
        let dim = Style::new().dim();
        while let Some(end) = self.partial.find('\n') {
            let line: String = self.partial.drain(..=end).collect();
            self.line(&format!("  {}", dim.apply_to(printable(line.trim_end()))))?;
        }
        if is_final && !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.line(&format!("  {}", dim.apply_to(printable(&line))))?;
        }
        Ok(())
    }

    /// Shows a proposal as a coloured unified diff.
    pub(super) fn diff(&self, files: &[FileDiff]) -> Result<(), Error> {
        self.bar.disable_steady_tick();
        for file in files {
            let what = match file.change {
                ChangeKind::Create => "new file",
                ChangeKind::Edit => "changed",
                ChangeKind::Delete => "removed",
            };
            let head = format!(
                "{} ({what}, +{} -{})",
                file.path, file.lines_added, file.lines_removed
            );
            self.line(&Style::new().bold().apply_to(head).to_string())?;
            self.hunks(file)?;
        }
        Ok(())
    }

    fn hunks(&self, file: &FileDiff) -> Result<(), Error> {
        let diff = tools::diff::unified(&file.path, file.old_text.as_deref(), file.new_text.as_deref());
        // The first two lines name the file, which has been done.
        for line in diff
            .lines()
            .filter(|line| !line.starts_with("--- ") && !line.starts_with("+++ "))
        {
            let style = match line.as_bytes().first() {
                Some(b'-') => Style::new().red(),
                Some(b'+') => Style::new().green(),
                Some(b'@') => Style::new().cyan(),
                Some(_) | None => Style::new(),
            };
            // Escape sequences in a file must not reach the terminal.
            self.line(&style.apply_to(printable(line)).to_string())?;
        }
        Ok(())
    }

    /// Takes the progress line away, for a question or at the end.
    pub(super) fn clear(&self) {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }
}

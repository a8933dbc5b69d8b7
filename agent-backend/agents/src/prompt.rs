//! What a model is told.
//!
//! A prompt begins with what stays the same between stages, attempts and
//! iterations and ends with what changes, so that a model server that keeps
//! the beginning of the last prompt need not read it again:
//!
//! system text, found code, request | task and format, files, plan | proposal
//! before, feedback, remarks, failures and code found for them, date, the last
//! word.
//!
//! The first part is equal for all stages of one workflow, the second for all
//! attempts at one stage.

mod text;

use engine::artifact::{Failure, Plan};
use shared::{error::Code, id::StageId};

use crate::{
    answer::one_line,
    budget::{Cut, LeftOut, Priority, Section, estimate, fit},
    edit::{Format, fenced},
    failure::guidance,
    plan::Asking,
};

/// Characters of one failure's message; the middle of a longer one is left
/// out, as tools name the cause first and the sum last.
pub const FAILURE_CHARS_MAX: usize = 4_000;

/// Test files whose names are shown.
pub const TEST_FILES_MAX: usize = 20;

/// Whether a file is shown as an example of a test.
pub fn is_test_file(path: &str) -> bool {
    syntax::is_test(syntax::Language::of(path), path)
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The person, or we for them.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whose.
    pub role: Role,
    /// What was said.
    pub content: String,
}

/// A whole prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The system text.
    pub system: String,
    /// The turns, the last one the user's.
    pub messages: Vec<Message>,
}

/// A prompt and what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The prompt.
    pub prompt: Prompt,
    /// What did not fit, in the order of the prompt.
    pub left_out: Vec<LeftOut>,
    /// Estimated tokens of the prompt.
    pub tokens: u64,
}

/// A file of the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileText<'a> {
    /// Path relative to the workspace.
    pub path: &'a str,
    /// Its whole text.
    pub text: &'a str,
}

/// A file of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProposedFile<'a> {
    /// Path relative to the workspace.
    pub path: &'a str,
    /// Its proposed text; none if it is to be removed.
    pub text: Option<&'a str>,
}

/// Whether the model is given tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Calling {
    /// None.
    #[default]
    No,
    /// It may call some before it writes.
    Allowed,
}

/// The pictures of a request, as the model gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Images {
    /// So many come with the prompt.
    pub shown: usize,
    /// So many do not.
    pub hidden: usize,
}

/// Everything a prompt is made of.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    /// The request, in the person's words.
    pub query: &'a str,
    /// Its pictures.
    pub images: Images,
    /// Code that was found, best first, as the retrieval packed it.
    pub packed_context: &'a str,
    /// Current contents of files that the plan or the context names, most
    /// relevant first, whole.
    pub files: &'a [FileText<'a>],
    /// The plan, once there is one.
    pub plan: Option<&'a Plan>,
    /// For planning and code generation: the proposal of the iteration or
    /// attempt before. Edits are then made to *it*, and its other files stay.
    /// For test generation: the proposal that needs tests.
    pub previous: &'a [ProposedFile<'a>],
    /// What the person wants changed, oldest first.
    pub feedback: &'a [String],
    /// What the person said during the work, oldest first.
    pub remarks: &'a [String],
    /// What was wrong with attempts before, oldest first.
    pub failures: &'a [Failure],
    /// Code that was found for the last failure, best first.
    pub failure_context: &'a str,
    /// Stages that the planner may leave out, with what they do.
    pub optional_stages: &'a [(StageId, &'a str)],
    /// Paths of existing test files.
    pub test_files: &'a [String],
    /// How edits are to be written.
    pub format: Format,
    /// Whether it may call tools.
    pub calling: Calling,
    /// Today's date, `2026-03-01`, if the model should know it.
    pub today: Option<&'a str>,
}

impl Facts<'_> {
    /// Whether the planner may ask the person: once, and not somebody who has
    /// said more already.
    pub fn asking(&self) -> Asking {
        let asked = |failure: &Failure| failure.code == Code::RequestUnclear;
        if self.feedback.is_empty() && !self.failures.iter().any(asked) {
            Asking::Allowed
        } else {
            Asking::Over
        }
    }
}

/// Asks for a plan; the answer is read by [`crate::plan::parse`].
pub fn planning(facts: &Facts<'_>, budget_tokens: u64) -> Built {
    let mut task = text::PLANNING.to_owned();
    if !facts.optional_stages.is_empty() {
        task.push_str("\nOptional stages; decide for each whether it runs:\n");
        for (stage, description) in facts.optional_stages {
            task.push_str(&format!("- {stage}: {}\n", one_line(description, 300)));
        }
    }
    task.push_str(&text::plan_example(
        facts.optional_stages.iter().map(|(stage, _)| stage),
    ));
    // With the last word: the task stays the same when nothing can be asked any more.
    let last = match facts.asking() {
        Asking::Allowed => format!("{}{}", text::PLANNING_QUESTION, text::PLANNING_LAST),
        Asking::Over => text::PLANNING_LAST.to_owned(),
    };
    build(facts, "Your task: plan", &task, &last, budget_tokens)
}

/// Asks for code; the answer is read by [`crate::edit::parse`].
pub fn code_generation(facts: &Facts<'_>, budget_tokens: u64) -> Built {
    let task = format!("{}\n{}", text::CODE, text::format_rules(facts.format));
    let last = if facts.previous.is_empty() {
        text::CODE_LAST
    } else {
        text::CODE_AGAIN_LAST
    };
    let last = with_tools(facts, last);
    build(facts, "Your task: write the code", &task, &last, budget_tokens)
}

/// Asks for tests of a proposal; the answer is read by [`crate::edit::parse`].
pub fn test_generation(facts: &Facts<'_>, budget_tokens: u64) -> Built {
    let mut task = text::TESTS.to_owned();
    if facts.test_files.is_empty() {
        task.push_str("- The project has no tests yet: follow the usual layout of its language.\n");
    } else {
        task.push_str("- Follow the layout and the framework of the existing tests:\n");
        for path in facts.test_files.iter().take(TEST_FILES_MAX) {
            task.push_str(&format!("  - {}\n", one_line(path, 200)));
        }
    }
    task.push('\n');
    task.push_str(text::format_rules(facts.format));
    build(
        facts,
        "Your task: write tests",
        &task,
        &with_tools(facts, text::TESTS_LAST),
        budget_tokens,
    )
}

/// The last word, which is about tools first where there are any.
fn with_tools(facts: &Facts<'_>, last: &str) -> String {
    match facts.calling {
        Calling::No => last.to_owned(),
        Calling::Allowed => format!("{}{last}", text::CALLING),
    }
}

fn build(facts: &Facts<'_>, title: &str, task: &str, last: &str, budget_tokens: u64) -> Built {
    let mut sections = Vec::new();
    let mut add = |what: &str, text: String, priority, cut| {
        sections.push(Section {
            what: what.to_owned(),
            text,
            priority,
            cut,
        });
    };
    if !facts.packed_context.trim().is_empty() {
        let text = format!(
            "# Code found in the workspace\n\n{}\n\n",
            facts.packed_context.trim_end()
        );
        add("found code", text, Priority::Context, Cut::KeepFirstLines);
    }
    add(
        "request",
        format!(
            "# Request\n\n{}\n\n{}",
            facts.query.trim(),
            text::images(facts.images)
        ),
        Priority::Required,
        Cut::Never,
    );
    add(
        "task",
        format!("# {title}\n\n{}\n", task.trim_start()),
        Priority::Required,
        Cut::Never,
    );
    for file in facts.files {
        let planned = facts
            .plan
            .is_some_and(|plan| plan.files.iter().any(|path| path == file.path));
        let priority = if planned {
            Priority::PlannedFile
        } else {
            Priority::File
        };
        let text = format!("# File as it is now\n\n{}\n", fenced(file.path, file.text));
        add(file.path, text, priority, Cut::Never);
    }
    if let Some(plan) = facts.plan {
        add("plan", plan_text(plan), Priority::Required, Cut::Never);
    }
    for file in facts.previous {
        let what = format!("{} as proposed", file.path);
        add(&what, proposed(file), Priority::Proposal, Cut::Never);
    }
    for feedback in facts.feedback {
        let text = format!("# Feedback of the person: do this\n\n{}\n\n", feedback.trim());
        add("feedback", text, Priority::Required, Cut::Never);
    }
    for remark in facts.remarks {
        let text = format!(
            "# Remark of the person, made during the work: do this\n\n{}\n\n",
            remark.trim()
        );
        add("remark", text, Priority::Required, Cut::Never);
    }
    let mut cut_failures = Vec::new();
    for (index, failure) in facts.failures.iter().enumerate() {
        let (message, lost) = middle_out(&failure.message, FAILURE_CHARS_MAX);
        if lost > 0 {
            cut_failures.push(LeftOut {
                what: format!("middle of failure {}", index + 1),
                tokens: lost,
            });
        }
        let text = format!(
            "# Problem with attempt {}\n\n{message}\n\n{}\n\n",
            index + 1,
            guidance(failure)
        );
        add("failure", text, Priority::Failure, Cut::KeepFirstLines);
    }
    if !facts.failure_context.trim().is_empty() {
        let text = format!(
            "# Code that the last problem is about\n\n{}\n\n",
            facts.failure_context.trim_end()
        );
        add(
            "code found for the failure",
            text,
            Priority::Context,
            Cut::KeepFirstLines,
        );
    }
    if let Some(today) = facts.today {
        add(
            "date",
            format!("Today is {}.\n\n", one_line(today, 40)),
            Priority::Low,
            Cut::Never,
        );
    }
    let system_tokens = estimate(text::SYSTEM) + estimate(last);
    let free = budget_tokens.saturating_sub(system_tokens);
    let (mut kept, mut left_out) = fit(sections.clone(), free);
    let mut note = hidden_note(facts, &left_out);
    if !note.is_empty() {
        // The note takes room itself; what that pushes out is in the new one.
        (kept, left_out) = fit(sections, free.saturating_sub(estimate(&note)));
        note = hidden_note(facts, &left_out);
    }
    let mut content: String = kept.iter().map(|section| section.text.as_str()).collect();
    content.push_str(&note);
    content.push_str(last);
    left_out.extend(cut_failures);
    let tokens = estimate(text::SYSTEM) + estimate(&content);
    let messages = vec![Message {
        role: Role::User,
        content,
    }];
    Built {
        prompt: Prompt {
            system: text::SYSTEM.to_owned(),
            messages,
        },
        left_out,
        tokens,
    }
}

/// Names the files that the model cannot see and therefore must not write.
fn hidden_note(facts: &Facts<'_>, left_out: &[LeftOut]) -> String {
    let missing = |what: &str| left_out.iter().any(|left| left.what == what);
    let proposed = |path: &str| format!("{path} as proposed");
    let is_proposed = |path: &str| facts.previous.iter().any(|file| file.path == path);
    // A proposed file is seen if its proposal is; what it was before is no matter.
    let files = facts
        .files
        .iter()
        .map(|file| file.path)
        .filter(|path| !is_proposed(path) && missing(path));
    let previous = facts
        .previous
        .iter()
        .map(|file| file.path)
        .filter(|path| missing(&proposed(path)));
    let hidden: Vec<&str> = files.chain(previous).collect();
    if hidden.is_empty() {
        String::new()
    } else {
        text::hidden(&hidden)
    }
}

fn plan_text(plan: &Plan) -> String {
    let mut text = format!("# Plan\n\n{}\n", one_line(&plan.summary, usize::MAX));
    for (index, step) in plan.steps.iter().enumerate() {
        text.push_str(&format!("{}. {}\n", index + 1, one_line(step, usize::MAX)));
    }
    if !plan.files.is_empty() {
        text.push_str(&format!("Files: {}\n", plan.files.join(", ")));
    }
    text.push('\n');
    text
}

fn proposed(file: &ProposedFile<'_>) -> String {
    match file.text {
        Some(text) => format!(
            "# File as proposed so far, not yet in the workspace\n\n{}\n",
            fenced(file.path, text)
        ),
        None => format!("# Proposed so far\n\nDELETE: {}\n\n", file.path),
    }
}

/// Beginning and end of a long text, and the estimated tokens between them.
fn middle_out(text: &str, chars_max: usize) -> (String, u64) {
    let text = text.trim();
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= chars_max {
        return (text.to_owned(), 0);
    }
    let half = chars_max / 2;
    let lost = &chars[half..chars.len() - half];
    let head: String = chars[..half].iter().collect();
    let tail: String = chars[chars.len() - half..].iter().collect();
    (
        format!("{head}\n[{} characters are not shown]\n{tail}", lost.len()),
        estimate(&lost.iter().collect::<String>()),
    )
}

#[cfg(test)]
mod tests;

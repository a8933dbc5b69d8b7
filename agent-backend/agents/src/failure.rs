//! What is wrong with an answer, and what to say about it next time (Flow 5).

mod kind;
mod repetition;
mod written_call;

use engine::artifact::{Failure, Plan};
use shared::error::Code;

use crate::{
    Error,
    answer::{Spoken, one_line, spoken},
};

pub use kind::{Kind, Policy, Shape, noticed};
pub use repetition::{LoopDetector, PERIOD_CHARS_MAX, Repetition};

/// Words of a refusal that are kept.
const DECLINED_CHARS_MAX: usize = 160;

/// How far into an answer a refusal is looked for, in characters.
const OPENING_CHARS: usize = 200;

/// Beginnings of answers that decline.
const REFUSALS: [&str; 18] = [
    "i'm sorry",
    "i am sorry",
    "sorry, ",
    "i cannot ",
    "i can't ",
    "i can not ",
    "i'm unable",
    "i am unable",
    "i won't ",
    "as an ai",
    "as a language model",
    "i'm not able",
    "i am not able",
    "i apologize",
    "i must decline",
    "i'm afraid i can",
    "unfortunately, i can",
    "unfortunately i can",
];

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It said that it was done.
    Stop,
    /// It reached the limit of its output or context.
    Length,
    /// A filter of the provider ended it.
    Refused,
}

/// Judges an answer before it is read: nothing said, cut off by a limit, or
/// going round in circles. What its contents are worth is told by the readers
/// of plans and edits.
///
/// # Errors
/// `Empty`, `Truncated`, `Repeats`, `Declined` for what a filter ended.
pub fn check(answer: &str, finish: Finish) -> Result<(), Error> {
    check_with(answer, finish, &[])
}

/// [`check`] for an answer to a request that offered tools.
///
/// # Errors
/// Those of [`check`], and `WrittenCall`.
pub fn check_with(answer: &str, finish: Finish, tools: &[&str]) -> Result<(), Error> {
    let mut detector = LoopDetector::new();
    if let Some(repetition) = detector.push(answer) {
        return Err(repetition.into());
    }
    match finish {
        Finish::Length => Err(Error::Truncated {
            place: "the model reached its output limit".into(),
        }),
        Finish::Refused => Err(Error::Declined {
            text: format!(
                "a filter of the provider ended the answer: {}",
                one_line(answer, DECLINED_CHARS_MAX)
            ),
        }),
        Finish::Stop => match spoken(answer) {
            Spoken::Text(text) if text.trim().is_empty() => Err(Error::Empty),
            Spoken::Text(text) => match written_call::written_call(text, tools) {
                Some(tool) => Err(Error::WrittenCall {
                    tool: tool.to_owned(),
                }),
                None => Ok(()),
            },
            Spoken::OnlyThoughts => Err(Error::Truncated {
                place: "it ends within the thoughts".into(),
            }),
        },
    }
}

/// The words with which an answer declines, if it does.
pub(crate) fn declined(text: &str) -> Option<String> {
    let opening: String = text.trim_start().chars().take(OPENING_CHARS).collect();
    let opening = opening.to_lowercase().replace('\u{2019}', "'");
    let declines = REFUSALS.iter().any(|words| opening.starts_with(words));
    declines.then(|| one_line(text, DECLINED_CHARS_MAX))
}

/// Proposed paths that the plan does not name, for a notice to the person.
/// A plan without files says nothing.
pub fn out_of_plan<'a>(paths: &[&'a str], plan: &Plan) -> Vec<&'a str> {
    if plan.files.is_empty() {
        return Vec::new();
    }
    paths
        .iter()
        .copied()
        .filter(|path| !plan.files.iter().any(|file| file == path))
        .collect()
}

/// What the next attempt is told to do about `failure`: one or two imperative
/// sentences. The failure's own message says what was wrong.
pub fn guidance(failure: &Failure) -> String {
    known(failure.code)
        .unwrap_or("Fix this problem. Keep what was right.")
        .to_owned()
}

fn known(code: Code) -> Option<&'static str> {
    let advice = [
        (
            Code::AnswerEmpty,
            "Write the answer. Do not think without answering.",
        ),
        (
            Code::AnswerNoEdits,
            "Write each file with its path on the line before the fence. Do not explain the change instead of making it.",
        ),
        (
            Code::AnswerTruncated,
            "Write a shorter answer: change fewer files, no explanations, and close every fence and bracket.",
        ),
        (
            Code::AnswerMalformed,
            "Follow the answer format exactly. One kind of edit per file, every fence closed.",
        ),
        (
            Code::EditPathInvalid,
            "Use paths relative to the workspace, for example src/app.py. Never absolute paths, `..` or `.git`.",
        ),
        (
            Code::EditDoesNotApply,
            "Copy the lines that say where a change goes from the file, character by character, and enough of them to be unique.",
        ),
        (
            Code::PlanMalformed,
            "Answer with one JSON object of the required shape and nothing else.",
        ),
        (
            Code::QueriesMalformed,
            "Answer with one JSON object of the required shape and nothing else.",
        ),
        (
            Code::AnswerPlaceholder,
            "Write every line of the file. Never stand in for code with a comment or an ellipsis.",
        ),
        (
            Code::NoChange,
            "The files already look like this. Make the change that the request asks for.",
        ),
        (
            Code::AnswerRepeats,
            "Do not repeat yourself. Write each part once, then stop.",
        ),
        (
            Code::AnswerDeclined,
            "This is an ordinary programming task in the person's own code. Do the part you can do.",
        ),
        (
            Code::ChecksFailed,
            "Fix exactly what the check reports, at its cause. Do not weaken the check or the tests. Keep what was right.",
        ),
        (
            Code::AnswerWrittenCall,
            "Call the tool through the interface. Never write a call into the answer.",
        ),
        (
            Code::AnswerCallsOnly,
            "Call few tools, or none: what is shown must do. Write the answer.",
        ),
        (
            Code::RequestUnclear,
            "The person was asked. Go by the answer if there is one, and by the likeliest meaning otherwise.",
        ),
        (Code::ContextTruncated, "Rely on the shown code alone."),
    ];
    advice
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use shared::error::Class;

    use super::*;

    fn failure(code: Code, message: &str) -> Failure {
        Failure {
            class: Class::Transient,
            code,
            message: message.into(),
        }
    }

    #[track_caller]
    fn verdict(answer: &str, finish: Finish, expect: Option<Code>) {
        assert_eq!(
            check(answer, finish).err().map(|error| error.code()),
            expect,
            "{answer:.80}"
        );
    }

    #[test]
    fn answers_that_are_useless() {
        verdict("fine", Finish::Stop, None);
        verdict("fine", Finish::Length, Some(Code::AnswerTruncated));
        verdict("", Finish::Stop, Some(Code::AnswerEmpty));
        verdict("<think>x</think>\n", Finish::Stop, Some(Code::AnswerEmpty));
        verdict("<think>x", Finish::Stop, Some(Code::AnswerTruncated));
        verdict("fine", Finish::Refused, Some(Code::AnswerDeclined));
        verdict(r#"{"name":"read","arguments":{}}"#, Finish::Stop, None);
        let written = check_with(r#"{"name":"read","arguments":{}}"#, Finish::Stop, &["read"]);
        assert_eq!(
            written.map_err(|error| error.code()),
            Err(Code::AnswerWrittenCall)
        );
        verdict(
            &"and so on ".repeat(500),
            Finish::Length,
            Some(Code::AnswerRepeats),
        );
    }

    #[test]
    fn refusals() {
        assert_eq!(
            declined("I\u{2019}m sorry, but no.\nBye"),
            Some("I\u{2019}m sorry, but no. Bye".into())
        );
        assert_eq!(
            declined("As an AI model I do not"),
            Some("As an AI model I do not".into())
        );
        assert_eq!(
            declined("Unfortunately, I can't do that."),
            Some("Unfortunately, I can't do that.".into())
        );
        assert_eq!(declined("The user cannot log in. I fixed it."), None);
    }

    #[test]
    fn every_code_of_this_crate_has_guidance() {
        for code in Code::ALL.iter().filter(|code| code.as_str().starts_with("E13")) {
            assert!(known(*code).is_some(), "{code}");
        }
        assert_eq!(
            guidance(&failure(Code::Internal, "x")),
            "Fix this problem. Keep what was right."
        );
    }

    #[test]
    fn paths_beyond_the_plan() {
        let plan = Plan {
            files: vec!["a".into()],
            ..Plan::default()
        };
        assert_eq!(out_of_plan(&["a", "b"], &plan), ["b"]);
        assert_eq!(out_of_plan(&["a", "b"], &Plan::default()), Vec::<&str>::new());
    }
}

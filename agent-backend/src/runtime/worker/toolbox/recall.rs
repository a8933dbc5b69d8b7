//! What the history has of the answers that were calls: those whose calls were
//! all made, and those that were cut between their calls.

use std::collections::{BTreeMap, HashMap, HashSet};

use engine::{
    Event, State,
    artifact::ToolCall as Recorded,
    blob::{Blob, BlobId},
};
use models::ToolCall;
use serde::{Deserialize, Serialize};
use shared::id::{Seq, StageId};

use super::{Turn, permission::Made};
use crate::{
    error::Error,
    runtime::{PAGE, services::Services, worker::text_blob},
};

/// What is known of the answers of a stage that were calls.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    /// Those whose calls were all made, by what was asked.
    pub(super) known: HashMap<BlobId, Turn>,
    /// The others, as far as the whole of them was kept.
    pub(super) begun: HashMap<BlobId, Begun>,
    /// Every call that was made, in order.
    pub(super) made: Vec<Made>,
}

/// An answer whose calls were not all made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Begun {
    pub(super) said: String,
    pub(super) calls: Vec<ToolCall>,
    /// What came of those that were made, by their number.
    pub(super) done: BTreeMap<u32, String>,
}

/// An answer as it is kept until all of its calls were made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    said: String,
    calls: Vec<KeptCall>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptCall {
    id: String,
    name: String,
    arguments: serde_json::Value,
}

/// The whole of an answer, to be kept.
pub(super) fn whole(said: &str, calls: &[ToolCall]) -> Result<Blob, Error> {
    let call = |call: &ToolCall| KeptCall {
        id: call.id.clone(),
        name: call.name.clone(),
        arguments: call.arguments.clone(),
    };
    let kept = Kept {
        said: said.to_owned(),
        calls: calls.iter().map(call).collect(),
    };
    let bytes = serde_json::to_vec(&kept).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Blob::new(bytes))
}

fn read(kept: &str) -> Result<(String, Vec<ToolCall>), Error> {
    let unreadable = |error| Error::internal(format!("an answer that was kept cannot be read: {error}"));
    let Kept { said, calls } = serde_json::from_str(kept).map_err(unreadable)?;
    let call = |KeptCall { id, name, arguments }| ToolCall { id, name, arguments };
    Ok((said, calls.into_iter().map(call).collect()))
}

/// The answers of this stage that were calls.
pub(super) async fn recall(services: &Services, state: &State, stage: &StageId) -> Result<Recalled, Error> {
    let mut recalled = Recalled::default();
    let mut calls: HashMap<BlobId, BTreeMap<u32, Recorded>> = HashMap::new();
    // Answers that were kept, by what was asked.
    let mut kept: HashMap<BlobId, BlobId> = HashMap::new();
    for permission in state.permissions.iter() {
        kept.insert(permission.call.asked, permission.call.turn);
    }
    let mut after = Seq::default();
    loop {
        let page = services.journal.read(state.workflow.clone(), after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for recorded in &page {
            if let Event::ToolCalled { stage: of, call, .. } = recorded.event.innermost()
                && of == stage
            {
                recalled.made.push(Made::new(recorded.seq, call));
                kept.extend(call.begun.map(|whole| (call.asked, whole)));
                add(calls.entry(call.asked).or_default(), call);
            }
        }
    }
    let all: HashSet<BlobId> = calls.keys().chain(kept.keys()).copied().collect();
    for asked in all {
        let Some(made) = calls
            .remove(&asked)
            .or_else(|| kept.get(&asked).map(|_| BTreeMap::new()))
        else {
            continue;
        };
        if is_whole(&made) {
            let turn = turn(services, made).await?;
            recalled.known.insert(asked, turn);
        } else if let Some(whole) = kept.get(&asked) {
            let (said, calls) = read(&text_blob(services, *whole).await?)?;
            let mut done = BTreeMap::new();
            for (number, call) in made {
                done.insert(number, text_blob(services, call.result).await?);
            }
            recalled.begun.insert(asked, Begun { said, calls, done });
        }
    }
    Ok(recalled)
}

/// The first call begins the answer anew, unless it is what came of the one that
/// was begun.
fn add(made: &mut BTreeMap<u32, Recorded>, call: &Recorded) {
    let is_result = made.get(&call.number).is_some_and(|known| known.begun.is_some());
    if call.number == 1 && !is_result {
        made.clear();
    }
    made.insert(call.number, call.clone());
}

fn is_whole(made: &BTreeMap<u32, Recorded>) -> bool {
    made.first_key_value().is_some_and(|(_, first)| {
        u32::try_from(made.len()) == Ok(first.of)
            && (1..).zip(made).all(|(expect, (number, _))| *number == expect)
    })
}

async fn turn(services: &Services, made: BTreeMap<u32, Recorded>) -> Result<Turn, Error> {
    let mut turn = Turn {
        said: String::new(),
        calls: Vec::new(),
    };
    for (number, call) in made {
        if number == 1 {
            turn.said = call.said;
        }
        let text = text_blob(services, call.result).await?;
        let arguments = serde_json::from_str(&call.arguments)
            .map_err(|error| Error::internal(format!("the arguments of a call are no JSON: {error}")))?;
        let (id, name) = (call.id, call.name);
        turn.calls.push((ToolCall { id, name, arguments }, text));
    }
    Ok(turn)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(number: u32, of: u32, begun: bool, result: &str) -> Recorded {
        Recorded {
            asked: BlobId::of(b"asked"),
            number,
            of,
            said: String::new(),
            id: number.to_string(),
            server: "house".to_owned(),
            tool: "repeal".to_owned(),
            name: "house__repeal".to_owned(),
            arguments: "{}".to_owned(),
            result: BlobId::of(result.as_bytes()),
            is_error: false,
            duration_ms: 1,
            begun: begun.then(|| BlobId::of(b"whole")),
        }
    }

    #[track_caller]
    fn check(history: &[Recorded], made: &[(u32, &str)], whole: bool) {
        let mut known = BTreeMap::new();
        history.iter().for_each(|call| add(&mut known, call));
        let results: Vec<(u32, BlobId)> = known
            .iter()
            .map(|(number, call)| (*number, call.result))
            .collect();
        let expect: Vec<(u32, BlobId)> = made
            .iter()
            .map(|(number, result)| (*number, BlobId::of(result.as_bytes())))
            .collect();
        assert_eq!((results, is_whole(&known)), (expect, whole));
    }

    #[test]
    fn what_came_of_a_call_stands_for_its_beginning() {
        check(&[], &[], false);
        check(&[call(1, 1, true, "?")], &[(1, "?")], true);
        check(
            &[call(1, 1, true, "?"), call(1, 1, false, "a")],
            &[(1, "a")],
            true,
        );
        let cut = [call(1, 2, true, "?"), call(1, 2, false, "a")];
        check(&cut, &[(1, "a")], false);
        let gone_on_with = [&cut[..], &[call(2, 2, true, "?"), call(2, 2, false, "b")]].concat();
        check(&gone_on_with, &[(1, "a"), (2, "b")], true);
    }

    #[test]
    fn another_try_at_an_answer_begins_it_anew() {
        let first = [call(1, 3, false, "a"), call(2, 3, false, "b")];
        let anew = [&first[..], &[call(1, 1, false, "c")]].concat();
        check(&anew, &[(1, "c")], true);
    }

    #[test]
    fn an_answer_is_read_as_it_was_kept() {
        let calls = vec![ToolCall {
            id: "1".to_owned(),
            name: "house__repeal".to_owned(),
            arguments: json!({ "topic": "ä" }),
        }];
        let kept = whole("hm", &calls).unwrap();
        let text = String::from_utf8(kept.bytes().to_vec()).unwrap();
        assert_eq!(read(&text).unwrap(), ("hm".to_owned(), calls));
    }
}

//! Whether a tool that may change something may be called: what a person said
//! about this call, what holds in the workspace, or that they are asked.

use engine::{
    State,
    artifact::{Effect, ToolCall as Recorded, WantedCall},
    blob::BlobId,
    limits::PERMISSIONS_MAX,
    state::{Consent, Permission},
};
use mcp::Offered;
use shared::{id::Seq, redact::redact};

use crate::{
    consents::{Consents, Matter, Standing},
    error::Error,
    runtime::{services::Services, worker::blocking},
};

/// Characters of what a tool would be called with that a person is shown.
const SHOWN_CHARS_MAX: usize = 4_000;

/// Whether a tool may be called.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may.
    Yes,
    /// It may not; what the model is told.
    No(String),
    /// A person says it.
    Ask(Box<WantedCall>),
}

/// A call that was made, or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    seq: Seq,
    server: String,
    tool: String,
    arguments: BlobId,
}

impl Made {
    pub(super) fn new(seq: Seq, call: &Recorded) -> Self {
        Self {
            seq,
            server: call.server.clone(),
            tool: call.tool.clone(),
            arguments: BlobId::of(call.arguments.as_bytes()),
        }
    }

    fn is(&self, call: &WantedCall) -> bool {
        self.server == call.server && self.tool == call.tool && self.arguments == call.arguments
    }
}

/// What a stage may call.
#[derive(Debug)]
pub(super) struct Permissions {
    /// What holds for the workspace; none where there are no tools.
    standing: Option<(Consents, String)>,
    /// What was said in this stage, without what was made use of.
    said: Vec<Permission>,
    /// Questions of this stage so far.
    asked: usize,
    /// Whether anybody can be asked.
    asking: Asking,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    Possible,
    /// In a part of a workflow.
    Impossible,
}

impl Permissions {
    /// Of a stage without tools.
    pub(super) fn none() -> Self {
        Self {
            standing: None,
            said: Vec::new(),
            asked: 0,
            asking: Asking::Impossible,
        }
    }

    pub(super) fn of(services: &Services, state: &State) -> Self {
        Self {
            standing: Some((services.trials.consents().clone(), state.task.workspace.clone())),
            said: state.permissions.to_vec(),
            asked: state.permissions.len(),
            asking: if state.lane.is_some() {
                Asking::Impossible
            } else {
                Asking::Possible
            },
        }
    }

    /// What was allowed was allowed once, and was made use of by these.
    pub(super) fn use_up(&mut self, made: &[Made]) {
        self.said.retain(|permission| match permission.consent {
            Consent::Given => !made
                .iter()
                .any(|made| made.seq > permission.seq && made.is(&permission.call)),
            Consent::Refused => true,
        });
    }

    /// What a model is told of. A tool that is never called is hidden, but not
    /// from an answer that has called it: the same must be asked again.
    pub(super) async fn offered(&self, tools: Vec<Offered>) -> Result<Vec<Offered>, Error> {
        let mut offered = Vec::new();
        for tool in tools {
            let is_offered = !tool.needs_permission
                || self.was_asked_about(&tool)
                || match (self.standing(&tool).await?, self.asking) {
                    (Some(Standing::Always), _) | (None, Asking::Possible) => true,
                    (Some(Standing::Never), _) | (None, Asking::Impossible) => false,
                };
            if is_offered {
                offered.push(tool);
            }
        }
        Ok(offered)
    }

    fn was_asked_about(&self, tool: &Offered) -> bool {
        let is_it = |permission: &Permission| {
            permission.call.server == tool.server && permission.call.tool == tool.tool
        };
        self.said.iter().any(is_it)
    }

    /// Whether this may be called now. What was allowed once is used up by that.
    pub(super) async fn verdict(
        &mut self,
        offered: Option<&Offered>,
        call: &Recorded,
    ) -> Result<Verdict, Error> {
        let Some(offered) = offered.filter(|offered| offered.needs_permission) else {
            return Ok(Verdict::Yes);
        };
        let made = Made::new(Seq::default(), call);
        if let Some(place) = self.said.iter().position(|permission| made.is(&permission.call)) {
            let permission = &self.said[place];
            match permission.consent {
                Consent::Given => {
                    self.said.remove(place);
                    return Ok(Verdict::Yes);
                }
                Consent::Refused => return Ok(Verdict::No(refused(permission.words.as_deref()))),
            }
        }
        Ok(match self.standing(offered).await? {
            Some(Standing::Always) => Verdict::Yes,
            Some(Standing::Never) => Verdict::No(NEVER.to_owned()),
            None if self.asking == Asking::Impossible => Verdict::No(NEVER.to_owned()),
            None if self.asked >= PERMISSIONS_MAX => Verdict::No(ENOUGH.to_owned()),
            None => Verdict::Ask(Box::new(wanted(offered, call))),
        })
    }

    async fn standing(&self, tool: &Offered) -> Result<Option<Standing>, Error> {
        let Some((consents, workspace)) = self.standing.clone() else {
            return Ok(None);
        };
        let about = Matter::Tool {
            server: tool.server.clone(),
            tool: tool.tool.clone(),
            reached: reached(tool).to_hex(),
        };
        blocking(move || Ok(consents.get(&workspace, &about))).await
    }
}

const NEVER: &str = "[the person does not allow this tool here: do without it]";

const ENOUGH: &str = "[the person was asked about enough calls: write with what you have]";

fn refused(words: Option<&str>) -> String {
    match words {
        None => "[the person did not allow this call: do without it]".to_owned(),
        Some(words) => format!("[the person did not allow this call, and said: {words}]"),
    }
}

fn reached(tool: &Offered) -> BlobId {
    BlobId::of(tool.reached.as_bytes())
}

fn wanted(tool: &Offered, call: &Recorded) -> WantedCall {
    WantedCall {
        asked: call.asked,
        number: call.number,
        // As it is in the record of a call that is begun.
        turn: call.begun.unwrap_or(call.result),
        server: tool.server.clone(),
        reached: reached(tool),
        tool: tool.tool.clone(),
        title: tool.title.clone(),
        effect: match tool.destructive {
            None => Effect::Unknown,
            Some(false) => Effect::Adds,
            Some(true) => Effect::Destroys,
        },
        arguments: BlobId::of(call.arguments.as_bytes()),
        shown: shown(&call.arguments),
    }
}

fn shown(arguments: &str) -> String {
    let text = redact(arguments);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => text.into_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &[u8] = b"asked";

    fn tool(name: &str) -> Offered {
        Offered {
            name: format!("house__{name}"),
            server: "house".to_owned(),
            tool: name.to_owned(),
            title: name.to_owned(),
            description: String::new(),
            schema: serde_json::Map::new(),
            read_only: false,
            destructive: Some(false),
            needs_permission: true,
            reached: "house.py".to_owned(),
        }
    }

    fn call(tool: &str, topic: &str) -> Recorded {
        Recorded {
            asked: BlobId::of(ASKED),
            number: 2,
            of: 2,
            said: String::new(),
            id: "1".to_owned(),
            server: "house".to_owned(),
            tool: tool.to_owned(),
            name: format!("house__{tool}"),
            arguments: format!(r#"{{"topic":"{topic}"}}"#),
            result: BlobId::of(b"result"),
            is_error: false,
            duration_ms: 0,
            begun: Some(BlobId::of(b"turn")),
        }
    }

    fn said(seq: u64, name: &str, topic: &str, consent: Consent) -> Permission {
        Permission {
            seq: Seq(seq),
            call: wanted(&tool(name), &call(name, topic)).into(),
            consent,
            words: None,
        }
    }

    /// A stage of which this was said, in a workspace of which nothing was.
    fn permissions(data: &std::path::Path, said: Vec<Permission>) -> Permissions {
        Permissions {
            standing: Some((Consents::of(data), "/w".to_owned())),
            asked: said.len(),
            said,
            asking: Asking::Possible,
        }
    }

    async fn verdict(permissions: &mut Permissions, name: &str, topic: &str) -> Verdict {
        let offered = tool(name);
        permissions
            .verdict(Some(&offered), &call(name, topic))
            .await
            .unwrap()
    }

    fn asks(name: &str, topic: &str) -> Verdict {
        Verdict::Ask(Box::new(wanted(&tool(name), &call(name, topic))))
    }

    #[tokio::test]
    async fn a_yes_is_for_one_call_and_a_no_for_the_same_one_again() {
        let data = tempfile::tempdir().unwrap();
        let all = vec![
            said(5, "repeal", "a", Consent::Given),
            said(7, "repeal", "b", Consent::Refused),
        ];
        let mut permissions = permissions(data.path(), all);
        let yes = Verdict::Yes;
        let no = || Verdict::No(refused(None));
        assert_eq!(verdict(&mut permissions, "repeal", "a").await, yes);
        assert_eq!(
            verdict(&mut permissions, "repeal", "a").await,
            asks("repeal", "a")
        );
        assert_eq!(verdict(&mut permissions, "repeal", "b").await, no());
        assert_eq!(verdict(&mut permissions, "repeal", "b").await, no());
        assert_eq!(
            verdict(&mut permissions, "rewrite", "a").await,
            asks("rewrite", "a")
        );
        let mut reads = tool("rules");
        reads.needs_permission = false;
        let free = permissions
            .verdict(Some(&reads), &call("rules", "a"))
            .await
            .unwrap();
        assert_eq!(free, Verdict::Yes);
    }

    #[tokio::test]
    async fn a_yes_that_was_made_use_of_before_a_restart_is_used_up() {
        let data = tempfile::tempdir().unwrap();
        let check = async |made: u64, expect: Verdict| {
            let mut permissions = permissions(data.path(), vec![said(5, "repeal", "a", Consent::Given)]);
            permissions.use_up(&[Made::new(Seq(made), &call("repeal", "a"))]);
            assert_eq!(verdict(&mut permissions, "repeal", "a").await, expect, "{made}");
        };
        // Made before the question that was answered.
        check(4, Verdict::Yes).await;
        check(6, asks("repeal", "a")).await;
    }

    #[tokio::test]
    async fn what_holds_in_the_workspace_is_not_asked_and_hides_what_is_never_called() {
        let data = tempfile::tempdir().unwrap();
        let consents = Consents::of(data.path());
        let about = |name: &str| Matter::tool(&wanted(&tool(name), &call(name, "a")));
        consents
            .remember("/w", about("repeal"), Standing::Always)
            .unwrap();
        consents
            .remember("/w", about("rewrite"), Standing::Never)
            .unwrap();
        let names = async |permissions: &Permissions| -> Vec<String> {
            let tools = vec![tool("repeal"), tool("rewrite"), tool("other")];
            let offered = permissions.offered(tools).await.unwrap();
            offered.into_iter().map(|tool| tool.tool).collect()
        };
        let mut here = permissions(data.path(), Vec::new());
        assert_eq!(verdict(&mut here, "repeal", "a").await, Verdict::Yes);
        assert_eq!(
            verdict(&mut here, "rewrite", "a").await,
            Verdict::No(NEVER.to_owned())
        );
        assert_eq!(names(&here).await, ["repeal", "other"]);
        // Not from the answer that has called it.
        let asked = permissions(data.path(), vec![said(5, "rewrite", "a", Consent::Refused)]);
        assert_eq!(names(&asked).await, ["repeal", "rewrite", "other"]);
        // A part of a workflow cannot ask.
        here.asking = Asking::Impossible;
        assert_eq!(names(&here).await, ["repeal"]);
    }

    #[tokio::test]
    async fn a_stage_does_not_ask_for_ever() {
        let data = tempfile::tempdir().unwrap();
        let mut permissions = permissions(data.path(), Vec::new());
        permissions.asked = PERMISSIONS_MAX;
        assert_eq!(
            verdict(&mut permissions, "repeal", "a").await,
            Verdict::No(ENOUGH.to_owned())
        );
    }

    #[test]
    fn what_is_shown_is_short_and_has_no_secret() {
        let long = format!(
            "{{\"key\":\"ghp_{}\",\"text\":\"{}\"}}",
            "a1".repeat(18),
            "ä".repeat(5_000)
        );
        let text = shown(&long);
        assert!(text.starts_with("{\"key\":\"[redacted]"), "{text}");
        assert_eq!(text.chars().count(), SHOWN_CHARS_MAX + 1);
    }
}

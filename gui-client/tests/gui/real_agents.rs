//! Agents of others, as they are installed from npm: no network, no credentials.
//! `cargo xtask test` installs them and says where they are.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, sync::Arc};

use futures::{StreamExt, stream::BoxStream};
use gui_client::{
    Error,
    agent::{
        client::{self, Commands, Heard},
        event::{AgentInfo, Answer, Ask, Call, Command, Event, SessionId, SignInBy, StopReason},
        reach::{self, Reach},
        session::Session,
    },
    config::{Agent, Config},
};
use tempfile::TempDir;

use crate::support::{PATIENCE, story};

/// What `variable` names; in CI it must be there.
fn installed(variable: &str) -> Option<OsString> {
    let found = std::env::var_os(variable);
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "{variable} is not set: run `cargo xtask test` where npm is"
    );
    found
}

/// A conversation with a program, in a home and a folder of its own.
struct Talk {
    home: TempDir,
    folder: PathBuf,
    heard: BoxStream<'static, Heard>,
    commands: Commands,
    info: AgentInfo,
}

impl Talk {
    async fn with(command: &str, args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().canonicalize().unwrap().join("project");
        std::fs::create_dir(&folder).unwrap();
        // Whatever keys and settings the person has are none of a test's.
        let path = std::env::var("PATH").unwrap();
        let own = [
            "-i".to_owned(),
            format!("PATH={path}"),
            format!("HOME={}", home.path().display()),
        ];
        let args = std::iter::once(&command).chain(args).map(|arg| (*arg).to_owned());
        let agent = Agent {
            command: Some("env".to_owned()),
            args: own.into_iter().chain(args).collect(),
            ..Agent::default()
        };
        let config = Config {
            agents: BTreeMap::from([("theirs".to_owned(), agent)]),
            ..Config::default()
        };
        let theirs: Arc<dyn Reach> = reach::all(&config).unwrap().pop().unwrap();
        assert_eq!(theirs.name(), "theirs");
        let mut heard = client::connect(theirs);
        let Some(Heard::Open(commands)) = heard.next().await else {
            panic!("it cannot be started")
        };
        let mut talk = Self {
            home,
            folder,
            heard,
            commands,
            info: AgentInfo::default(),
        };
        let hello = talk.event().await;
        let Event::Connected(info) = hello else {
            panic!("{hello:?}")
        };
        talk.info = info;
        talk
    }

    async fn event(&mut self) -> Event {
        let heard = tokio::time::timeout(PATIENCE, self.heard.next()).await;
        match heard.expect("it says something").expect("it has not ended") {
            Heard::Event(event) => event,
            Heard::Open(_) => panic!("it is open already"),
        }
    }

    /// Begins a session; what is said of none is let pass.
    async fn begin(&mut self) -> Result<Session, Error> {
        self.commands.send(Command::Begin(self.folder.clone()));
        loop {
            let event = self.event().await;
            if let Event::Opened {
                session,
                folder,
                settings,
            } = event
            {
                let mut opened = Session::new(session, folder);
                opened.settings = settings;
                return Ok(opened);
            } else if let Event::Refused(Call::Session, error) = event {
                return Err(error);
            }
        }
    }

    /// Says something and takes in what comes of it, answering each permission with
    /// `option`.
    async fn turn(&mut self, session: &mut Session, words: &str, option: &str) -> Result<StopReason, Error> {
        session.prompt(words);
        let id: SessionId = session.id.clone();
        self.commands.send(Command::Prompt(id, words.to_owned()));
        loop {
            let event = self.event().await;
            if let Event::Updated(_, update) = event {
                session.fold(update);
            } else if let Event::Asked(id, _, ask @ Ask::Permission { .. }) = event {
                assert_eq!(session.ask(id, ask), None);
                let answer = Answer::Option(option.to_owned());
                assert!(session.answer(id, &answer));
                self.commands.send(Command::Answer(id, answer));
            } else if let Event::Ended(_, ended) = event {
                if let Ok(stop) = ended {
                    session.end(stop);
                }
                return ended;
            } else {
                panic!("{event:?}");
            }
        }
    }
}

/// The example of the protocol's own authors: a whole turn with a permission.
async fn example(option: &str, last: &str) {
    let Some(examples) = installed("AGENTIC_IDE_ACP_EXAMPLES") else {
        return;
    };
    let agent = PathBuf::from(examples).join("agent.js");
    let mut talk = Talk::with("node", &[agent.to_str().unwrap()]).await;
    assert_eq!(talk.info, AgentInfo::default());
    let mut session = talk.begin().await.unwrap();
    let ended = talk.turn(&mut session, "Improve the project", option).await;
    assert_eq!(ended, Ok(StopReason::EndTurn));
    let allowed = if option == "allow" { "Completed" } else { "Pending" };
    let expect = [
        "you: Improve the project",
        "agent: I'll help you with that. Let me start by reading some files to understand the current situation.",
        "Read: Reading project files Completed [# My Project\n\nThis is a sample project...]",
        "agent: Now I understand the project structure. I need to make some changes to improve it.",
        &format!("Edit: Modifying critical configuration file {allowed}"),
        last,
    ];
    let told: Vec<String> = story(&session)
        .iter()
        .map(|line| line.replacen("agent:  ", "agent: ", 1))
        .collect();
    assert_eq!(told, expect);
}

#[tokio::test]
async fn the_example_of_the_sdk_is_allowed() {
    let last = "agent: Perfect! I've successfully updated the configuration. The changes have been applied.";
    example("allow", last).await;
}

#[tokio::test]
async fn the_example_of_the_sdk_is_refused() {
    let last = "agent: I understand you prefer not to make that change. I'll skip the configuration update.";
    example("reject", last).await;
}

#[tokio::test]
async fn gemini_wants_to_know_who_one_is() {
    let Some(program) = installed("AGENTIC_IDE_GEMINI") else {
        return;
    };
    let mut talk = Talk::with(program.to_str().unwrap(), &["--acp"]).await;
    let name = (talk.info.name.as_deref(), talk.info.version.as_deref());
    assert_eq!(name, (Some("Gemini CLI"), Some("0.61.0")));
    let ways: Vec<_> = talk
        .info
        .sign_ins
        .iter()
        .map(|way| (way.id.as_str(), &way.by))
        .collect();
    assert!(ways.contains(&("gemini-api-key", &SignInBy::Agent)), "{ways:?}");
    let begun = talk.begin().await;
    let Err(Error::SignInNeeded(message)) = begun else {
        panic!("{begun:?}")
    };
    assert!(message.contains("API key"), "{message}");
}

#[tokio::test]
async fn claude_opens_a_session_and_says_that_nobody_is_signed_in() {
    let Some(program) = installed("AGENTIC_IDE_CLAUDE_AGENT") else {
        return;
    };
    let mut talk = Talk::with(program.to_str().unwrap(), &[]).await;
    let name = (talk.info.name.as_deref(), talk.info.version.as_deref());
    assert_eq!(name, (Some("Claude Agent"), Some("0.100.0")));
    let mut session = talk.begin().await.unwrap();
    let names: Vec<_> = session
        .settings
        .iter()
        .map(|setting| setting.name.as_str())
        .collect();
    assert!(names.starts_with(&["Mode", "Model"]), "{names:?}");
    let ended = talk.turn(&mut session, "Say hello", "reject").await;
    let said = story(&session).join("\n");
    // It may say so in words instead.
    let asked = matches!(ended, Err(Error::SignInNeeded(_))) || said.contains("login");
    assert!(asked, "{ended:?} {said}");
    assert!(talk.home.path().exists());
}

//! The window's own client against the backend that runs: what a person does on
//! the screen of agents, without the screen.

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt as _, stream::BoxStream};
use gui_client::{
    agent::{
        client::{self, Commands, Heard},
        event::{Ability, AgentInfo, Answer, Ask, Command, Event, QuestionId, StopReason},
        form::{Draft, Form},
        reach::{self, OURS, Reach},
        session::{Entry, Session},
        tool::ToolCall,
        update::Speaker,
    },
    config::{Agent, Config, Token},
};

use crate::world::{PATIENCE, SCRIPT, World, program};

/// A connection of the window's.
struct Window {
    heard: BoxStream<'static, Heard>,
    commands: Commands,
    info: AgentInfo,
    listed: Vec<Option<String>>,
}

/// What a turn came to.
enum Came {
    Permission(QuestionId),
    Form(QuestionId, Form),
    End(StopReason),
}

impl Window {
    async fn connected(agent: Arc<dyn Reach>) -> Self {
        let mut heard = client::connect(agent);
        let Some(Heard::Open(commands)) = heard.next().await else {
            panic!("it cannot be reached")
        };
        let mut window = Self {
            heard,
            commands,
            info: AgentInfo::default(),
            listed: Vec::new(),
        };
        let hello = window.event().await;
        let Event::Connected(info) = hello else {
            panic!("{hello:?}")
        };
        window.info = info;
        window
    }

    async fn event(&mut self) -> Event {
        let heard = tokio::time::timeout(PATIENCE, self.heard.next()).await;
        match heard.expect("it says something").expect("it has not ended") {
            Heard::Event(event) => event,
            Heard::Open(_) => panic!("it is open already"),
        }
    }

    /// Waits for a session to be open; what is told of it first is taken in.
    async fn opened(&mut self) -> Session {
        let mut told: Option<Session> = None;
        loop {
            let event = self.event().await;
            if let Event::Replaying(session, folder) = event {
                told = Some(Session::new(session, folder));
            } else if let Event::Updated(_, update) = event {
                if let Some(session) = &mut told {
                    session.fold(update);
                }
            } else if let Event::Opened {
                session,
                folder,
                settings,
            } = event
            {
                let mut session = told.unwrap_or_else(|| Session::new(session, folder));
                session.settings = settings;
                return session;
            } else {
                panic!("{event:?}");
            }
        }
    }

    fn say(&self, session: &mut Session, words: &str) {
        session.prompt(words);
        self.commands
            .send(Command::Prompt(session.id.clone(), words.to_owned()));
    }

    async fn come(&mut self, session: &mut Session) -> Came {
        loop {
            let event = self.event().await;
            if let Event::Updated(_, update) = event {
                session.fold(update);
            } else if let Event::Asked(id, _, ask) = event {
                assert_eq!(session.ask(id, ask.clone()), None);
                return match ask {
                    Ask::Permission { .. } => Came::Permission(id),
                    Ask::Form { form, .. } => Came::Form(id, form),
                    Ask::Write(_) | Ask::Link { .. } => panic!("{ask:?}"),
                };
            } else if let Event::Ended(_, ended) = event {
                let stop = ended.unwrap();
                session.end(stop);
                return Came::End(stop);
            } else {
                panic!("{event:?}");
            }
        }
    }

    fn answer(&self, session: &mut Session, id: QuestionId, answer: Answer) {
        assert!(session.answer(id, &answer));
        self.commands.send(Command::Answer(id, answer));
    }

    async fn list(&mut self) {
        self.commands.send(Command::List(None));
        let event = self.event().await;
        let Event::Listed { sessions, .. } = event else {
            panic!("{event:?}")
        };
        self.listed = sessions.into_iter().map(|one| one.title).collect();
    }
}

/// Our own backend, as the window has it among its agents.
fn ours(world: &World) -> Arc<dyn Reach> {
    let config = Config {
        backend: world.url().to_owned(),
        ..Config::default()
    };
    let mut all = reach::all(&config).unwrap();
    assert_eq!(all[0].name(), OURS);
    all.remove(0)
}

fn said(session: &Session, speaker: Speaker) -> Vec<&str> {
    let words = session.entries.iter().filter_map(|entry| match entry {
        Entry::Said(said) if said.speaker == speaker => Some(said.text.as_str()),
        Entry::Said(_) | Entry::Tool(_) | Entry::Notice(_) => None,
    });
    words.collect()
}

/// The files of all calls that change some: the proposal and what is to be applied.
fn changed(session: &Session) -> BTreeSet<&str> {
    let calls = session.entries.iter().filter_map(|entry| match entry {
        Entry::Tool(call) => Some(&**call),
        Entry::Said(_) | Entry::Notice(_) => None,
    });
    let changes = calls.flat_map(ToolCall::changes);
    changes.map(|change| change.view.path.as_str()).collect()
}

async fn permission(window: &mut Window, session: &mut Session) -> QuestionId {
    match window.come(session).await {
        Came::Permission(id) => id,
        Came::Form(_, form) => panic!("{form:?}"),
        Came::End(stop) => panic!("{stop:?}"),
    }
}

#[tokio::test]
async fn from_a_prompt_over_a_changed_mind_to_a_commit() {
    let world = World::new().await;
    let mut window = Window::connected(ours(&world)).await;
    assert!(
        [Ability::Load, Ability::List]
            .iter()
            .all(|ability| window.info.can(*ability))
    );
    window.commands.send(Command::Begin(world.repo()));
    let mut session = window.opened().await;
    assert!(!session.settings.is_empty(), "modes and options");

    window.say(&mut session, "Add greetings");
    let id = permission(&mut window, &mut session).await;
    assert_eq!(changed(&session), BTreeSet::from(["app.py", "greeting.py"]));
    window.answer(&mut session, id, Answer::Option("modify".to_owned()));
    let (id, form) = match window.come(&mut session).await {
        Came::Form(id, form) => (id, form),
        Came::Permission(_) | Came::End(_) => panic!("it asks for words"),
    };
    let mut draft = Draft::new(&form);
    draft.write(&form.fields[0].name, "shout it".to_owned());
    let filled = draft.filled(&form).unwrap();
    window.answer(&mut session, id, Answer::Form(filled));
    let id = permission(&mut window, &mut session).await;
    assert_eq!(world.commits(), 1, "nothing is committed unasked");
    window.answer(&mut session, id, Answer::Option("accept".to_owned()));
    match window.come(&mut session).await {
        Came::End(stop) => assert_eq!(stop, StopReason::EndTurn),
        Came::Permission(_) | Came::Form(..) => panic!("all is said"),
    }
    assert_eq!(world.commits(), 2);
    assert!(world.git(&["show", "HEAD:greeting.py"]).contains("HELLO"));
    assert_eq!(said(&session, Speaker::Person)[0], "Add greetings");

    // Another window goes on where this one was.
    drop(window);
    let mut other = Window::connected(ours(&world)).await;
    other.list().await;
    assert_eq!(other.listed.len(), 1);
    other
        .commands
        .send(Command::GoOn(session.id.clone(), world.repo()));
    let told = other.opened().await;
    assert_eq!(said(&told, Speaker::Agent), said(&session, Speaker::Agent));
    assert_eq!(said(&told, Speaker::Person)[0], "Add greetings");
}

#[tokio::test]
async fn stopping_cancels_the_workflow() {
    let world = World::new().await;
    let mut window = Window::connected(ours(&world)).await;
    window.commands.send(Command::Begin(world.repo()));
    let mut session = window.opened().await;
    window.say(&mut session, "Add greetings");
    permission(&mut window, &mut session).await;
    for question in session.stop() {
        window.commands.send(Command::Answer(question, Answer::Cancelled));
    }
    window.commands.send(Command::Stop(session.id.clone()));
    match window.come(&mut session).await {
        Came::End(stop) => assert_eq!(stop, StopReason::Cancelled),
        Came::Permission(_) | Came::Form(..) => panic!("nothing is asked any more"),
    }
    assert_eq!(world.commits(), 1);
}

#[tokio::test]
async fn the_same_program_over_standard_input() {
    let world = World::new().await;
    let agent = Agent {
        command: program("agentic-ide-backend")
            .get_program()
            .to_str()
            .map(str::to_owned),
        args: vec!["acp".to_owned(), "--backend".to_owned(), world.url().to_owned()],
        ..Agent::default()
    };
    let mut config = Config::default();
    config.agents.insert("joined".to_owned(), agent);
    let mut window = Window::connected(reach::all(&config).unwrap().remove(1)).await;
    window.commands.send(Command::Begin(world.repo()));
    let mut session = window.opened().await;
    window.say(&mut session, "Add greetings");
    let id = permission(&mut window, &mut session).await;
    window.answer(&mut session, id, Answer::Option("reject".to_owned()));
    assert!(matches!(
        window.come(&mut session).await,
        Came::End(StopReason::EndTurn)
    ));
    assert_eq!(world.commits(), 1);
}

#[tokio::test]
async fn a_token_opens_the_door() {
    let mut world = World::prepared(SCRIPT).await;
    world.configure("auth_token: sesame\n");
    world.start().await;
    let url = format!("{}/acp", world.url().replacen("http", "ws", 1));
    let reached = |token: Option<&str>| {
        let agent = Agent {
            url: Some(url.clone()),
            token: token.map(Token::from),
            ..Agent::default()
        };
        let mut config = Config::default();
        config.agents.insert("far".to_owned(), agent);
        reach::all(&config).unwrap().remove(1)
    };
    for token in [None, Some("wrong")] {
        match client::connect(reached(token)).next().await {
            Some(Heard::Event(Event::Lost(error))) => {
                assert!(error.to_string().ends_with("it wants another token"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    let window = Window::connected(reached(Some("sesame"))).await;
    assert!(window.info.can(Ability::Load));
}

//! Short ways to write events, and a driver for the window.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use gui_client::{
    agent::{
        client::{self, Heard},
        session::{Entry, Session},
        tool::ToolContent,
        update::Speaker,
    },
    app::{self, App, Message, Options},
    clock::Clock,
    config::Config,
    connection::{
        Connection, Followed,
        fake::{self, Fake},
    },
    model::Phase,
    screen::{
        agents::{self, Agents},
        interaction,
    },
    theme,
};
use iced::{Rectangle, Size};
use iced_test::{
    Simulator,
    runtime::{Action, task},
};
use shared::{
    id::{CorrelationId, Seq, StageId, WorkflowId},
    wire::{Body, Envelope, StageOutcome, WorkflowState},
};

pub fn event(seq: u64, timestamp: u64, body: Body) -> Envelope {
    Envelope {
        seq: Seq(seq),
        workflow_id: WorkflowId::new("w1"),
        correlation_id: CorrelationId::new("c1"),
        timestamp,
        body,
    }
}

/// Events 1, 2, 3 … at second 100.
pub fn events(bodies: impl IntoIterator<Item = Body>) -> Vec<Envelope> {
    bodies
        .into_iter()
        .zip(1..)
        .map(|(body, seq)| event(seq, 100, body))
        .collect()
}

pub fn state(state: WorkflowState, iteration: u32) -> Body {
    Body::WorkflowState { state, iteration }
}

pub fn started(stage: &str, iteration: u32) -> Body {
    Body::StageStarted {
        stage_id: StageId::new(stage),
        attempt: 1,
        iteration,
    }
}

pub fn finished(stage: &str, duration_ms: u64) -> Body {
    Body::StageFinished {
        stage_id: StageId::new(stage),
        attempt: 1,
        outcome: StageOutcome::Succeeded,
        duration_ms,
        reason: None,
    }
}

pub fn text(delta: &str, offset: u64, tokens: u64) -> Body {
    Body::AgentStreamingUpdate {
        stage_id: StageId::new("code_generation"),
        attempt: 1,
        delta: delta.to_owned(),
        offset,
        partial_result: None,
        tokens_so_far: tokens,
        is_final: false,
        metrics: None,
    }
}

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What a session consists of, a line each.
pub fn story(session: &Session) -> Vec<String> {
    let line = |entry: &Entry| match entry {
        Entry::Said(said) => match said.speaker {
            Speaker::Person => format!("you: {}", said.text),
            Speaker::Agent => format!("agent: {}", said.text),
            Speaker::Thought => format!("thought: {}", said.text),
        },
        Entry::Tool(call) => {
            let content = call.content.iter().map(|content| match content {
                ToolContent::Text(text) => format!(" [{text}]"),
                ToolContent::Diff(change) => {
                    format!(
                        " [{} +{} -{}]",
                        change.view.path, change.view.added, change.view.removed
                    )
                }
                ToolContent::Other(what) => format!(" [{what}]"),
            });
            format!(
                "{}: {} {:?}{}",
                call.kind.label(),
                call.title,
                call.status,
                content.collect::<String>()
            )
        }
        Entry::Notice(notice) => format!("{:?}: {} {}", notice.severity, notice.title, notice.text),
    };
    session.entries.iter().map(line).collect()
}

fn clock() -> Clock {
    Clock {
        now: || 1_000,
        new_id: || CorrelationId::new("req_test"),
    }
}

/// A window on a fake backend, driven by what a person sees.
pub struct Driver {
    pub app: App,
    pub fake: Fake,
    /// What is heard from an agent, and as which generation.
    talk: Option<(u32, BoxStream<'static, Heard>)>,
    size: Size,
}

impl Driver {
    /// A window that has connected.
    pub async fn connected(options: Options) -> Self {
        let fake = Fake::new(fake::DEMO, Duration::ZERO, clock()).unwrap();
        let mut driver = Self::on(fake, options);
        driver.connect().await;
        driver
    }

    /// A window that has connected to a backend with a transcript of its own.
    pub async fn playing(transcript: &str) -> Self {
        let fake = Fake::new(transcript, Duration::ZERO, clock()).unwrap();
        let mut driver = Self::on(fake, Options::default());
        driver.connect().await;
        driver
    }

    /// A window that has not connected.
    pub fn on(fake: Fake, options: Options) -> Self {
        let app = App::new(Arc::new(fake.clone()), clock(), &Config::default(), options);
        Self {
            app,
            fake,
            talk: None,
            size: Size::new(1_280.0, 800.0),
        }
    }

    pub async fn connect(&mut self) {
        let server = self.fake.watch().next().await.unwrap();
        self.send(Message::Server(server)).await;
    }

    /// Does something with the screen, then handles what came of it.
    pub async fn act(&mut self, act: impl FnOnce(&mut Simulator<'_, Message>)) {
        let settings = iced::Settings {
            fonts: theme::fonts(),
            default_font: theme::UI,
            ..iced::Settings::default()
        };
        let messages: Vec<Message> = {
            let mut simulator = Simulator::with_size(settings, self.size, app::view(&self.app));
            act(&mut simulator);
            simulator.into_messages().collect()
        };
        for message in messages {
            self.send(message).await;
        }
    }

    /// Another size of the window.
    pub async fn resize(&mut self, size: Size) {
        self.size = size;
        self.send(Message::Resized(size.width)).await;
    }

    /// Whether a label is in sight as a whole.
    pub async fn can_press(&mut self, label: &str) -> bool {
        let mut can = false;
        let window = Rectangle::with_size(self.size);
        self.act(|screen| {
            let found = screen.find(label).ok();
            let seen = found.and_then(|text| Some((text.bounds(), text.visible_bounds()?)));
            // But for what is rounded.
            can = seen.is_some_and(|(bounds, visible)| {
                let cut = (bounds.width - visible.width).max(bounds.height - visible.height);
                cut < 0.5 && bounds.width > 1.0 && bounds.shrink(0.5).is_within(&window)
            });
        })
        .await;
        can
    }

    pub async fn click(&mut self, label: &str) {
        self.act(|screen| {
            screen.click(label).unwrap();
        })
        .await;
    }

    pub async fn write(&mut self, field: iced::widget::Id, text: &str) {
        self.act(|screen| {
            screen.click(field).unwrap();
            screen.typewrite(text);
        })
        .await;
    }

    pub async fn sees(&mut self, label: &str) -> bool {
        let mut seen = false;
        self.act(|screen| seen = screen.find(label).is_ok()).await;
        seen
    }

    /// Handles a message and everything that its task brings.
    pub async fn send(&mut self, message: Message) {
        let mut waiting = vec![message];
        while let Some(message) = waiting.pop() {
            let Some(mut actions) = task::into_stream(self.app.update(message)) else {
                continue;
            };
            while let Some(action) = actions.next().await {
                // What asks for a real window has no answer here.
                if let Action::Output(message) = action {
                    waiting.push(message);
                }
            }
        }
    }

    /// Listens to the agent that the window wants to be connected with.
    pub async fn hear(&mut self, enough: impl Fn(&Agents) -> bool) {
        while !enough(&self.app.agents) {
            let (generation, agent) = self.app.agents.wanted().expect("somebody to listen to");
            if self
                .talk
                .as_ref()
                .is_none_or(|(current, _)| *current != generation)
            {
                self.talk = Some((generation, client::connect(agent)));
            }
            let (_, heard) = self.talk.as_mut().unwrap();
            let heard = tokio::time::timeout(PATIENCE, heard.next()).await;
            let heard = heard.expect("it says something").expect("it has not ended");
            let message = agents::Message::Heard(generation, vec![heard]);
            self.send(Message::Agents(message)).await;
        }
    }

    /// Writes a request, sends it, and waits for the proposal.
    pub async fn propose(&mut self) {
        self.write(interaction::request_id(), "Lock accounts").await;
        self.click("Send").await;
        self.follow().await;
    }

    /// Follows the workflow until a person is asked anew or it has ended.
    pub async fn follow(&mut self) {
        let workflow = self.app.workflow.as_ref().unwrap();
        let before = workflow.head;
        let mut followed = self.fake.follow(&workflow.id, before);
        loop {
            let next: Followed = followed.next().await.unwrap();
            self.send(Message::Followed(self.app.generation, vec![next]))
                .await;
            let workflow = self.app.workflow.as_ref().unwrap();
            let asked = workflow.phase.is_terminal() || matches!(workflow.phase, Phase::Review { .. });
            if asked && workflow.head > before {
                return;
            }
        }
    }
}

/// Writes a request, sends it, and waits for the proposal.
pub async fn proposed() -> Driver {
    proposed_with(Options::default()).await
}

/// The same in a window that was started with `options`.
pub async fn proposed_with(options: Options) -> Driver {
    let mut driver = Driver::connected(options).await;
    driver.propose().await;
    driver
}

/// Runs a test of the window on one thread with a clock that waits for nobody.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test);
}

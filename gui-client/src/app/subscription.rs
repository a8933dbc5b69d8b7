//! What the window listens to: the server, the events of the workflow that is
//! shown, the keyboard, and the time while something runs.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream::BoxStream};
use iced::{
    Subscription,
    keyboard::{self, Key, key::Named},
    time, window,
};
use shared::id::{Seq, WorkflowId};

use super::{App, Focus, Message, Pane};
use crate::{
    agent::{client, reach::Reach},
    connection::{Connection, pace::paced},
    model::Workflow,
    screen::{agents, workflows},
    shortcut::resolve,
};

/// Time between updates of the times shown, while something runs.
const TICK: Duration = Duration::from_secs(1);
/// Time between looks at what has changed in the list of workflows, while it is shown.
const POLL: Duration = Duration::from_secs(2);
/// Longest time that a draft is in memory only.
const KEEP: Duration = Duration::from_millis(300);
/// Batches of events, and things heard from an agent, that are taken in before the
/// window is drawn.
const FOLLOWED_MAX: usize = 64;
const HEARD_MAX: usize = 256;

/// What tells one subscription to the server from another.
struct Watch {
    connection: Arc<dyn Connection>,
    number: u32,
}

impl Hash for Watch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        "watch".hash(state);
        self.connection.name().hash(state);
        self.number.hash(state);
    }
}

/// What tells one subscription to events from another.
struct Follow {
    connection: Arc<dyn Connection>,
    id: WorkflowId,
    generation: u32,
    after: Seq,
}

impl Hash for Follow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        "follow".hash(state);
        self.id.hash(state);
        self.generation.hash(state);
    }
}

/// What tells one connection with an agent from another.
struct Talk {
    agent: Arc<dyn Reach>,
    generation: u32,
}

impl Hash for Talk {
    fn hash<H: Hasher>(&self, state: &mut H) {
        "talk".hash(state);
        self.generation.hash(state);
    }
}

/// Everything to listen to now.
pub fn subscription(app: &App) -> Subscription<Message> {
    let mut all = vec![
        Subscription::run_with(
            Watch {
                connection: Arc::clone(&app.connection),
                number: app.connections,
            },
            watch,
        ),
        keyboard::listen().filter_map(key),
        window::resize_events().map(|(_, size)| Message::Resized(size.width)),
        window::events().filter_map(|(_, event)| of_window(&event)),
    ];
    if let Some(workflow) = &app.workflow {
        let follow_key = Follow {
            connection: Arc::clone(&app.connection),
            id: workflow.id.clone(),
            generation: app.generation,
            after: app.follow_from,
        };
        all.push(Subscription::run_with(follow_key, follow));
    }
    if let Some((generation, agent)) = app.agents.wanted() {
        all.push(Subscription::run_with(Talk { agent, generation }, talk));
    }
    // Without a stage at work nothing on the screen changes by itself.
    if app.workflow.as_ref().is_some_and(Workflow::is_working) {
        all.push(time::every(TICK).map(|_| Message::Tick));
    }
    if app.pane == Pane::Workflows && app.online() {
        all.push(time::every(POLL).map(|_| Message::Workflows(workflows::Message::Poll)));
    }
    if app.unkept {
        all.push(time::every(KEEP).map(|_| Message::Keep));
    }
    Subscription::batch(all)
}

fn watch(key: &Watch) -> BoxStream<'static, Message> {
    key.connection.watch().map(Message::Server).boxed()
}

fn follow(key: &Follow) -> BoxStream<'static, Message> {
    let generation = key.generation;
    let followed = key.connection.follow(&key.id, key.after);
    paced(followed, FOLLOWED_MAX)
        .map(move |followed| Message::Followed(generation, followed))
        .boxed()
}

fn talk(key: &Talk) -> BoxStream<'static, Message> {
    let generation = key.generation;
    paced(client::connect(Arc::clone(&key.agent)), HEARD_MAX)
        .map(move |heard| Message::Agents(agents::Message::Heard(generation, heard)))
        .boxed()
}

fn key(event: keyboard::Event) -> Option<Message> {
    let keyboard::Event::KeyPressed {
        key, modifiers, text, ..
    } = event
    else {
        return None;
    };
    if let Some(shortcut) = resolve(&key, modifiers) {
        return Some(Message::Shortcut(shortcut));
    }
    let is_chord = modifiers.command() || modifiers.alt() || modifiers.logo();
    if let Some(text) = text.filter(|text| !is_chord && !text.chars().all(is_no_text)) {
        return Some(Message::Typed(text.to_string()));
    }
    let Key::Named(named) = key else { return None };
    [
        (Named::PageDown, 1.0),
        (Named::PageUp, -1.0),
        (Named::ArrowDown, 0.1),
        (Named::ArrowUp, -0.1),
    ]
    .into_iter()
    .find(|(other, _)| *other == named)
    .map(|(_, pages)| Message::Scroll(pages))
}

/// Escape, for one, comes with a text; the end of a line is one.
fn is_no_text(char: char) -> bool {
    char.is_control() && char != '\r'
}

fn of_window(event: &window::Event) -> Option<Message> {
    if let window::Event::FileDropped(path) = event {
        Some(Message::Dropped(path.clone()))
    } else if matches!(event, window::Event::Focused) {
        Some(Message::Focused(Focus::Gained))
    } else if matches!(event, window::Event::Unfocused) {
        Some(Message::Focused(Focus::Lost))
    } else {
        None
    }
}

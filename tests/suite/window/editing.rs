//! What a person writes into the window: its settings, and a proposed file.

use std::fs;

use super::{
    REQUEST_FIELD,
    screen::{Screen, Window, has_what_it_needs},
};
use crate::world::{World, until, until_status};

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_written_and_the_window_goes_on_with_them() {
    if !has_what_it_needs() {
        return;
    }
    let world = World::new().await;
    let (screen, _window, _) = Window::shown(&world).await;
    screen.xdotool(&["key", "ctrl+comma"]);
    let save = || screen.picture().button(super::color("accent"));
    until("the settings", save).await;
    // The address has the keyboard; the same one, written otherwise.
    screen.xdotool(&["type", "--delay", "20", "/"]);
    screen.xdotool(&["key", "Return"]);
    let file = world.path("home/.config/agentic-ide/gui_config.yaml");
    let saved = || fs::read_to_string(&file).ok().filter(|text| !text.is_empty());
    let saved = until("the settings to be saved", saved).await;
    assert_eq!(saved, format!("backend: {}/\n", world.url()));

    screen.click(REQUEST_FIELD);
    screen.xdotool(&["type", "--delay", "20", "add greetings"]);
    let workflow = super::until_submitted(&world, &screen).await;
    assert_eq!(workflow["user_query"], "add greetings");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_gone_on_with_after_a_kill() {
    if !has_what_it_needs() {
        return;
    }
    let world = World::new().await;
    let screen = Screen::start(&world).await;
    let mut window = Window::open_with(&world, &screen, |command| {
        command.args(["--request", "add greetings"]);
    });
    let asked = || screen.window("Review needed: add greetings");
    let id = until("the title to ask for a review", asked).await;
    screen.xdotool(&["windowfocus", &id, "key", "F4"]);
    let drafts = world.path("home/.local/state/agentic-ide/gui_drafts.json");
    let kept = |text: &str| {
        let kept = fs::read_to_string(&drafts).unwrap_or_default();
        let expect = format!(r#""text":["app.py","{text}from greeting import greet"#);
        kept.contains(&expect).then_some(())
    };
    until("the editor", || kept("")).await;
    // `xdotool` types no end of a line.
    screen.xdotool(&["type", "--delay", "20", "# mine"]);
    screen.xdotool(&["key", "Return"]);
    until("what is typed to be kept", || kept("# mine\\n")).await;
    window.child.kill().unwrap();
    window.child.wait().unwrap();

    let mut window = Window::open(&world, &screen);
    let id = until("the title to ask again", asked).await;
    screen.xdotool(&["windowfocus", &id, "type", "--delay", "20", "# again"]);
    screen.xdotool(&["key", "Return"]);
    until("the rest to be kept", || kept("# again\\n# mine\\n")).await;
    assert_eq!(world.commits(), 1, "nothing is committed unasked");
    screen.xdotool(&["key", "ctrl+shift+a"]);
    window.closes().await;
    let workflow = super::newest(&world).await.unwrap();
    until_status(&world, workflow["workflow_id"].as_str().unwrap(), "completed").await;
    let text = world.git(&["show", "HEAD:app.py"]);
    let first: Vec<&str> = text.lines().take(3).collect();
    assert_eq!(first, ["# again", "# mine", "from greeting import greet"]);
}

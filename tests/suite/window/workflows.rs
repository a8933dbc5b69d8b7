//! The list of workflows in the window, and beginning anew from a stage.

use serde_json::Value;

use super::{
    color, newest,
    screen::{Window, has_what_it_needs},
};
use crate::world::{World, until, until_status};

/// Pixels of the sign before a workflow that waits for a decision.
const SIGN_MIN: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn one_that_begins_elsewhere_is_listed_opened_and_forked() {
    if !has_what_it_needs() {
        return;
    }
    let world = World::new().await;
    let (screen, mut window, _) = Window::shown(&world).await;
    let online = || screen.picture().button(color("accent"));
    screen.xdotool(&["type", "--delay", "20", "x"]);
    until("the backend to be found", online).await;
    screen.xdotool(&["key", "ctrl+5"]);
    let waiting = || screen.picture().places(color("warn")).len() >= SIGN_MIN;
    assert!(!waiting(), "nothing waits for a decision");

    // Somebody else asks for something: the list shows it by itself.
    let old = world.submit("add greetings").await;
    until("it to be listed", || waiting().then_some(())).await;
    screen.xdotool(&["key", "ctrl+shift+Down", "ctrl+shift+Return"]);
    let asked = || screen.window("Review needed: add greetings");
    until("it to be shown", asked).await;

    // From its first stage a new one begins.
    screen.xdotool(&["key", "ctrl+shift+Down", "ctrl+shift+Return"]);
    let new = until_another(&world, &old).await;
    until_status(&world, &new, "awaiting_decision").await;
    until("the new one to ask", asked).await;
    let accept = || screen.picture().button(color("good"));
    screen.click(until("the button to accept", accept).await);
    window.closes().await;
    until_status(&world, &new, "completed").await;
    until_status(&world, &old, "awaiting_decision").await;
    assert_eq!(world.commits(), 2);
}

/// Waits for a workflow that is newer than this one.
async fn until_another(world: &World, old: &str) -> String {
    let waiting = async {
        loop {
            let id = newest(world)
                .await
                .map(|workflow| workflow["workflow_id"].clone());
            match id {
                Some(Value::String(id)) if id != old => return id,
                Some(_) | None => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, waiting)
        .await
        .expect("a new workflow")
}

//! The window, on a virtual screen: a person types a request, reads the diff
//! and accepts it with the mouse, or parts of it with the keyboard.

mod desktop;
mod dropping;
mod editing;
mod screen;
mod workflows;

use std::{fs, ops::Range};

use crate::world::{World, beginning, until, until_status};
use desktop::Desktop;
use screen::{Screen, Window, has_what_it_needs};

/// Colours of the window, as its design system has them.
const COLORS: &str = include_str!("../../gui-client/src/theme/color.rs");
/// Inside the field for the request.
const REQUEST_FIELD: (usize, usize) = (170, 130);

#[tokio::test(flavor = "multi_thread")]
async fn a_person_types_reads_and_accepts() {
    if !has_what_it_needs() {
        return;
    }
    let world = World::new().await;
    let (screen, mut window, _) = Window::shown(&world).await;
    screen.click(REQUEST_FIELD);
    screen.xdotool(&["type", "--delay", "20", "add greetings"]);
    // The button has its colour only once the window has found the backend.
    let send = until("the button to send", || screen.picture().button(color("accent"))).await;
    screen.click(send);
    let workflow = submitted(&world).await;
    assert_eq!(workflow["user_query"], "add greetings");
    let path = workflow["workspace"].as_str().unwrap();
    assert_eq!(
        fs::canonicalize(path).unwrap(),
        fs::canonicalize(world.repo()).unwrap()
    );
    let workflow = workflow["workflow_id"].as_str().unwrap().to_owned();

    until_status(&world, &workflow, "awaiting_decision").await;
    assert_eq!(world.commits(), 1, "nothing is committed unasked");
    until("the title to ask for a review", || {
        screen.window("Review needed: add greetings")
    })
    .await;
    // The button has its colour only while it can be pressed.
    let (accept, picture) = until("the button to accept", || {
        let picture = screen.picture();
        picture.button(color("good")).map(|place| (place, picture))
    })
    .await;
    // One line of app.py goes and four come, each half a pane wide.
    let (removed, added) = (picture.places(color("removed")), picture.places(color("added")));
    check_area(&removed, 1);
    check_area(&added, 4);
    let (left, right) = (across(&removed), across(&added));
    assert!(left.end <= right.start, "old {left:?}, new {right:?}");

    screen.click(accept);
    window.closes().await;
    until_status(&world, &workflow, "completed").await;
    assert_eq!(world.commits(), 2);
    assert_eq!(
        world.git(&["show", "--format=", "--name-only", "HEAD"]),
        "app.py\ngreeting.py"
    );
    let message = world.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains(&format!("Workflow-Id: {workflow}")), "{message}");
}

/// Thirty lines of Python, some of them other ones.
fn numbered(changed: &[usize]) -> String {
    let line = |n: usize| match changed.contains(&n) {
        true => format!("line_{n} = \"new\"\n"),
        false => format!("line_{n} = {n}\n"),
    };
    (1..=30).map(line).collect()
}

/// A model that changes three lines of `app.py`, far from each other.
fn three_hunks() -> String {
    let code: String = numbered(&[2, 15, 28])
        .lines()
        .map(|line| format!("        {line}\n"))
        .collect();
    let plan = beginning();
    format!(
        "{plan}  - name: code\n    match: {{ endpoint: chat }}\n    respond:\n      text: |\n        \
         app.py\n        ```python\n{code}        ```\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_picks_hunks_also_across_a_kill() {
    if !has_what_it_needs() {
        return;
    }
    let mut world = World::prepared(&three_hunks()).await;
    world.write("app.py", &numbered(&[]));
    world.git(&["commit", "-q", "-a", "-m", "thirty lines"]);
    world.start().await;
    let (screen, mut window, _) = Window::shown(&world).await;
    screen.xdotool(&["type", "--delay", "20", "change lines"]);
    let workflow = until_submitted(&world, &screen).await;
    let workflow = workflow["workflow_id"].as_str().unwrap().to_owned();
    until_status(&world, &workflow, "awaiting_decision").await;
    let asked = || screen.window("Review needed: change lines");
    until("the title to ask for a review", asked).await;

    // The second change is left out. Then the window is killed.
    screen.xdotool(&["key", "F7", "F7", "F8"]);
    let drafts = world.path("home/.local/state/agentic-ide/gui_drafts.json");
    let kept = || {
        let text = fs::read_to_string(&drafts).unwrap_or_default();
        text.contains(r#"{"app.py":{"hunks":[0,2]}}"#).then_some(())
    };
    until("the choice to be kept", kept).await;
    window.child.kill().unwrap();
    window.child.wait().unwrap();
    assert_eq!(world.commits(), 2, "nothing is committed unasked");

    let mut window = Window::open(&world, &screen);
    let id = until("the title to ask again", asked).await;
    screen.xdotool(&["windowfocus", &id]);
    // The third is left out as well: before the first change is the last one.
    screen.xdotool(&["key", "shift+F7", "F8", "ctrl+shift+a"]);
    window.closes().await;
    until_status(&world, &workflow, "completed").await;
    assert_eq!(world.commits(), 3);
    assert_eq!(world.git(&["show", "HEAD:app.py"]) + "\n", numbered(&[2]));
    assert_eq!(world.read("app.py"), numbered(&[2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_elsewhere_is_told_by_the_desktop() {
    if !has_what_it_needs() {
        return;
    }
    let world = World::new().await;
    let screen = Screen::start(&world).await;
    let mut desktop = Desktop::start(&world).await;
    let mut window = Window::open_with(&world, &screen, |command| {
        command
            .args(["--request", "add <greetings>"])
            .env("DBUS_SESSION_BUS_ADDRESS", &desktop.address);
    });
    let shown = desktop.shown().await;
    assert_eq!(
        shown,
        [
            "Agentic IDE",
            "A proposal is waiting for your decision",
            "add &lt;greetings&gt;"
        ]
    );
    // The mouse alone answers.
    let asked = || screen.window("Review needed: add <greetings>");
    until("the title to ask for a review", asked).await;
    let accept = until("the button to accept", || screen.picture().button(color("good"))).await;
    screen.click(accept);
    window.closes().await;
    assert_eq!(world.commits(), 2);
}

/// Sends what was typed and waits for the workflow. Until the window has found
/// the backend the keys do nothing; afterwards only once.
async fn until_submitted(world: &World, screen: &Screen) -> serde_json::Value {
    let sending = async {
        loop {
            screen.xdotool(&["key", "ctrl+Return"]);
            if let Some(workflow) = newest(world).await {
                return workflow;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, sending)
        .await
        .expect("the request is sent")
}

/// The workflow of the request that was sent.
async fn submitted(world: &World) -> serde_json::Value {
    let waiting = async {
        loop {
            if let Some(workflow) = newest(world).await {
                return workflow;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, waiting)
        .await
        .expect("the request is sent")
}

async fn newest(world: &World) -> Option<serde_json::Value> {
    let (_, page) = world.get("/api/workflows").await;
    page["workflows"].as_array()?.first().cloned()
}

/// Whether the places of a colour are `lines` lines of half the diff, but for
/// the letters on them.
fn check_area(places: &[(usize, usize)], lines: usize) {
    let line = (1_280 - 340) / 2 * 21;
    let expect = lines * line / 2..lines * line + 1;
    assert!(
        expect.contains(&places.len()),
        "{} pixels, {lines} lines",
        places.len()
    );
}

/// From the first column that has a place to the one after the last.
fn across(places: &[(usize, usize)]) -> Range<usize> {
    let columns = || places.iter().map(|(x, _)| *x);
    columns().min().unwrap()..columns().max().unwrap() + 1
}

/// A colour of the dark look.
fn color(name: &str) -> [u8; 3] {
    let dark = COLORS.split("pub const DARK").nth(1).unwrap();
    let hex = dark.split(&format!(" {name}: hex(0x")).nth(1).unwrap();
    let rgb = u32::from_str_radix(&hex[..6], 16).unwrap();
    let [_, red, green, blue] = rgb.to_be_bytes();
    [red, green, blue]
}

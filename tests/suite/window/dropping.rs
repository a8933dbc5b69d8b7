//! A file that is dropped on the window, as file managers do it: version 5 of XDND
//! (<https://www.freedesktop.org/wiki/Specifications/XDND/>).

use std::{fs, path::Path};

use x11rb::{
    COPY_DEPTH_FROM_PARENT, COPY_FROM_PARENT, CURRENT_TIME,
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{
            Atom, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, PropMode,
            SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window as WindowNumber,
            WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use super::screen::{Screen, Window, has_what_it_needs};
use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_file_is_named_in_the_request() {
    if !has_what_it_needs() {
        return;
    }
    let world = World::new().await;
    let (screen, _window, id) = Window::shown(&world).await;
    screen.xdotool(&["type", "--delay", "20", "shorten "]);
    let file = fs::canonicalize(world.repo()).unwrap().join("app.py");
    let dragged = Dragged::over(&screen, id.parse().unwrap(), &file);
    until("the file to be taken", || dragged.is_taken().then_some(())).await;
    let drafts = world.path("home/.local/state/agentic-ide/gui_drafts.json");
    let named = || {
        let kept = fs::read_to_string(&drafts).unwrap_or_default();
        kept.contains(r#""request":"shorten `app.py` "#).then_some(())
    };
    until("the file to be named", named).await;
}

/// A file that is being dragged, by a window of its own.
struct Dragged {
    x: RustConnection,
    source: WindowNumber,
    target: WindowNumber,
    uri: String,
    drop: Atom,
    finished: Atom,
}

impl Dragged {
    /// Holds the file over a window.
    fn over(screen: &Screen, target: WindowNumber, file: &Path) -> Self {
        let (x, number) = RustConnection::connect(Some(screen.display())).unwrap();
        let root = x.setup().roots[number].root;
        let source = x.generate_id().unwrap();
        x.create_window(
            COPY_DEPTH_FROM_PARENT,
            source,
            root,
            0,
            0,
            1,
            1,
            0,
            WindowClass::INPUT_OUTPUT,
            COPY_FROM_PARENT,
            &CreateWindowAux::new(),
        )
        .unwrap();
        let names = [
            "XdndSelection",
            "XdndEnter",
            "XdndPosition",
            "XdndActionCopy",
            "text/uri-list",
            "XdndDrop",
            "XdndFinished",
        ];
        let atom = |name: &str| {
            x.intern_atom(false, name.as_bytes())
                .unwrap()
                .reply()
                .unwrap()
                .atom
        };
        let [selection, enter, position, copy, list, drop, finished] = names.map(atom);
        x.set_selection_owner(source, selection, CURRENT_TIME).unwrap();
        let dragged = Self {
            uri: format!("file://{}\r\n", file.display()),
            x,
            source,
            target,
            drop,
            finished,
        };
        let version = 5 << 24;
        dragged.tell(enter, [source, version, list, 0, 0]);
        dragged.tell(position, [source, 0, 0, CURRENT_TIME, copy]);
        dragged
    }

    /// Answers what is asked, drops the file once it was looked at, and tells
    /// whether it was taken.
    fn is_taken(&self) -> bool {
        while let Some(event) = self.x.poll_for_event().unwrap() {
            if let Event::SelectionRequest(asked) = &event {
                self.answer(asked);
                self.tell(self.drop, [self.source, 0, CURRENT_TIME, 0, 0]);
            }
            if let Event::ClientMessage(said) = &event
                && said.type_ == self.finished
            {
                let [_, is_accepted, ..] = said.data.as_data32();
                assert_eq!(is_accepted & 1, 1, "the drop is refused");
                return true;
            }
        }
        false
    }

    fn answer(&self, asked: &SelectionRequestEvent) {
        let (window, property, kind) = (asked.requestor, asked.property, asked.target);
        self.x
            .change_property8(PropMode::REPLACE, window, property, kind, self.uri.as_bytes())
            .unwrap();
        let told = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: asked.time,
            requestor: window,
            selection: asked.selection,
            target: kind,
            property,
        };
        self.x
            .send_event(false, window, EventMask::NO_EVENT, told)
            .unwrap();
    }

    fn tell(&self, what: Atom, data: [u32; 5]) {
        let message = ClientMessageEvent::new(32, self.target, what, data);
        self.x
            .send_event(false, self.target, EventMask::NO_EVENT, message)
            .unwrap();
        self.x.flush().unwrap();
    }
}

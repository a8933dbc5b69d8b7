//! The caret, while nobody does anything.

use std::time::{Duration, Instant};

use gui_client::widget::rest::resting;
use iced::{
    Element, Event, Pixels, Size, Theme,
    advanced::{clipboard, widget::operation},
    keyboard, mouse,
    widget::text_input,
    window::{self, RedrawRequest},
};
use iced_test::runtime::{UserInterface, user_interface};

/// Frames so many seconds after the first one, what was done before each, and whether
/// the caret is to be drawn again by itself.
fn check(frames: &[(u64, &[Event], bool)]) {
    let mut renderer = iced_tiny_skia::Renderer::new(gui_client::theme::UI, Pixels(14.0));
    let field = text_input("", "").id("field").on_input(|_| ());
    let content: Element<'_, (), Theme, iced_tiny_skia::Renderer> = resting(field);
    let size = Size::new(100.0, 50.0);
    let mut ui = UserInterface::build(content, size, user_interface::Cache::default(), &mut renderer);
    let mut focus = operation::focusable::focus::<()>("field".into());
    ui.operate(&renderer, &mut operation::black_box(&mut focus));
    #[expect(clippy::disallowed_methods, reason = "the field looks at it, too")]
    let begin = Instant::now();
    for (seconds, done, blinks) in frames {
        let at = begin + Duration::from_secs(*seconds);
        let redraw = Event::Window(window::Event::RedrawRequested(at));
        let events: Vec<Event> = done.iter().cloned().chain([redraw]).collect();
        let cursor = mouse::Cursor::Unavailable;
        let messages = &mut Vec::new();
        let (state, _) = ui.update(&events, cursor, &mut renderer, &mut clipboard::Null, messages);
        let user_interface::State::Updated { redraw_request, .. } = state else {
            panic!("it is as before");
        };
        assert_eq!(
            redraw_request != RedrawRequest::Wait,
            *blinks,
            "after {seconds} s"
        );
    }
}

#[test]
fn it_blinks_while_somebody_is_there() {
    let key = Event::Keyboard(keyboard::Event::ModifiersChanged(keyboard::Modifiers::SHIFT));
    check(&[
        (0, &[], true),
        (9, &[], true),
        (10, &[], false),
        (20, &[], false),
        (30, &[key], true),
        (39, &[], true),
        (40, &[], false),
    ]);
}

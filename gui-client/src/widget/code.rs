//! Draws rows of code. Only what is seen of them is shaped and drawn, and what
//! was shaped is kept, so that ten thousand lines cost what fifty do.
//!
//! Put it into a vertical `scrollable`; long lines it moves sideways itself
//! (Shift and wheel, or Alt and arrow), both columns together, numbers in place.
//! The head of a hunk can be pressed.

mod head;
mod shape;

use std::{cell::RefCell, collections::HashMap, ops::Range};

use iced::{
    Element, Event, Font, Length, Point, Rectangle, Size,
    advanced::{
        Clipboard, Layout, Shell, Widget, layout, renderer,
        text::{self, Paragraph as _},
        widget::{Tree, tree},
    },
    keyboard::{self, Key, key::Named},
    mouse,
};

use super::{
    cut::{Cut, cut},
    rows::{Cell, Rows, Tone},
};
use crate::theme::Look;
use head::fill;
use shape::{Shaped, hash, plain, shape};

/// Shaped pieces kept; a screen shows some 300.
const CACHE_MAX: usize = 2_000;
/// Space around text, in logical pixels.
const INSET: f32 = 10.0;
/// Width of the `+` and `-` marks.
const MARK_WIDTH: f32 = 18.0;
/// Characters that one step of the wheel or an arrow key moves sideways.
const STEP_CHARS: f32 = 8.0;
/// Logical pixels that make layers differ, and how many such steps there are:
/// a prime, so that no step of a wheel is a multiple of it.
const NUDGE: f32 = 1.0 / 1_024.0;
const NUDGE_STEPS: f32 = 61.0;
/// Empty space after the last row.
const TAIL: f32 = 12.0;

/// Rows of code.
#[derive(Debug)]
pub struct Code<'a, Message> {
    rows: Rows<'a>,
    look: Look,
    on_head: Option<fn(usize) -> Message>,
}

impl<'a, Message> Code<'a, Message> {
    /// Draws `rows`.
    pub fn new(rows: Rows<'a>, look: Look) -> Self {
        Self {
            rows,
            look,
            on_head: None,
        }
    }

    /// What is sent when the head of a hunk is pressed.
    #[must_use]
    pub fn on_head(self, message: fn(usize) -> Message) -> Self {
        Self {
            on_head: Some(message),
            ..self
        }
    }
}

/// Top of row `at` in the widget, in logical pixels; for scrolling to it.
#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^24")]
pub fn row_top(look: Look, at: usize) -> f32 {
    at as f32 * look.code_line()
}

struct State<P> {
    /// Shaped text. Drawing has no exclusive access to the state.
    cache: RefCell<HashMap<u64, Shaped<P>>>,
    /// How far text is moved to the left; drawn in whole characters.
    offset: f32,
    /// Width of a column's text area and of one character, from the last layout.
    column: f32,
    char_width: f32,
    modifiers: keyboard::Modifiers,
}

/// Measures of one column.
#[derive(Clone, Copy)]
struct Column {
    x: f32,
    width: f32,
    gutter: f32,
    mark: f32,
}

impl<Message> Code<'_, Message> {
    fn digits(&self) -> usize {
        self.rows.number_max().max(100).to_string().len()
    }

    fn gutter(&self, char_width: f32) -> f32 {
        let numbers = self.rows.numbers();
        #[expect(clippy::cast_precision_loss, reason = "a handful of digits")]
        let digits = (self.digits() * numbers + numbers - 1) as f32;
        digits * char_width + 2.0 * INSET
    }

    /// What stands before a line.
    fn label(&self, cell: &Cell<'_>) -> Option<String> {
        let plain = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
        if self.rows.numbers() == 1 {
            return cell.number.map(|number| number.to_string());
        }
        let digits = self.digits();
        let any = cell.before.is_some() || cell.number.is_some();
        any.then(|| format!("{:>digits$} {:>digits$}", plain(cell.before), plain(cell.number)))
    }

    /// The hunk whose head is at this place of the widget.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "never negative inside of the widget; a huge value saturates"
    )]
    fn head_at(&self, place: Point) -> Option<usize> {
        let row = (place.y / self.look.code_line()).floor() as usize;
        self.rows.head(row).map(|head| head.hunk)
    }

    fn columns(&self, bounds: Rectangle, char_width: f32) -> Vec<Column> {
        let gutter = self.gutter(char_width);
        if self.rows.columns() == 1 {
            return vec![Column {
                x: bounds.x,
                width: bounds.width,
                gutter,
                mark: if self.rows.marked() { MARK_WIDTH } else { 0.0 },
            }];
        }
        let half = (bounds.width / 2.0).floor();
        vec![
            Column {
                x: bounds.x,
                width: half,
                gutter,
                mark: MARK_WIDTH,
            },
            Column {
                x: bounds.x + half,
                width: bounds.width - half,
                gutter,
                mark: MARK_WIDTH,
            },
        ]
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the number of rows; a negative or huge value saturates"
    )]
    fn visible(&self, bounds: Rectangle, viewport: &Rectangle) -> Range<usize> {
        let height = self.look.code_line();
        let from = ((viewport.y - bounds.y) / height).floor().max(0.0) as usize;
        let to = ((viewport.y + viewport.height - bounds.y) / height)
            .ceil()
            .max(0.0) as usize;
        let len = self.rows.len();
        from.min(len)..to.min(len)
    }
}

impl<Message, Theme, Renderer> Widget<Message, Theme, Renderer> for Code<'_, Message>
where
    Renderer: text::Renderer<Font = Font>,
{
    fn size(&self) -> Size<Length> {
        Size::new(Length::Fill, Length::Shrink)
    }

    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State<Renderer::Paragraph>>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State::<Renderer::Paragraph> {
            cache: RefCell::default(),
            offset: 0.0,
            column: 0.0,
            char_width: 0.0,
            modifiers: keyboard::Modifiers::default(),
        })
    }

    fn layout(&mut self, tree: &mut Tree, _renderer: &Renderer, limits: &layout::Limits) -> layout::Node {
        let state = tree.state.downcast_mut::<State<Renderer::Paragraph>>();
        let sample: Renderer::Paragraph = plain("0000000000", self.look.code(), self.look.code_line());
        state.char_width = sample.min_width() / 10.0;
        let size = Size::new(limits.max().width, row_top(self.look, self.rows.len()) + TAIL);
        let columns = self.columns(Rectangle::with_size(size), state.char_width);
        state.column = columns
            .first()
            .map_or(0.0, |column| column.width - column.gutter - column.mark);
        layout::Node::new(limits.resolve(Length::Fill, Length::Shrink, size))
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        _renderer: &Renderer,
        _clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, Message>,
        _viewport: &Rectangle,
    ) {
        if let (Some(message), Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left))) =
            (self.on_head, event)
            && let Some(hunk) = cursor
                .position_in(layout.bounds())
                .and_then(|place| self.head_at(place))
        {
            shell.publish(message(hunk));
            shell.capture_event();
            return;
        }
        let state = tree.state.downcast_mut::<State<Renderer::Paragraph>>();
        let step = STEP_CHARS * state.char_width;
        let sideways = if let Event::Keyboard(keyboard::Event::ModifiersChanged(modifiers)) = event {
            state.modifiers = *modifiers;
            0.0
        } else if let Event::Keyboard(keyboard::Event::KeyPressed { key, modifiers, .. }) = event {
            match key {
                Key::Named(Named::ArrowLeft) if modifiers.alt() => -step,
                Key::Named(Named::ArrowRight) if modifiers.alt() => step,
                Key::Named(_) | Key::Character(_) | Key::Unidentified => 0.0,
            }
        } else if let Event::Mouse(mouse::Event::WheelScrolled { delta }) = event
            && cursor.is_over(layout.bounds())
        {
            let (x, y) = match *delta {
                mouse::ScrollDelta::Lines { x, y } => (x * step, y * step),
                mouse::ScrollDelta::Pixels { x, y } => (x, y),
            };
            if state.modifiers.shift() { -(x + y) } else { -x }
        } else {
            0.0
        };
        #[expect(clippy::cast_precision_loss, reason = "characters of a line, far below 2^24")]
        let widest = self.rows.width_chars() as f32 * state.char_width + 2.0 * INSET;
        let offset = (state.offset + sideways).clamp(0.0, (widest - state.column).max(0.0));
        if (offset - state.offset).abs() > f32::EPSILON {
            state.offset = offset;
            shell.request_redraw();
        }
        if sideways != 0.0 && state.modifiers.shift() {
            shell.capture_event();
        }
    }

    fn mouse_interaction(
        &self,
        _tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        _viewport: &Rectangle,
        _renderer: &Renderer,
    ) -> mouse::Interaction {
        let place = cursor.position_in(layout.bounds());
        match place.and_then(|place| self.head_at(place)).and(self.on_head) {
            Some(_) => mouse::Interaction::Pointer,
            None => mouse::Interaction::default(),
        }
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut Renderer,
        _theme: &Theme,
        _style: &renderer::Style,
        layout: Layout<'_>,
        _cursor: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let state = tree.state.downcast_ref::<State<Renderer::Paragraph>>();
        let bounds = layout.bounds();
        let Some(seen) = bounds.intersection(viewport) else {
            return;
        };
        // Whole pixels: edges in between are drawn by mixing colours.
        let bounds = Rectangle {
            y: bounds.y.round(),
            ..bounds
        };
        let seen = Rectangle {
            y: seen.y.ceil(),
            height: (seen.y + seen.height).floor() - seen.y.ceil(),
            ..seen
        };
        // A layer that moved by less than a pixel is drawn anew as a whole. The
        // renderer would otherwise draw dozens of rectangles around what differs
        // after scrolling, and each makes clip masks as large as the window.
        let nudge = (viewport.y - bounds.y).round().rem_euclid(NUDGE_STEPS) * NUDGE;
        let layer = Rectangle {
            height: seen.height - nudge,
            ..seen
        };
        renderer.with_layer(layer, |renderer| self.draw_rows(state, renderer, bounds, seen));
    }
}

impl<Message> Code<'_, Message> {
    fn draw_rows<Renderer>(
        &self,
        state: &State<Renderer::Paragraph>,
        renderer: &mut Renderer,
        bounds: Rectangle,
        seen: Rectangle,
    ) where
        Renderer: text::Renderer<Font = Font>,
    {
        let (look, colors, height) = (self.look, self.look.colors, self.look.code_line());
        let rows = self.visible(bounds, &seen);
        let mut cache = state.cache.borrow_mut();
        // Only between frames: what this frame draws must stay alive until it is shown.
        if cache.len() > CACHE_MAX {
            cache.clear();
        }
        let salt = (look.choice, look.size.to_bits());
        let columns = self.columns(bounds, state.char_width);
        for (number, column) in columns.iter().enumerate() {
            let text_x = column.x + column.gutter + column.mark;
            let clip = Rectangle {
                x: text_x,
                width: (column.x + column.width - text_x).max(0.0),
                ..seen
            };
            for at in rows.clone() {
                let y = bounds.y + row_top(look, at);
                let row = Rectangle {
                    x: column.x,
                    y,
                    width: column.width,
                    height,
                };
                if let Some(hunk) = self.rows.head(at) {
                    if number == 0 {
                        let across = Rectangle {
                            width: bounds.width,
                            ..row
                        };
                        head::draw(look, &mut cache, renderer, hunk, across, seen);
                    }
                    continue;
                }
                if let Some(lines) = self.rows.gap(at) {
                    fill(renderer, row, colors.absent);
                    if number == 0 {
                        let label = format!("⋯  {lines} unchanged lines");
                        let shaped = cache.entry(hash(&(salt, &label))).or_insert_with(|| Shaped {
                            paragraph: plain(&label, look.code() - 1.0, height),
                            marks: Vec::new(),
                        });
                        renderer.fill_paragraph(&shaped.paragraph, Point::new(text_x, y), colors.faint, seen);
                    }
                    continue;
                }
                let cell = self.rows.cell(at, number);
                let (line, mark) = match cell.tone {
                    Tone::Plain => (None, None),
                    Tone::Added => (Some(colors.added), Some(("+", colors.good))),
                    Tone::Removed => (Some(colors.removed), Some(("−", colors.bad))),
                    Tone::AddedNot => (Some(colors.absent), Some(("+", colors.faint))),
                    Tone::RemovedNot => (None, Some(("−", colors.faint))),
                    Tone::Absent => (Some(colors.absent), None),
                    Tone::Fresh | Tone::Found => (Some(colors.fresh), None),
                };
                if let Some(color) = line {
                    fill(renderer, row, color);
                }
                if let Some(label) = self.label(&cell) {
                    let shaped = cache.entry(hash(&(salt, &label))).or_insert_with(|| Shaped {
                        paragraph: plain(&label, look.code() - 1.0, height),
                        marks: Vec::new(),
                    });
                    let x = column.x + column.gutter - INSET - shaped.paragraph.min_width();
                    renderer.fill_paragraph(&shaped.paragraph, Point::new(x, y), colors.faint, seen);
                }
                if let Some((sign, color)) = mark {
                    let shaped = cache.entry(hash(&(salt, sign))).or_insert_with(|| Shaped {
                        paragraph: plain(sign, look.code(), height),
                        marks: Vec::new(),
                    });
                    let x = column.x + column.gutter;
                    renderer.fill_paragraph(&shaped.paragraph, Point::new(x, y), color, seen);
                }
            }
            let inset = column_inset(column);
            let (from, room) = (
                whole(state.offset, state.char_width),
                whole(clip.width - inset, state.char_width),
            );
            #[expect(clippy::cast_precision_loss, reason = "characters of a line, far below 2^24")]
            let moved = |chars: usize| chars as f32 * state.char_width;
            let lines = rows
                .clone()
                .filter(|at| self.rows.gap(*at).is_none() && self.rows.head(*at).is_none());
            for at in lines {
                let cell = self.rows.cell(at, number);
                let language = self.rows.language(at);
                let Cut { bytes, skipped } = cut(cell.text, cell.emphasis, from, room);
                let key = hash(&(salt, cell.text, &bytes, cell.emphasis, language));
                let shaped = cache
                    .entry(key)
                    .or_insert_with(|| shape(cell, &bytes, language, look));
                let x = text_x + inset + moved(skipped) - moved(from);
                let origin = Point::new(x, bounds.y + row_top(look, at));
                let emphasis = match cell.tone {
                    Tone::Added => colors.added_words,
                    Tone::Removed => colors.removed_words,
                    Tone::AddedNot | Tone::RemovedNot => colors.hover,
                    Tone::Plain | Tone::Absent | Tone::Fresh => colors.fresh,
                    Tone::Found => colors.selection,
                };
                // No layer of its own: quads are drawn before text anyhow.
                for mark in &shaped.marks {
                    let place = Rectangle {
                        x: origin.x + mark.x,
                        y: origin.y,
                        width: mark.width,
                        height,
                    };
                    if let Some(place) = place.intersection(&clip) {
                        fill(renderer, place, emphasis);
                    }
                }
                if !bytes.is_empty() {
                    renderer.fill_paragraph(&shaped.paragraph, origin, colors.text, clip);
                }
                if self.rows.caret() == Some(at) && bytes.end == cell.text.len() {
                    let x = origin.x + shaped.paragraph.min_width() + 1.0;
                    let caret = Rectangle {
                        x,
                        y: origin.y + 3.0,
                        width: state.char_width,
                        height: height - 6.0,
                    };
                    if let Some(caret) = caret.intersection(&clip) {
                        fill(renderer, caret, colors.accent);
                    }
                }
            }
        }
        if let [_, right] = columns.as_slice() {
            fill(
                renderer,
                Rectangle {
                    x: right.x,
                    width: 1.0,
                    ..seen
                },
                colors.border,
            );
        }
    }
}

/// How many characters of this width `length` has room for.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative; a division by nothing saturates"
)]
fn whole(length: f32, char_width: f32) -> usize {
    // What is shaped may be wider than its characters by a rounding error.
    ((length / char_width) + 0.001).floor().max(0.0) as usize
}

/// Columns without marks need room between number and text.
fn column_inset(column: &Column) -> f32 {
    if column.mark > 0.0 { 0.0 } else { INSET / 2.0 }
}

impl<'a, Message, Theme, Renderer> From<Code<'a, Message>> for Element<'a, Message, Theme, Renderer>
where
    Message: 'a,
    Theme: 'a,
    Renderer: text::Renderer<Font = Font> + 'a,
{
    fn from(code: Code<'a, Message>) -> Self {
        Self::new(code)
    }
}

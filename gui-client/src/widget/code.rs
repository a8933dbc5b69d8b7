//! Draws rows of code. Only what is seen of them is shaped and drawn, and what
//! was shaped is kept, so that ten thousand lines cost what fifty do.
//!
//! Put it into a vertical `scrollable`; long lines it moves sideways itself
//! (Shift and wheel, or Alt and arrow), both columns together, numbers in place.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
};

use iced::{
    Color, Element, Event, Font, Length, Pixels, Point, Rectangle, Size,
    advanced::{
        Clipboard, Layout, Shell, Widget, layout,
        renderer::{self, Quad},
        text::{self, Paragraph as _, Span, Text},
        widget::{Tree, tree},
    },
    keyboard::{self, Key, key::Named},
    mouse,
};

use super::{
    cut::{Cut, cut},
    rows::{Cell, Rows, Tone},
};
use crate::{
    model::syntax::{Language, tokens},
    theme::{Look, MONO},
};

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
pub struct Code<'a> {
    rows: Rows<'a>,
    look: Look,
}

impl<'a> Code<'a> {
    /// Draws `rows`.
    pub fn new(rows: Rows<'a>, look: Look) -> Self {
        Self { rows, look }
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

struct Shaped<P> {
    paragraph: P,
    /// Where the pieces that stand out lie.
    marks: Vec<Rectangle>,
}

/// Measures of one column.
#[derive(Clone, Copy)]
struct Column {
    x: f32,
    width: f32,
    gutter: f32,
    mark: f32,
}

impl Code<'_> {
    fn gutter(&self, char_width: f32) -> f32 {
        let digits = self.rows.number_max().max(100).to_string().len();
        #[expect(clippy::cast_precision_loss, reason = "a handful of digits")]
        let digits = digits as f32;
        digits * char_width + 2.0 * INSET
    }

    fn columns(&self, bounds: Rectangle, char_width: f32) -> Vec<Column> {
        let gutter = self.gutter(char_width);
        if self.rows.columns() == 1 {
            return vec![Column {
                x: bounds.x,
                width: bounds.width,
                gutter,
                mark: 0.0,
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

fn plain<P: text::Paragraph<Font = Font>>(content: &str, size: f32, line: f32) -> P {
    P::with_text(Text {
        content,
        bounds: Size::INFINITE,
        size: Pixels(size),
        line_height: text::LineHeight::Absolute(Pixels(line)),
        font: MONO,
        align_x: text::Alignment::Left,
        align_y: iced::alignment::Vertical::Top,
        shaping: text::Shaping::Auto,
        wrapping: text::Wrapping::None,
    })
}

/// Shapes what is seen of a line: coloured by token, cut where emphasis begins
/// and ends.
fn shape<P: text::Paragraph<Font = Font>>(
    cell: Cell<'_>,
    seen: &Range<usize>,
    language: Language,
    look: Look,
) -> Shaped<P> {
    let tokens = tokens(language, cell.text);
    let mut cuts: Vec<usize> = vec![seen.start, seen.end];
    cuts.extend(tokens.iter().flat_map(|(range, _)| [range.start, range.end]));
    cuts.extend(cell.emphasis.iter().flat_map(|range| [range.start, range.end]));
    cuts.retain(|at| seen.start <= *at && *at <= seen.end && cell.text.is_char_boundary(*at));
    cuts.sort_unstable();
    cuts.dedup();
    let pieces: Vec<Range<usize>> = cuts.windows(2).map(|pair| pair[0]..pair[1]).collect();
    let spans: Vec<Span<'_, (), Font>> = pieces
        .iter()
        .map(|piece| {
            let token = tokens
                .iter()
                .find(|(range, _)| range.start <= piece.start && piece.end <= range.end);
            Span::new(&cell.text[piece.clone()])
                .color_maybe(token.map(|(_, token)| look.colors.token(*token)))
        })
        .collect();
    let paragraph = P::with_spans(Text {
        content: spans.as_slice(),
        bounds: Size::INFINITE,
        size: Pixels(look.code()),
        line_height: text::LineHeight::Absolute(Pixels(look.code_line())),
        font: MONO,
        align_x: text::Alignment::Left,
        align_y: iced::alignment::Vertical::Top,
        shaping: text::Shaping::Auto,
        wrapping: text::Wrapping::None,
    });
    let inside = |piece: &Range<usize>| {
        cell.emphasis
            .iter()
            .any(|range| range.start <= piece.start && piece.end <= range.end)
    };
    let emphasised = pieces.iter().enumerate().filter(|(_, piece)| inside(piece));
    let marks = emphasised
        .flat_map(|(index, _)| paragraph.span_bounds(index))
        .collect();
    Shaped { paragraph, marks }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn fill<R: renderer::Renderer>(renderer: &mut R, bounds: Rectangle, color: Color) {
    renderer.fill_quad(
        Quad {
            bounds,
            ..Quad::default()
        },
        color,
    );
}

impl<Message, Theme, Renderer> Widget<Message, Theme, Renderer> for Code<'_>
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

impl Code<'_> {
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
                    Tone::Absent => (Some(colors.absent), None),
                    Tone::Fresh => (Some(colors.fresh), None),
                };
                if let Some(color) = line {
                    fill(renderer, row, color);
                }
                if let Some(line_number) = cell.number {
                    let label = line_number.to_string();
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
            for at in rows.clone().filter(|at| self.rows.gap(*at).is_none()) {
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
                    Tone::Plain | Tone::Absent | Tone::Fresh => colors.fresh,
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

impl<'a, Message, Theme, Renderer> From<Code<'a>> for Element<'a, Message, Theme, Renderer>
where
    Message: 'a,
    Theme: 'a,
    Renderer: text::Renderer<Font = Font> + 'a,
{
    fn from(code: Code<'a>) -> Self {
        Self::new(code)
    }
}

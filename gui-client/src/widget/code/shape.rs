//! Shapes text: what costs most, and so is done once for what is seen.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
};

use iced::{
    Font, Pixels, Rectangle, Size,
    advanced::text::{self, Span, Text},
};

use super::super::rows::Cell;
use crate::{
    model::syntax::{Language, tokens},
    theme::{Look, MONO},
};

/// Text that is ready to be drawn.
pub(super) struct Shaped<P> {
    pub(super) paragraph: P,
    /// Where the pieces that stand out lie.
    pub(super) marks: Vec<Rectangle>,
}

/// A short text in one colour.
pub(super) fn plain<P: text::Paragraph<Font = Font>>(content: &str, size: f32, line: f32) -> P {
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
pub(super) fn shape<P: text::Paragraph<Font = Font>>(
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

/// The key of what was shaped.
pub(super) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

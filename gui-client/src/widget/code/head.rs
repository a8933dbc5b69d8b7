//! The head of a hunk: a box to tick, and which hunk it is.

use std::collections::HashMap;

use iced::{
    Color, Font, Point, Rectangle,
    advanced::{
        renderer::{self, Quad},
        text,
    },
    border,
};

use super::{
    INSET,
    shape::{Shaped, hash, plain},
};
use crate::{theme::Look, widget::rows::Head};

/// Fills an area with a colour.
pub(super) fn fill<R: renderer::Renderer>(renderer: &mut R, bounds: Rectangle, color: Color) {
    renderer.fill_quad(
        Quad {
            bounds,
            ..Quad::default()
        },
        color,
    );
}

/// Draws a head over the whole width of the rows.
pub(super) fn draw<Renderer>(
    look: Look,
    cache: &mut HashMap<u64, Shaped<Renderer::Paragraph>>,
    renderer: &mut Renderer,
    head: Head,
    row: Rectangle,
    seen: Rectangle,
) where
    Renderer: text::Renderer<Font = Font>,
{
    let colors = look.colors;
    fill(
        renderer,
        row,
        if head.current { colors.hover } else { colors.panel },
    );
    if head.current {
        let bar = Rectangle { width: 3.0, ..row };
        fill(renderer, bar, colors.accent);
    }
    let side = (row.height * 0.6).round();
    let space = ((row.height - side) / 2.0).round();
    let place = Rectangle {
        x: row.x + INSET,
        y: row.y + space,
        width: side,
        height: side,
    };
    renderer.fill_quad(
        Quad {
            bounds: place,
            border: border::rounded(3.0).width(1.0).color(if head.taken {
                colors.good
            } else {
                colors.faint
            }),
            ..Quad::default()
        },
        if head.taken {
            colors.good
        } else {
            Color::TRANSPARENT
        },
    );
    let mut write = |label: &str, x: f32, color: Color| {
        let shaped = cache
            .entry(hash(&(look.choice, look.size.to_bits(), label)))
            .or_insert_with(|| Shaped {
                paragraph: plain(label, look.code() - 1.0, row.height),
                marks: Vec::new(),
            });
        renderer.fill_paragraph(&shaped.paragraph, Point::new(x, row.y), color, seen);
    };
    if head.taken {
        write("✓", place.x + side * 0.2, colors.on_accent);
    }
    let left_out = if head.taken { "" } else { " · left out" };
    let label = format!("Hunk {} of {}{left_out}", head.hunk + 1, head.count);
    let color = if head.taken { colors.muted } else { colors.faint };
    write(&label, place.x + side + INSET, color);
}

//! A window without a window: lays it out and draws it as the window does,
//! only what differs from the frame before.

use std::time::Instant;

use gui_client::{
    app::{self, App},
    theme,
};
use iced::{
    Event, Pixels, Point, Rectangle, Size,
    advanced::{clipboard, renderer::Style},
    mouse,
    theme::Base as _,
    window,
};
use iced_test::runtime::{UserInterface, user_interface};
use iced_tiny_skia::{
    Layer,
    graphics::{Viewport, damage},
};
use tiny_skia::{Mask, PixmapMut};

const WIDTH: u32 = 1_280;
const HEIGHT: u32 = 800;

/// What stays from frame to frame.
pub struct Screen {
    renderer: iced_tiny_skia::Renderer,
    cache: user_interface::Cache,
    layers: Option<Vec<Layer>>,
    pixels: Vec<u8>,
    mask: Mask,
    viewport: Viewport,
}

impl Screen {
    pub fn new() -> Self {
        // Takes the fonts up, which all renderers share.
        let settings = iced::Settings {
            fonts: theme::fonts(),
            ..iced::Settings::default()
        };
        let fonts: iced_test::Simulator<'_, ()> =
            iced_test::Simulator::with_size(settings, (10.0, 10.0), iced::widget::space());
        drop(fonts);
        Self {
            renderer: iced_tiny_skia::Renderer::new(theme::UI, Pixels(14.0)),
            cache: user_interface::Cache::default(),
            layers: None,
            pixels: vec![0; WIDTH as usize * HEIGHT as usize * 4],
            mask: Mask::new(WIDTH, HEIGHT).unwrap(),
            viewport: Viewport::with_physical_size(Size::new(WIDTH, HEIGHT), 1.0),
        }
    }

    /// A frame, with the wheel turned by so many lines before.
    pub fn draw(&mut self, app: &App, lines: f32) {
        let size = self.viewport.logical_size();
        let cursor = mouse::Cursor::Available(Point::new(900.0, 400.0));
        let cache = std::mem::take(&mut self.cache);
        let mut ui = UserInterface::build(app::view(app), size, cache, &mut self.renderer);
        let delta = mouse::ScrollDelta::Lines { x: 0.0, y: -lines };
        let wheel = Event::Mouse(mouse::Event::WheelScrolled { delta });
        let redraw = Event::Window(window::Event::RedrawRequested(Instant::now()));
        let mut messages = Vec::new();
        let _state = ui.update(
            &[wheel, redraw],
            cursor,
            &mut self.renderer,
            &mut clipboard::Null,
            &mut messages,
        );
        let base = app.theme().base();
        let style = Style {
            text_color: base.text_color,
        };
        ui.draw(&mut self.renderer, &app.theme(), &style, cursor);
        self.cache = ui.into_cache();
        self.present(base.background_color);
    }

    /// As `iced_tiny_skia::window::compositor::present` does.
    fn present(&mut self, background: iced::Color) {
        let all = Rectangle::with_size(self.viewport.logical_size());
        let damaged = match &self.layers {
            Some(last) => damage::diff(
                last,
                self.renderer.layers(),
                |layer| vec![layer.bounds],
                Layer::damage,
            ),
            None => vec![all],
        };
        if damaged.is_empty() {
            return;
        }
        self.layers = Some(self.renderer.layers().to_vec());
        let damaged = damage::group(damaged, all);
        let mut pixels = PixmapMut::from_bytes(&mut self.pixels, WIDTH, HEIGHT).unwrap();
        self.renderer
            .draw(&mut pixels, &mut self.mask, &self.viewport, &damaged, background);
    }
}

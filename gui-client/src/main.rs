//! Starts the window: arguments, configuration, connection.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use gui_client::{
    Error,
    agent::{
        fake::{self as agent_fake, Recorded},
        reach::{self, Reach},
    },
    app::{self, App, Exit, Options},
    attention::desktop::Session,
    clock::Clock,
    config::Config,
    connection::{
        Connection,
        backoff::Backoff,
        fake::{self, Fake},
        live::Live,
    },
    drafts::{self, Store},
    screen::agents::kept::{self, Shelf},
    theme,
};
use iced::{Size, window};

/// Name of the program for the desktop.
const ID: &str = "agentic-ide";
/// First size of the window, in logical pixels.
const SIZE: Size = Size::new(1280.0, 800.0);
/// Below this nothing can be read.
const SIZE_MIN: Size = Size::new(400.0, 300.0);

/// The desktop window of Agentic IDE.
#[derive(Debug, Parser)]
#[command(name = "agentic-ide-gui", version)]
struct Arguments {
    /// Configuration file, instead of the usual gui_config.yaml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of the backend, for example http://127.0.0.1:8000.
    #[arg(long, value_name = "URL")]
    backend: Option<String>,
    /// Workspace, a path on the backend's machine.
    #[arg(long, value_name = "DIR")]
    workspace: Option<String>,
    /// Submit this request at the start.
    #[arg(long, value_name = "TEXT")]
    request: Option<String>,
    /// Close the window when the workflow has ended.
    #[arg(long)]
    exit_after_decision: bool,
    /// Play a recorded transcript instead of talking to a backend.
    #[arg(long, hide = true)]
    fake: bool,
    /// The transcript to play, instead of the one that comes with the program.
    #[arg(long, hide = true, requires = "fake", value_name = "FILE")]
    transcript: Option<PathBuf>,
    /// Milliseconds between pieces of text of the transcript.
    #[arg(long, hide = true, default_value_t = 40, value_name = "MS")]
    fake_pace: u64,
}

fn main() -> ExitCode {
    shared::telemetry::init("warn,gui_client=info", shared::telemetry::LogFormat::Text);
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}: {error} (docs/errors/{}.md)", error.code(), error.code());
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Error> {
    let mut config = Config::load(arguments.config.as_deref())?;
    if let Some(backend) = arguments.backend {
        config.backend = backend;
    }
    if let Some(workspace) = arguments.workspace {
        config.workspace = Some(absolute(&workspace));
    }
    let config = config.checked()?;
    let clock = Clock::system();
    let connection: Arc<dyn Connection> = if arguments.fake {
        let transcript = match &arguments.transcript {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Error::Config(format!("cannot read {}: {error}", path.display())))?,
            None => fake::DEMO.to_owned(),
        };
        Arc::new(Fake::new(
            &transcript,
            Duration::from_millis(arguments.fake_pace),
            clock,
        )?)
    } else {
        connect(&config)?
    };
    let exit = if arguments.exit_after_decision {
        Exit::WhenEnded
    } else {
        Exit::Never
    };
    let (agents, talks) = if arguments.fake {
        let pace = Duration::from_millis(arguments.fake_pace);
        let recorded: Arc<dyn Reach> = Arc::new(Recorded::new("Sparrow", agent_fake::DEMO, pace)?);
        (vec![recorded], Shelf::Nowhere)
    } else {
        let talks = shared::paths::state_dir().join(kept::FILE);
        (reach::all(&config)?, Shelf::File(talks))
    };
    let options = Options {
        request: arguments.request,
        exit,
        config_file: (!arguments.fake).then(|| Config::file(arguments.config.as_deref())),
        connect: (!arguments.fake).then_some(connect),
        // A demonstration begins from nothing each time.
        drafts: if arguments.fake {
            Store::default()
        } else {
            Store::at(shared::paths::state_dir().join(drafts::FILE))
        },
        agents,
        talks,
        desktop: Some(Arc::new(Session)),
    };
    let size = config.font_size;
    let boot = move || {
        let app = App::new(Arc::clone(&connection), clock, &config, options.clone());
        let task = app.start();
        (app, task)
    };
    let settings = iced::Settings {
        id: Some(ID.to_owned()),
        fonts: theme::fonts(),
        default_font: theme::UI,
        default_text_size: f32::from(size).into(),
        ..iced::Settings::default()
    };
    let window = window::Settings {
        size: SIZE,
        min_size: Some(SIZE_MIN),
        // What desktops find the program's entry and icon by.
        platform_specific: window::settings::PlatformSpecific {
            application_id: ID.to_owned(),
            ..Default::default()
        },
        ..window::Settings::default()
    };
    iced::application(boot, App::update, app::view)
        .subscription(app::subscription)
        .title(App::title)
        .theme(App::theme)
        .settings(settings)
        .window(window)
        .run()
        .map_err(|error| Error::Window(error.to_string()))
}

fn connect(config: &Config) -> Result<Arc<dyn Connection>, Error> {
    Ok(Arc::new(Live::new(config.dialer()?, Backoff::default())?))
}

/// A relative path means the directory the window was started in; the backend
/// has another one. A path that is not here may still be the backend's.
fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

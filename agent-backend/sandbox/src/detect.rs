//! The sandbox of this machine: which engine it is, what holds, and how a job is run.

use std::{process::Command, sync::Arc};

use crate::{
    Choice, Ended, Error, Guarantee, Job, Kind, Options, Stop, Stream,
    engine::{self, Engine},
    inside::Then,
};

/// A sandbox that was found and tried. Cheap to clone; made once and kept.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Found>);

#[derive(Debug)]
struct Found {
    engine: Engine,
    /// Bubblewrap, for what a container engine has no image for and cannot make one.
    without_image: Option<Engine>,
    guarantees: Vec<Guarantee>,
    /// Why engines that come before were not taken.
    passed_over: Vec<(Kind, String)>,
}

impl Sandbox {
    /// Looks for the engine that is wanted and tries what it promises: less than a second
    /// with bubblewrap, some seconds with containers.
    ///
    /// # Errors
    ///
    /// [`Error::TurnedOff`], also where no engine is named, and [`Error::Unavailable`] with what is wrong with each
    /// engine.
    pub fn detect(options: &Options) -> Result<Self, Error> {
        let kinds: &[Kind] = match options.engine {
            Choice::Auto => &options.order,
            Choice::Docker => &[Kind::Docker],
            Choice::Podman => &[Kind::Podman],
            Choice::Bubblewrap => &[Kind::Bubblewrap],
            Choice::None => return Err(Error::TurnedOff),
        };
        if kinds.is_empty() {
            return Err(Error::TurnedOff);
        }
        let mut why = Vec::new();
        for kind in kinds {
            match Engine::find(*kind, options) {
                Ok((engine, guarantees)) => {
                    let has_images = match kind {
                        Kind::Docker | Kind::Podman => {
                            options.engine == Choice::Auto && options.order.contains(&Kind::Bubblewrap)
                        }
                        Kind::Bubblewrap => false,
                    };
                    let other = has_images.then(|| Engine::find(Kind::Bubblewrap, options).ok());
                    return Ok(Self(Arc::new(Found {
                        engine,
                        without_image: other.flatten().map(|(engine, _)| engine),
                        guarantees,
                        passed_over: why,
                    })));
                }
                Err(reason) => why.push((*kind, reason)),
            }
        }
        Err(Error::Unavailable { why })
    }

    /// The engine.
    pub fn kind(&self) -> Kind {
        self.0.engine.kind()
    }

    /// What it promises, and whether that holds here.
    pub fn guarantees(&self) -> &[Guarantee] {
        &self.0.guarantees
    }

    /// The engines that would have been preferred, and why they were not taken.
    pub fn passed_over(&self) -> &[(Kind, String)] {
        &self.0.passed_over
    }

    /// Runs `job` to its end, passing its output on while it comes; `on_output` must not
    /// block, since neither time nor stop is looked at meanwhile. When this returns,
    /// nothing that the job started runs any more. With containers the first job of a
    /// language waits until its image is made, and the output of that comes first; if that fails and
    /// no engine was asked for, bubblewrap runs it.
    ///
    /// # Errors
    ///
    /// [`Error::Mount`], [`Error::Image`], [`Error::Setup`] and [`Error::Io`]: the program was
    /// not run. How it ended, if it was run, is no error.
    pub fn run(
        &self,
        job: &Job,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<Ended, Error> {
        let then = Then::Run(engine::program(job));
        let ended = self.0.engine.run(job, &then, on_output, stop);
        match (ended, self.other()) {
            (Err(Error::Image { image, detail }), Some(other)) => {
                tracing::warn!(image, detail, "no image: a job is run with bubblewrap");
                other.run(job, &then, on_output, stop)
            }
            (ended, _) => ended,
        }
    }

    /// The command that runs `job`, for whoever talks with it over standard input and
    /// output. The limits of time, output and what is written do not count. It must be started from a thread that lives as
    /// long as the conversation: the kernel ends bubblewrap's sandbox with that thread. `stop`
    /// ends the making of an image, and not the conversation.
    ///
    /// # Errors
    ///
    /// [`Error::Mount`] and [`Error::Io`], and [`Error::Image`] with containers.
    pub fn command(&self, job: &Job, stop: &Stop) -> Result<Command, Error> {
        match (self.0.engine.command(job, stop), self.other()) {
            (Err(Error::Image { image, detail }), Some(other)) => {
                tracing::warn!(image, detail, "no image: a conversation is begun with bubblewrap");
                other.command(job, stop)
            }
            (command, _) => command,
        }
    }

    fn other(&self) -> Option<&Engine> {
        self.0.without_image.as_ref()
    }
}

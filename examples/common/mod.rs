//! What the example binaries share: how they end, and how they print.

use std::io::Write;
use std::process::ExitCode;

use nim_slurm::plain;

/// What ends a program early: bad input, or anything else.
pub(crate) enum Failure {
    Input(Box<dyn std::error::Error>),
    Other(Box<dyn std::error::Error>),
}

pub(crate) fn input(error: impl std::error::Error + 'static) -> Failure {
    Failure::Input(Box::new(error))
}

pub(crate) fn other(error: impl std::error::Error + 'static) -> Failure {
    Failure::Other(Box::new(error))
}

impl Failure {
    /// Says on stderr what happened, and why; the exit code for it.
    pub(crate) fn report(&self) -> ExitCode {
        let (Self::Input(error) | Self::Other(error)) = self;
        let mut text = format!("error: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        // Errors quote files and programs, some of which have several lines.
        let lines: Vec<_> = text.lines().map(plain).collect();
        let text = lines.join("\n");
        // The exit code says it, too, where nobody hears it.
        let _ = writeln!(std::io::stderr(), "{text}");
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Other(_) => ExitCode::from(1),
        }
    }
}

/// Prints to stdout; a reader that has gone away is no failure of ours to shout about.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(other(error)),
        _ => Ok(()),
    }
}

//! How much is kept of what containers write to standard output and error: for all, and for those that say otherwise.
//!
//! The names are those of the parameters of Mesos' logrotate logger, and of the variables by which a command changes them
//! for itself. Of the options for `logrotate`, which no program is run for here, `rotate COUNT` counts.

use containerizer::{MIN_OUTPUT_SIZE, Outputs, Rotation};

/// What the agent's flags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLogger {
    /// Whether there is a bound at all.
    pub rotates: bool,
    /// For containers that say nothing else.
    pub outputs: Outputs,
    /// What the names of the variables begin with by which a command says something else.
    pub environment_variable_prefix: String,
}

impl Default for ContainerLogger {
    fn default() -> Self {
        Self {
            rotates: true,
            outputs: Outputs::default(),
            environment_variable_prefix: "CONTAINER_LOGGER_".to_owned(),
        }
    }
}

/// Why a setting cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoggerError {
    /// It is none that there is.
    #[error("unknown setting '{name}'")]
    Unknown {
        /// Its name, without what the names of all begin with.
        name: String,
    },
    /// It is no number of bytes, or too small a one.
    #[error("'{value}' is no size of at least {MIN_OUTPUT_SIZE} bytes; write it as in 10MB")]
    Size {
        /// What was said.
        value: String,
    },
    /// The count is none.
    #[error("'rotate {value}' says not how many files are kept; write it as in 'rotate 9'")]
    Count {
        /// What was said.
        value: String,
    },
}

impl ContainerLogger {
    /// How much is kept of what a container with this environment writes; everything where nothing comes back.
    pub(crate) fn outputs<'a>(
        &self,
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Option<Outputs>, LoggerError> {
        if !self.rotates {
            return Ok(None);
        }
        let mut outputs = self.outputs;
        for (name, value) in environment {
            let Some(name) = name.strip_prefix(self.environment_variable_prefix.as_str()) else { continue };
            match name.to_ascii_lowercase().as_str() {
                "max_stdout_size" => outputs.stdout.max_size = size(value)?,
                "max_stderr_size" => outputs.stderr.max_size = size(value)?,
                "logrotate_stdout_options" => set_count(&mut outputs.stdout, value)?,
                "logrotate_stderr_options" => set_count(&mut outputs.stderr, value)?,
                _ => return Err(LoggerError::Unknown { name: name.to_owned() }),
            }
        }
        Ok(Some(outputs))
    }

    /// As `/flags` shows it.
    pub(crate) fn flags(&self) -> [(&'static str, String); 6] {
        let options = |rotation: Rotation| format!("rotate {}", rotation.keep);
        let Outputs { stdout, stderr } = self.outputs;
        [
            ("container_logger", if self.rotates { "logrotate" } else { "sandbox" }.to_owned()),
            ("max_stdout_size", base::bytes_text(stdout.max_size)),
            ("max_stderr_size", base::bytes_text(stderr.max_size)),
            ("logrotate_stdout_options", options(stdout)),
            ("logrotate_stderr_options", options(stderr)),
            ("environment_variable_prefix", self.environment_variable_prefix.clone()),
        ]
    }
}

/// A size of a file, as in `10MB`.
///
/// # Errors
/// If it is none, or less than a page.
pub fn size(value: &str) -> Result<u64, LoggerError> {
    base::bytes_from_text(value)
        .filter(|size| *size >= MIN_OUTPUT_SIZE)
        .ok_or_else(|| LoggerError::Size { value: value.to_owned() })
}

/// Takes the count out of options for `logrotate`, one a line; without one it stays as it is.
///
/// # Errors
/// If it is none.
pub fn set_count(rotation: &mut Rotation, options: &str) -> Result<(), LoggerError> {
    for line in options.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("rotate") {
            let value = words.next().unwrap_or_default();
            rotation.keep = value.parse().map_err(|_| LoggerError::Count { value: value.to_owned() })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(environment: &[(&str, &str)]) -> Result<Option<Outputs>, String> {
        let logger = ContainerLogger::default();
        logger.outputs(environment.iter().copied()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_says_for_itself_how_much_is_kept() {
        assert_eq!(outputs(&[("PATH", "/bin")]), Ok(Some(Outputs::default())));
        let changed = outputs(&[
            ("CONTAINER_LOGGER_MAX_STDOUT_SIZE", "1MB"),
            ("CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", "compress\nrotate 9\n"),
            ("CONTAINER_LOGGER_MAX_STDERR_SIZE", "4096B"),
            ("CONTAINER_LOGGER_LOGROTATE_STDERR_OPTIONS", "missingok"),
        ]);
        let stdout = Rotation { max_size: 1 << 20, keep: 9 };
        let stderr = Rotation { max_size: 4096, ..Rotation::default() };
        assert_eq!(changed, Ok(Some(Outputs { stdout, stderr })));
        let unbounded = ContainerLogger { rotates: false, ..ContainerLogger::default() };
        assert_eq!(unbounded.outputs([("CONTAINER_LOGGER_MAX_STDOUT_SIZE", "1MB")]), Ok(None));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (name, value, reason) in [
            ("MAX_STDOUT_SIZE", "4095B", "'4095B' is no size of at least 4096 bytes"),
            ("MAX_STDERR_SIZE", "much", "'much' is no size"),
            ("LOGROTATE_STDOUT_OPTIONS", "rotate -1", "'rotate -1' says not how many"),
            ("LOGROTATE_STDERR_OPTIONS", "rotate", "says not how many"),
            ("MAX_STDOUT", "1MB", "unknown setting 'MAX_STDOUT'"),
        ] {
            let error = outputs(&[(&format!("CONTAINER_LOGGER_{name}"), value)]).expect_err(name);
            assert!(error.contains(reason), "{error}");
        }
    }
}

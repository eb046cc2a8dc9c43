//! The flags of `meseta master` and `meseta agent`: Mesos' names in every spelling that people and scripts use.
//!
//! A flag may be written `--work_dir` or `--work-dir`, a boolean also `--no-strict` or `--strict=false`; what the command
//! line does not say may come from `MESETA_WORK_DIR`, else from `MESOS_WORK_DIR`; a value `file://PATH` is the text of
//! that file. [`normalize`](fn@normalize) turns all of it into one spelling, which clap then reads. A flag that Mesos
//! knows and Meseta does not support is refused by name, for to ignore it would be to run differently from what was
//! asked; it may be given with the one value that describes what Meseta does anyway.

mod catalogue;
mod domain;
mod normalize;
mod values;

pub(crate) use catalogue::Server;
pub(crate) use domain::Domain;
pub(crate) use normalize::normalize;
pub(crate) use values::{
    Bound, Bytes, Duration, Percent, PositiveDuration, QuantitySets, Rate, Share, Weights,
};

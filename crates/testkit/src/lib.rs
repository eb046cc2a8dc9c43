//! For tests of the cores: builders that read like the scenario, a clock that is advanced, and outputs that are recorded
//! and have to be expected.

pub mod agent;
pub mod master;

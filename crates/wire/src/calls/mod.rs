//! Calls of the four APIs: is everything there that the type of the call needs?

mod agent;
mod executor;
mod master;
mod scheduler;

pub use agent::validate_agent_call;
pub use executor::validate_executor_call;
pub use master::validate_master_call;
pub use scheduler::validate_scheduler_call;

//! What the master knows of, in types of its own: the part that it decides upon is typed, the rest is carried as a
//! [`base::Payload`] that only the server around the core encodes and decodes.

mod agent;
mod call;
mod framework;
mod history;
mod ids;
mod maintenance;
mod message;
mod offer;
mod operation;
mod registry;
mod state;
mod status;
mod task;

pub use agent::{Agent, AgentCapabilities, AgentInfo, Drain, DrainConfig, DrainState, LostAgent};
pub use call::{AcceptOperation, OperatorCall, OperatorError, RefusedTask, SchedulerCall};
pub use framework::{Framework, FrameworkCapabilities, FrameworkInfo, OfferConstraints};
pub use history::CompletedTasks;
pub use ids::{ConnectionId, Pid, RequestId, StreamId};
pub use maintenance::{
    InverseOffer, InverseOfferAnswer, MachineId, MachineMode, MaintenanceStatus, Unavailability, Window,
    WindowKey, WindowPart, WindowParts,
};
pub use message::{
    ArchivedFramework, ReconciledTask, RegisterAgent, ReregisterAgent, StatusUpdate, UpdateAgent,
    UpdateOperation,
};
pub use offer::Offer;
pub use operation::{Operation, OperationState, OperationStatus, Unconfirmed};
pub use registry::{AgentRecord, RegistryContent, RegistryOperation, RegistryWrite};
pub use state::TaskState;
pub use status::{Reason, Source, TaskStatus};
pub use task::{ExecutorInfo, ExecutorKind, Task, TaskBody, TaskInfo};

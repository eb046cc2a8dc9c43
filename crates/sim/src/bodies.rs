//! What the opaque parts of messages mean here.
//!
//! The cores carry what they do not decide upon as bytes that they never read. On the wire these are protobuf; here they are
//! the number of an entry in this table, which both sides of the border look up.

use std::sync::Arc;
use std::time::Duration;

use base::Payload;
use master_core::FrameworkInfo;

/// What a task or an executor does when it runs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Plan {
    /// How long it runs if nobody ends it; `None` for ever.
    pub(crate) life: Option<Duration>,
    /// How it ends then, as `wait` gives it.
    pub(crate) status: i32,
    /// Whether it ends when it is asked to.
    pub(crate) polite: bool,
    /// Between a polite and a forced kill.
    pub(crate) grace: Option<Duration>,
    /// How long it may run.
    pub(crate) longest: Option<Duration>,
    /// How often it is checked.
    pub(crate) check: Option<Duration>,
    /// How often it is checked whether it is healthy, and after how many failures in a row it is killed.
    pub(crate) health_check: Option<(Duration, u32)>,
    /// How many of a hundred checks find something wrong.
    pub(crate) sick: u64,
}

/// One entry.
#[derive(Clone, Debug)]
enum Body {
    Framework(Arc<FrameworkInfo>),
    Plan(Plan),
    Operation(Arc<resources::Operation>),
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    entries: Vec<Body>,
}

impl Bodies {
    fn add(&mut self, body: Body) -> Payload {
        self.entries.push(body);
        Payload::from((self.entries.len() - 1).to_be_bytes().as_slice())
    }

    fn get(&self, payload: &Payload) -> Option<&Body> {
        let number = usize::from_be_bytes(payload.as_bytes().try_into().ok()?);
        self.entries.get(number)
    }

    /// Stands for what a framework says of itself; `info` gets the payload as its body.
    pub(crate) fn framework(&mut self, mut info: FrameworkInfo) -> Arc<FrameworkInfo> {
        info.body = Payload::from(self.entries.len().to_be_bytes().as_slice());
        let info = Arc::new(info);
        self.add(Body::Framework(Arc::clone(&info)));
        info
    }

    /// What a framework said of itself.
    pub(crate) fn framework_of(&self, payload: &Payload) -> Option<Arc<FrameworkInfo>> {
        match self.get(payload) {
            Some(Body::Framework(info)) => Some(Arc::clone(info)),
            _ => None,
        }
    }

    /// Stands for what a task or an executor does.
    pub(crate) fn plan(&mut self, plan: Plan) -> Payload {
        self.add(Body::Plan(plan))
    }

    /// What a task or an executor does.
    pub(crate) fn plan_of(&self, payload: &Payload) -> Option<&Plan> {
        match self.get(payload) {
            Some(Body::Plan(plan)) => Some(plan),
            _ => None,
        }
    }

    /// Stands for an operation as it was asked for.
    pub(crate) fn operation(&mut self, operation: Arc<resources::Operation>) -> Payload {
        self.add(Body::Operation(operation))
    }

    /// What was asked for.
    pub(crate) fn operation_of(&self, payload: &Payload) -> Option<Arc<resources::Operation>> {
        match self.get(payload) {
            Some(Body::Operation(operation)) => Some(Arc::clone(operation)),
            _ => None,
        }
    }
}

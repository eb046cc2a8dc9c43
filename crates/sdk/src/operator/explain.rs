//! Why a framework or a role gets no offers now, and why a task is in its state. Only Meseta's masters can tell; others answer with status 404.

use serde_json::Value;

use super::{Operator, OperatorError, form_escape};

/// Why there are no offers, and the smallest change that would help.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// For people: some lines, without an end of the last.
    pub text: String,
    /// For programs: all of it, the text included.
    pub details: Value,
}

impl Operator {
    /// Why a framework gets no offers, in each of its roles.
    ///
    /// # Errors
    /// When no leader answers, or it refuses; with status 404 when it knows no such framework.
    pub async fn explain_framework(&self, id: &str) -> Result<Explanation, OperatorError> {
        self.explain(&format!("/explain/framework?id={}", form_escape(id))).await
    }

    /// Why the frameworks of a role get no offers.
    ///
    /// # Errors
    /// When no leader answers, or it refuses; with status 404 when it knows no such role.
    pub async fn explain_role(&self, name: &str) -> Result<Explanation, OperatorError> {
        self.explain(&format!("/explain/role?name={}", form_escape(name))).await
    }

    /// Why a task is in its state, what helps, and all that was told of it. Masters that cannot tell answer with status 404,
    /// as for a task that they do not know.
    ///
    /// # Errors
    /// When no leader answers, or it refuses.
    pub async fn explain_task(&self, framework_id: &str, task_id: &str) -> Result<Value, OperatorError> {
        let (framework_id, task_id) = (form_escape(framework_id), form_escape(task_id));
        self.get(&format!("/explain/task?framework_id={framework_id}&task_id={task_id}")).await
    }

    async fn explain(&self, path: &str) -> Result<Explanation, OperatorError> {
        let details = self.get(path).await?;
        let text = details["text"].as_str().unwrap_or_default().to_owned();
        Ok(Explanation { text, details })
    }
}

//! Calls that only read.

use axum::http::HeaderMap;
use axum::response::Response as HttpResponse;
use http_api::{ApiError, Encoding, files, message};
use proto::v1;
use proto::v1::master::call::Type as CallType;
use proto::v1::master::response::{self, Type};
use proto::v1::master::{Call, Response};

use super::{maintenance, quota, weights};
use crate::answers::Question;
use crate::server::Master;
use http_api::VERSION;

/// Answers a call that changes nothing.
pub(super) async fn read(
    master: &Master,
    call: Call,
    accept: Encoding,
    headers: &HeaderMap,
) -> Result<HttpResponse, ApiError> {
    let reply =
        |kind: Type, fill: Response| Ok(message(accept, &Response { r#type: Some(kind.into()), ..fill }));
    match call.r#type() {
        CallType::GetHealth => {
            let get_health = Some(response::GetHealth { healthy: true });
            reply(Type::GetHealth, Response { get_health, ..Default::default() })
        }
        CallType::GetFlags => {
            let get_flags = Some(response::GetFlags { flags: flags(master) });
            reply(Type::GetFlags, Response { get_flags, ..Default::default() })
        }
        CallType::GetVersion => {
            let get_version = Some(response::GetVersion { version_info: VERSION.to_proto() });
            reply(Type::GetVersion, Response { get_version, ..Default::default() })
        }
        CallType::GetMetrics => {
            let metrics = master.metrics().await?.into_iter();
            let metrics = metrics.map(|(name, value)| v1::Metric { name, value: Some(value) }).collect();
            let get_metrics = Some(response::GetMetrics { metrics });
            reply(Type::GetMetrics, Response { get_metrics, ..Default::default() })
        }
        CallType::GetLoggingLevel => {
            let get_logging_level = Some(response::GetLoggingLevel { level: master.logging.level() });
            reply(Type::GetLoggingLevel, Response { get_logging_level, ..Default::default() })
        }
        CallType::GetMaster => {
            let get_master = Some(response::GetMaster {
                master_info: Some(master.identity.master_info()),
                start_time: Some(master.identity.start_time.as_secs_f64()),
                elected_time: Some(master.identity.elected_time().as_secs_f64()),
            });
            reply(Type::GetMaster, Response { get_master, ..Default::default() })
        }
        CallType::GetWeights => {
            let weight_infos = weights::to_proto(&master.weights().await?);
            let get_weights = Some(response::GetWeights { weight_infos });
            reply(Type::GetWeights, Response { get_weights, ..Default::default() })
        }
        CallType::GetQuota => {
            let get_quota = Some(response::GetQuota { status: quota::status(&master.quotas().await?) });
            reply(Type::GetQuota, Response { get_quota, ..Default::default() })
        }
        CallType::GetMaintenanceStatus => {
            let get_maintenance_status =
                Some(response::GetMaintenanceStatus { status: maintenance::status(master).await? });
            reply(Type::GetMaintenanceStatus, Response { get_maintenance_status, ..Default::default() })
        }
        CallType::GetMaintenanceSchedule => {
            let get_maintenance_schedule =
                Some(response::GetMaintenanceSchedule { schedule: maintenance::schedule(master).await? });
            reply(Type::GetMaintenanceSchedule, Response { get_maintenance_schedule, ..Default::default() })
        }
        CallType::ListFiles => {
            let path = call.list_files.map(|list| list.path).unwrap_or_default();
            let file_infos = files::list_files(master.attached(), path).await?;
            let list_files = Some(response::ListFiles { file_infos });
            reply(Type::ListFiles, Response { list_files, ..Default::default() })
        }
        CallType::ReadFile => {
            let read = call.read_file.unwrap_or_default();
            let (size, data) =
                files::read_file(master.attached(), &read.path, read.offset, read.length).await?;
            let read_file = Some(response::ReadFile { size, data: data.into() });
            reply(Type::ReadFile, Response { read_file, ..Default::default() })
        }
        kind => state(master, kind, accept, headers).await,
    }
}

/// The calls that show all entities of a kind.
async fn state(
    master: &Master,
    kind: CallType,
    accept: Encoding,
    headers: &HeaderMap,
) -> Result<HttpResponse, ApiError> {
    let question = match kind {
        CallType::GetState => Question::GetState(accept),
        CallType::GetTasks => Question::GetTasks(accept),
        CallType::GetExecutors => Question::GetExecutors(accept),
        CallType::GetFrameworks => Question::GetFrameworks(accept),
        CallType::GetAgents => Question::GetAgents(accept),
        CallType::GetRoles => Question::GetRoles(accept),
        CallType::GetOperations => Question::GetOperations(accept),
        kind => return Err(ApiError::not_implemented(format!("{} is not supported", kind.as_str_name()))),
    };
    Ok(master.answers.get(master, question).await?.respond(headers))
}

fn flags(master: &Master) -> Vec<v1::Flag> {
    let flags = master.identity.flags.iter();
    flags.map(|(name, value)| v1::Flag { name: name.clone(), value: Some(value.clone()) }).collect()
}

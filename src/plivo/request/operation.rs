//! What the API can do, by method and path.

use super::{
    ApiError, ApplicationChange, CallRequest, EndpointChange, Fields, LiveQuery, NewEndpoint, Page, Play, RecordCall,
    Removal, SendDigits, Speak, Transfer,
};
use crate::plivo::cdr::CdrQuery;
use crate::plivo::rules::RuleSet;

/// One request to the API. The first text of those about one thing is its name: a `CallUUID`, `request_uuid`,
/// `endpoint_id` or `app_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `POST /Call/`.
    Place(Box<CallRequest>),
    /// `GET /Call/`.
    Cdrs(Box<CdrQuery>, Page),
    /// `GET /Call/{uuid}/`.
    Cdr(String),
    /// `GET /Call/?status=live`.
    LiveCalls(LiveQuery),
    /// `GET /Call/{uuid}/?status=live`.
    LiveCall(String),
    /// `GET /Call/?status=queued`.
    QueuedCalls,
    /// `GET /Call/{uuid}/?status=queued`.
    QueuedCall(String),
    /// `DELETE /Call/{uuid}/`.
    HangUp(String),
    /// `DELETE /Call/`.
    HangUpAll,
    /// `DELETE /Request/{uuid}/`.
    Cancel(String),
    /// `POST /Call/{uuid}/`.
    Transfer(String, Transfer),
    /// `POST /Call/{uuid}/Play/`.
    Play(String, Play),
    /// `DELETE /Call/{uuid}/Play/`.
    StopPlaying(String),
    /// `POST /Call/{uuid}/Speak/`.
    Speak(String, Speak),
    /// `DELETE /Call/{uuid}/Speak/`.
    StopSpeaking(String),
    /// `POST /Call/{uuid}/DTMF/`.
    SendDigits(String, SendDigits),
    /// `POST /Call/{uuid}/Record/`.
    Record(String, RecordCall),
    /// `DELETE /Call/{uuid}/Record/`.
    StopRecording(String),
    /// `POST /Endpoint/`.
    CreateEndpoint(NewEndpoint),
    /// `GET /Endpoint/`.
    Endpoints(Page),
    /// `GET /Endpoint/{id}/`.
    Endpoint(String),
    /// `POST /Endpoint/{id}/`.
    UpdateEndpoint(String, EndpointChange),
    /// `DELETE /Endpoint/{id}/`.
    DeleteEndpoint(String),
    /// `POST /Application/`.
    CreateApplication(ApplicationChange),
    /// `GET /Application/`.
    Applications(Page),
    /// `GET /Application/{id}/`.
    Application(String),
    /// `POST /Application/{id}/`.
    UpdateApplication(String, ApplicationChange),
    /// `DELETE /Application/{id}/`.
    DeleteApplication(String, Removal),
    /// `POST /v1/account/{auth_id}/phlo/{id}/`, with its payload.
    RunPhlo(String, Fields),
    /// `GET /v1/phlo/{id}/`.
    Phlo(String),
}

impl Operation {
    /// What `method` on `path`, the part after `/v1/Account/{auth_id}/`, is about.
    ///
    /// # Errors
    /// 404 for a path that is none of Plivo's Voice API, 405 for a method that it does not have, and 400.
    pub fn read(method: &str, path: &str, fields: &Fields, rules: RuleSet) -> Result<Self, ApiError> {
        let path: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        match path.as_slice() {
            ["Call"] => Self::calls(method, fields, rules),
            ["Call", uuid] => Self::call(method, uuid, fields),
            ["Call", _, "Stream", ..] => Err(ApiError::NotBuilt("Stream")),
            ["Call", uuid, what] => Self::act(method, uuid, what, fields),
            ["Request", uuid] => match method {
                "DELETE" => Ok(Self::Cancel((*uuid).to_owned())),
                _ => Err(ApiError::Method),
            },
            ["Endpoint"] => match method {
                "POST" => NewEndpoint::read(fields).map(Self::CreateEndpoint),
                "GET" => Page::read(fields).map(Self::Endpoints),
                _ => Err(ApiError::Method),
            },
            ["Endpoint", id] => match method {
                "GET" => Ok(Self::Endpoint((*id).to_owned())),
                "POST" => Ok(Self::UpdateEndpoint((*id).to_owned(), EndpointChange::read(fields)?)),
                "DELETE" => Ok(Self::DeleteEndpoint((*id).to_owned())),
                _ => Err(ApiError::Method),
            },
            ["Application"] => match method {
                "POST" => ApplicationChange::read_new(fields).map(Self::CreateApplication),
                "GET" => Page::read(fields).map(Self::Applications),
                _ => Err(ApiError::Method),
            },
            ["Application", id] => match method {
                "GET" => Ok(Self::Application((*id).to_owned())),
                "POST" => Ok(Self::UpdateApplication((*id).to_owned(), ApplicationChange::read(fields)?)),
                "DELETE" => Ok(Self::DeleteApplication((*id).to_owned(), Removal::read(fields)?)),
                _ => Err(ApiError::Method),
            },
            ["phlo", id] => match method {
                "POST" => Ok(Self::RunPhlo((*id).to_owned(), fields.clone())),
                "GET" => Ok(Self::Phlo((*id).to_owned())),
                _ => Err(ApiError::Method),
            },
            _ => Err(ApiError::NotFound("resource")),
        }
    }

    fn calls(method: &str, fields: &Fields, rules: RuleSet) -> Result<Self, ApiError> {
        match (method, fields.value("status")) {
            ("POST", _) => CallRequest::read(fields, rules).map(|request| Self::Place(Box::new(request))),
            ("GET", Some("live")) => LiveQuery::read(fields).map(Self::LiveCalls),
            ("GET", Some("queued")) => Ok(Self::QueuedCalls),
            ("GET", None) => Ok(Self::Cdrs(Box::new(CdrQuery::read(fields)?), Page::read(fields)?)),
            ("GET", Some(_)) => Err(BAD_STATUS),
            ("DELETE", _) => Ok(Self::HangUpAll),
            _ => Err(ApiError::Method),
        }
    }

    fn call(method: &str, uuid: &str, fields: &Fields) -> Result<Self, ApiError> {
        let uuid = uuid.to_owned();
        match (method, fields.value("status")) {
            ("GET", Some("live")) => Ok(Self::LiveCall(uuid)),
            ("GET", Some("queued")) => Ok(Self::QueuedCall(uuid)),
            ("GET", None) => Ok(Self::Cdr(uuid)),
            ("GET", Some(_)) => Err(BAD_STATUS),
            ("POST", _) => Ok(Self::Transfer(uuid, Transfer::read(fields)?)),
            ("DELETE", _) => Ok(Self::HangUp(uuid)),
            _ => Err(ApiError::Method),
        }
    }

    fn act(method: &str, uuid: &str, what: &str, fields: &Fields) -> Result<Self, ApiError> {
        let uuid = uuid.to_owned();
        match (what, method) {
            ("Play", "POST") => Ok(Self::Play(uuid, Play::read(fields)?)),
            ("Play", "DELETE") => Ok(Self::StopPlaying(uuid)),
            ("Speak", "POST") => Ok(Self::Speak(uuid, Speak::read(fields)?)),
            ("Speak", "DELETE") => Ok(Self::StopSpeaking(uuid)),
            ("DTMF", "POST") => Ok(Self::SendDigits(uuid, SendDigits::read(fields)?)),
            ("Record", "POST") => Ok(Self::Record(uuid, RecordCall::read(fields)?)),
            ("Record", "DELETE") => Ok(Self::StopRecording(uuid)),
            ("Play" | "Speak" | "DTMF" | "Record", _) => Err(ApiError::Method),
            _ => Err(ApiError::NotFound("resource")),
        }
    }

    /// Whether `callback_url` is where the result of the request itself is told, instead of by the reply. Of a recording
    /// it is where the recording is told.
    #[must_use]
    pub const fn may_be_async(&self) -> bool {
        !matches!(self, Self::Record(..) | Self::StopRecording(_) | Self::RunPhlo(..) | Self::Phlo(_))
    }
}

/// Whether a request counts for the account's rate: all do but those that place calls.
#[must_use]
pub fn counts(method: &str, path: &str) -> bool {
    method != "POST" || path.trim_end_matches('/') != "Call"
}

const BAD_STATUS: ApiError = ApiError::Invalid { name: "status", wanted: "live or queued" };

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, path: &str) -> Result<Operation, ApiError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Operation::read(method, path, &Fields::read(query, "", b"").unwrap(), RuleSet::Guide)
    }

    #[test]
    fn paths_are_read_with_and_without_their_last_slash() {
        for path in ["Call/u", "Call/u/"] {
            assert_eq!(read("DELETE", path), Ok(Operation::HangUp("u".into())));
        }
        assert_eq!(read("GET", "Call/?status=queued"), Ok(Operation::QueuedCalls));
        assert_eq!(read("GET", "Call/u/?status=live"), Ok(Operation::LiveCall("u".into())));
        assert_eq!(read("GET", "Call/u"), Ok(Operation::Cdr("u".into())));
        assert_eq!(read("DELETE", "Request/r/"), Ok(Operation::Cancel("r".into())));
        assert!(matches!(
            read("GET", "Endpoint/?limit=5&offset=2"),
            Ok(Operation::Endpoints(Page { limit: 5, offset: 2 }))
        ));
        assert!(matches!(
            read("DELETE", "Application/1/?cascade=true"),
            Ok(Operation::DeleteApplication(_, Removal::Cascade))
        ));
    }

    #[test]
    fn what_is_not_there_is_not_found_and_what_cannot_be_done_is_said() {
        for path in ["", "Nothing", "Call/u/Nothing", "Call/u/Play/x", "Endpoint/1/2"] {
            assert_eq!(read("GET", path), Err(ApiError::NotFound("resource")), "{path}");
        }
        for (method, path) in [("PUT", "Call"), ("GET", "Call/u/Play"), ("POST", "Request/r"), ("PUT", "Endpoint/1")] {
            assert_eq!(read(method, path), Err(ApiError::Method), "{method} {path}");
        }
        assert_eq!(read("POST", "Call/u/Stream/"), Err(ApiError::NotBuilt("Stream")));
        for path in ["Call?limit=21", "Call?limit=0", "Call?offset=x", "Call?status=done", "Endpoint?limit=21"] {
            assert_eq!(read("GET", path).unwrap_err().status(), 400, "{path}");
        }
    }
}

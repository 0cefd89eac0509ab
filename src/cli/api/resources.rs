//! `sipcall api cdr`, `api endpoint` and `api application`: flags as parameters of Plivo's names.

use super::{Wanted, unusable};
use crate::cli::args::{ApplicationCommand, ApplicationWords, CdrArgs, Compared, EndpointCommand, Filters, Page};
use crate::cli::config::password_of;
use crate::cli::phone::Unready;
use crate::plivo::client::{Method, Params, resource};
use crate::plivo::signature;
use serde_json::Value;
use std::path::Path;

const ENDPOINT: &str = "Endpoint";
const APPLICATION: &str = "Application";

/// Records of calls, or one.
///
/// # Errors
/// [`Unready`] for an id that is none.
pub(super) fn cdr(args: &CdrArgs) -> Result<Wanted, Unready> {
    if let Some(uuid) = &args.uuid {
        return one(Method::Get, "Call", uuid, Params::new());
    }
    let Filters { bill_duration, end_time, hangup_cause_code, .. } = &args.filters;
    let mut params = page(args.page);
    put(&mut params, "subaccount", args.filters.subaccount.clone());
    put(&mut params, "call_direction", args.filters.call_direction.clone());
    put(&mut params, "from_number", args.filters.from_number.clone());
    put(&mut params, "to_number", args.filters.to_number.clone());
    put(&mut params, "parent_call_uuid", args.filters.parent_call_uuid.clone());
    put(&mut params, "hangup_cause_code", *hangup_cause_code);
    put(&mut params, "hangup_source", args.filters.hangup_source.clone());
    for (name, values) in [("bill_duration", bill_duration), ("end_time", end_time)] {
        for Compared { how, value } in values {
            put(&mut params, &format!("{name}{}", how.suffix()), Some(value.clone()));
        }
    }
    Ok((Method::Get, "Call/".to_owned(), params))
}

/// What is done to endpoints.
///
/// # Errors
/// [`Unready`] for an id that is none, or a password that cannot be read.
pub(super) fn endpoint(command: &EndpointCommand) -> Result<Wanted, Unready> {
    let words = |alias: Option<&String>, app_id: &Option<String>, file: Option<&Path>| {
        let mut params = Params::new();
        put(&mut params, "alias", alias.cloned());
        put(&mut params, "app_id", app_id.clone());
        put(&mut params, "password", file.map(password_of).transpose()?);
        Ok::<Params, Unready>(params)
    };
    match command {
        EndpointCommand::Create { username, password_file, alias, app_id } => {
            let mut params = words(Some(alias), app_id, Some(password_file))?;
            put(&mut params, "username", Some(username.clone()));
            Ok((Method::Post, format!("{ENDPOINT}/"), params))
        }
        EndpointCommand::List(of) => Ok((Method::Get, format!("{ENDPOINT}/"), page(*of))),
        EndpointCommand::Show { id } => one(Method::Get, ENDPOINT, id, Params::new()),
        EndpointCommand::Update { id, password_file, alias, app_id } => {
            one(Method::Post, ENDPOINT, id, words(alias.as_ref(), app_id, password_file.as_deref())?)
        }
        EndpointCommand::Delete { id } => one(Method::Delete, ENDPOINT, id, Params::new()),
    }
}

/// What is done to applications.
///
/// # Errors
/// [`Unready`] for an id that is none.
pub(super) fn application(command: &ApplicationCommand) -> Result<Wanted, Unready> {
    match command {
        ApplicationCommand::Create { app_name, words } => {
            let mut params = described(words);
            put(&mut params, "app_name", Some(app_name.clone()));
            Ok((Method::Post, format!("{APPLICATION}/"), params))
        }
        ApplicationCommand::List(of) => Ok((Method::Get, format!("{APPLICATION}/"), page(*of))),
        ApplicationCommand::Show { id } => one(Method::Get, APPLICATION, id, Params::new()),
        ApplicationCommand::Update { id, words } => one(Method::Post, APPLICATION, id, described(words)),
        ApplicationCommand::Delete { id, cascade, new_endpoint_application } => {
            let mut params = Params::new();
            put(&mut params, "cascade", *cascade);
            put(&mut params, "new_endpoint_application", new_endpoint_application.clone());
            one(Method::Delete, APPLICATION, id, params)
        }
    }
}

fn described(words: &ApplicationWords) -> Params {
    let mut params = Params::new();
    for (name, text) in [
        ("answer_url", &words.answer_url),
        ("hangup_url", &words.hangup_url),
        ("fallback_answer_url", &words.fallback_answer_url),
        ("message_url", &words.message_url),
        ("sip_auth_type", &words.sip_auth_type),
        ("ip_acl_uuid", &words.ip_acl_uuid),
        ("credential_uuid", &words.credential_uuid),
    ] {
        put(&mut params, name, text.clone());
    }
    for (name, method) in [
        ("answer_method", words.answer_method),
        ("hangup_method", words.hangup_method),
        ("fallback_method", words.fallback_method),
        ("message_method", words.message_method),
    ] {
        put(&mut params, name, method.map(signature::Method::as_str));
    }
    put(&mut params, "default_endpoint_app", words.default_endpoint_app);
    put(&mut params, "public_uri", words.public_uri);
    params
}

fn page(page: Page) -> Params {
    let mut params = Params::new();
    put(&mut params, "limit", page.limit);
    put(&mut params, "offset", page.offset);
    params
}

fn one(method: Method, kind: &str, id: &str, params: Params) -> Result<Wanted, Unready> {
    Ok((method, resource(kind, id).map_err(unusable)?, params))
}

fn put(params: &mut Params, name: &str, value: Option<impl Into<Value>>) {
    params.extend(value.map(|value| (name.to_owned(), value.into())));
}

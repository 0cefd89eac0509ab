//! The words of `sipcall api cdr`, `api endpoint` and `api application`.

use crate::cli::args::shared::{hook_method, http_url};
use crate::plivo::signature::Method;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `sipcall api cdr`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  sipcall api cdr 5260e820-958c-11e4-b6bf-498d468c930b
  sipcall api cdr --hangup-cause-code 3010 --limit 5
  sipcall api cdr --bill-duration '>60' --call-direction outbound

A call has a record once it is over; one that is live: sipcall api GET Call/UUID/ status=live")]
pub struct CdrArgs {
    /// The CallUUID of one
    #[arg(conflicts_with_all = ["Filters", "Page"])]
    pub uuid: Option<String>,
    /// Which ones.
    #[command(flatten)]
    pub filters: Filters,
    /// How many.
    #[command(flatten)]
    pub page: Page,
}

/// Which records are listed.
#[derive(Clone, Debug, Default, Args)]
pub struct Filters {
    /// Of this subaccount
    #[arg(long, value_name = "ID")]
    pub subaccount: Option<String>,
    /// inbound or outbound
    #[arg(long, value_name = "DIRECTION", value_parser = ["inbound", "outbound"])]
    pub call_direction: Option<String>,
    /// Who called
    #[arg(long, value_name = "NUMBER")]
    pub from_number: Option<String>,
    /// Who was called
    #[arg(long, value_name = "NUMBER")]
    pub to_number: Option<String>,
    /// Seconds billed: 60, or with > >= < or <= in front. Repeatable
    #[arg(long, value_name = "SECONDS", value_parser = compared)]
    pub bill_duration: Vec<Compared>,
    /// When it ended: '2026-11-23 10:00:00', or with > >= < or <= in front. Repeatable
    #[arg(long, value_name = "TIME", value_parser = compared)]
    pub end_time: Vec<Compared>,
    /// Legs of this call
    #[arg(long, value_name = "UUID")]
    pub parent_call_uuid: Option<String>,
    /// Ended for this cause, such as 3010
    #[arg(long, value_name = "CODE")]
    pub hangup_cause_code: Option<u16>,
    /// Ended by: Caller, 'Call recipient', Plivo, Carrier, 'API Request', 'Answer XML', Error, Unknown
    #[arg(long, value_name = "WHO")]
    pub hangup_source: Option<String>,
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Page {
    /// At most so many, 20 if it is not said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    pub limit: Option<u8>,
    /// Leaves out so many
    #[arg(long, value_name = "N")]
    pub offset: Option<u32>,
}

/// A value, and how it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// How.
    pub how: Comparison,
    /// With what.
    pub value: String,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal,
    /// `>`
    Above,
    /// `>=`
    From,
    /// `<`
    Below,
    /// `<=`
    To,
}

impl Comparison {
    /// What Plivo puts behind the name of the parameter.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Equal => "",
            Self::Above => "__gt",
            Self::From => "__gte",
            Self::Below => "__lt",
            Self::To => "__lte",
        }
    }
}

fn compared(text: &str) -> Result<Compared, String> {
    let signs = [(">=", Comparison::From), ("<=", Comparison::To), (">", Comparison::Above), ("<", Comparison::Below)];
    let found = signs.iter().find_map(|(sign, how)| Some((*how, text.strip_prefix(sign)?)));
    let (how, value) = found.unwrap_or((Comparison::Equal, text));
    let value = value.trim().to_owned();
    if value.is_empty() { Err("write a value, as in '>=60'".to_owned()) } else { Ok(Compared { how, value }) }
}

/// `sipcall api endpoint`.
#[derive(Clone, Debug, Subcommand)]
pub enum EndpointCommand {
    /// Makes one: Plivo adds 12 digits to its name
    #[command(after_help = "\
Examples:
  sipcall api endpoint create --username zumba --alias zumba --password-file password.txt")]
    Create {
        /// Letters and digits, a letter first, 25 at most
        #[arg(long, value_name = "NAME")]
        username: String,
        /// The password is this file's first line; 5 characters or more
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
        /// What it is called in lists
        #[arg(long, value_name = "NAME")]
        alias: String,
        /// The application that its calls ask
        #[arg(long, value_name = "ID")]
        app_id: Option<String>,
    },
    /// Lists them, with where they are registered
    List(Page),
    /// Shows one
    Show {
        /// The endpoint_id
        id: String,
    },
    /// Changes one
    #[command(arg_required_else_help = true, group = clap::ArgGroup::new("change").required(true).multiple(true)
        .args(["password_file", "alias", "app_id"]))]
    Update {
        /// The endpoint_id
        id: String,
        /// The password becomes this file's first line
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// What it is called in lists
        #[arg(long, value_name = "NAME")]
        alias: Option<String>,
        /// The application that its calls ask
        #[arg(long, value_name = "ID")]
        app_id: Option<String>,
    },
    /// Deletes one
    Delete {
        /// The endpoint_id
        id: String,
    },
}

/// `sipcall api application`.
#[derive(Clone, Debug, Subcommand)]
pub enum ApplicationCommand {
    /// Makes one
    #[command(after_help = "\
Examples:
  sipcall api application create --app-name desk --answer-url http://h/answer --default-endpoint-app true")]
    Create {
        /// What it is called
        #[arg(long, value_name = "NAME")]
        app_name: String,
        /// The rest.
        #[command(flatten)]
        words: Box<ApplicationWords>,
    },
    /// Lists them
    List(Page),
    /// Shows one
    Show {
        /// The app_id
        id: String,
    },
    /// Changes one
    Update {
        /// The app_id
        id: String,
        /// What changes.
        #[command(flatten)]
        words: Box<ApplicationWords>,
    },
    /// Deletes one
    Delete {
        /// The app_id
        id: String,
        /// Deletes its numbers' and endpoints' bindings with it: true or false
        #[arg(long, value_name = "BOOL")]
        cascade: Option<bool>,
        /// The application that its endpoints ask from now on
        #[arg(long, value_name = "ID")]
        new_endpoint_application: Option<String>,
    },
}

/// What an application is.
#[derive(Clone, Debug, Default, Args)]
pub struct ApplicationWords {
    /// Asked for XML when a call comes
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub answer_url: Option<String>,
    /// How it is asked [default: POST]
    #[arg(long, value_name = "METHOD", value_parser = hook_method)]
    pub answer_method: Option<Method>,
    /// Told at the end
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub hangup_url: Option<String>,
    /// How it is told [default: POST]
    #[arg(long, value_name = "METHOD", value_parser = hook_method)]
    pub hangup_method: Option<Method>,
    /// Asked when the answer URL fails
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub fallback_answer_url: Option<String>,
    /// How it is asked [default: POST]
    #[arg(long, value_name = "METHOD", value_parser = hook_method)]
    pub fallback_method: Option<Method>,
    /// Told of messages
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub message_url: Option<String>,
    /// How it is told [default: POST]
    #[arg(long, value_name = "METHOD", value_parser = hook_method)]
    pub message_method: Option<Method>,
    /// Asked by endpoints that have no application of their own: true or false
    #[arg(long, value_name = "BOOL")]
    pub default_endpoint_app: Option<bool>,
    /// Whether anybody may call its SIP URI: true or false
    #[arg(long, value_name = "BOOL")]
    pub public_uri: Option<bool>,
    /// What lets a caller of its SIP URI in
    #[arg(long, value_name = "TYPE", value_parser = ["ip_acl", "credential", "ip_acl_and_credential"])]
    pub sip_auth_type: Option<String>,
    /// The list of addresses for that
    #[arg(long, value_name = "UUID")]
    pub ip_acl_uuid: Option<String>,
    /// The user and password for that
    #[arg(long, value_name = "UUID")]
    pub credential_uuid: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_a_sign_in_front() {
        for (text, suffix, value) in [
            ("60", "", "60"),
            (">60", "__gt", "60"),
            (">= 60", "__gte", "60"),
            ("<2026", "__lt", "2026"),
            ("<=1", "__lte", "1"),
        ] {
            let read = compared(text).unwrap();
            assert_eq!((read.how.suffix(), read.value.as_str()), (suffix, value), "{text}");
        }
        assert!(compared(">=").is_err() && compared("").is_err());
    }
}

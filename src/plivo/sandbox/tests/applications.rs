//! Applications that are called directly, as `sip:{app_id}@app.plivo.com`.

use std::collections::BTreeMap;

use super::whole::{AskedOf, PATIENCE, application, next, sandbox};
use crate::agent::{Account, AgentConfig, CallRequest};
use crate::call::CallRecord;
use crate::call::digest::{Login, Secret};
use crate::plivo::request::Hook;
use crate::plivo::sandbox::{Application, Running, SandboxConfig};
use crate::plivo::signature::Method;
use crate::transport::{Client, ClientConfig};
use crate::wire::{Status, UriBuf};

/// A sandbox with an application that asks for credentials and one that does not.
async fn served() -> (Running, String, AskedOf) {
    let (origin, asked) = application("<Response><Hangup/></Response>").await;
    let hook = |path: &str| Hook { url: format!("{origin}/{path}"), method: Method::Post };
    let guarded = Application {
        answer: hook("guarded"),
        hangup: Some(hook("end")),
        login: Some(("carrier".into(), "Secret123456".into())),
    };
    let open = Application { answer: hook("open"), hangup: None, login: None };
    let applications = BTreeMap::from([("1001".to_owned(), guarded), ("1002".to_owned(), open)]);
    (sandbox(SandboxConfig { applications, ..SandboxConfig::default() }).await, origin, asked)
}

/// Calls an application as somebody from elsewhere.
async fn calls(sandbox: &Running, app: &str, password: &str) -> Box<CallRecord> {
    let agent = AgentConfig { resolve: sandbox.known(), ..AgentConfig::default() };
    let client = Client::bind(ClientConfig { agent, ..ClientConfig::default() }).unwrap();
    let target = UriBuf::parse(format!("sip:{app}@app.plivo.com")).unwrap();
    let secret = Secret::Password(password.into());
    let login = Login { username: "carrier".into(), secret, realms: vec!["app.plivo.com".into()] };
    let aor = UriBuf::parse("sip:desk@app.plivo.com").unwrap();
    let account = Account { login: Some(login), ..Account::new("carrier", aor) };
    let account = client.add_account(account).await.unwrap();
    let mut request = CallRequest::new(target);
    request.account = Some(account);
    request.headers = vec![("X-PH-Test".into(), "Sample".into())];
    let mut call = client.invite(request).await.unwrap();
    tokio::time::timeout(PATIENCE, call.ended()).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_application_with_credentials_is_told_who_calls() {
    let (sandbox, origin, mut asked) = served().await;
    let record = calls(&sandbox, "1001", "Secret123456").await;
    assert_eq!((record.auth.rounds, record.auth.realm.as_deref()), (1, Some("app.plivo.com")), "{record:?}");
    let token = &sandbox.credentials.auth_token;
    for event in ["StartApp", "Hangup"] {
        let asked = next(&origin, token, &mut asked).await;
        let told = ["Event", "SIPAuthType", "SIPAuthUser", "SIPSourceIP", "X-PH-Test", "From", "Direction"];
        assert_eq!(
            told.map(|name| asked.value(name).unwrap_or_default()),
            [event, "credential", "carrier", "127.0.0.1", "Sample", "sip:desk@app.plivo.com", "inbound"]
        );
        assert!(asked.signed && asked.url.ends_with(if event == "Hangup" { "/end" } else { "/guarded" }), "{asked:?}");
    }
}

#[tokio::test]
async fn an_application_without_credentials_takes_anybody_and_one_that_there_is_not_nobody() {
    let (sandbox, origin, mut asked) = served().await;
    let record = calls(&sandbox, "1002", "any").await;
    assert_eq!(record.auth.rounds, 0, "{record:?}");
    let asked = next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
    assert_eq!((asked.value("SIPAuthUser"), asked.value("X-PH-Test")), (None, Some("Sample")));
    let record = calls(&sandbox, "echo", "any").await;
    assert_eq!(record.outcome.status(), Some(Status::NOT_FOUND));
}

#[tokio::test]
async fn ten_wrong_passwords_lock_an_address_out() {
    let (sandbox, _, _asked) = served().await;
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(calls(&sandbox, "1001", "wrong").await.outcome.status().map(Status::code));
    }
    assert_eq!(statuses, vec![Some(407); 10]);
    assert_eq!(calls(&sandbox, "1001", "Secret123456").await.outcome.status(), Some(Status::FORBIDDEN));
    assert_ne!(calls(&sandbox, "1002", "any").await.outcome.status(), Some(Status::FORBIDDEN));
}

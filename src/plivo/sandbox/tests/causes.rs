//! Every hangup cause that a platform without a telephone network can produce: code, name and source, as the hangup
//! callback and the report have them. Those of `<Dial>` are in `dial`, that of `<Hangup schedule>` in `flow`.

use super::flow::{asked_at, pages};
use super::whole::{PATIENCE, answered_by, api, application_of, guides_request, phone, report, sandbox};
use crate::agent::{Accept, Answer, Transport};
use crate::call::Session;
use crate::plivo::sandbox::{AnswerBy, SandboxConfig};
use crate::plivo::signature::Method;
use crate::wire::Status;

#[tokio::test]
async fn what_a_callee_answers_is_a_cause_of_its_own() {
    let (origin, mut asked) = application_of(|_, _| "<Response/>".to_owned()).await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let mut incoming = phone.client.incoming();
    let table = [
        (402, None, 1010, "Canceled (Out Of Credits)"),
        (484, None, 2000, "Invalid Destination Address"),
        (410, None, 2010, "Destination Out Of Service"),
        (482, None, 2060, "Loop Detected"),
        (480, None, 3000, "No Answer"),
        (486, None, 3010, "Busy Line"),
        (603, None, 3020, "Rejected"),
        (403, None, 3040, "Forbidden"),
        (404, None, 3050, "Unallocated number"),
        (408, None, 3070, "Request timeout"),
        (500, None, 3080, "Internal server error from carrier"),
        (503, None, 3090, "Network congestion from carrier"),
        (600, None, 3100, "Busy everywhere"),
        (603, Some("Declined"), 3110, "Declined"),
        (604, None, 3120, "User does not exist anywhere"),
        (607, None, 3130, "Spam block"),
        (608, None, 3130, "Spam block"),
    ];
    for (status, reason, code, name) in table {
        api(&sandbox, &guides_request(&origin, "alice")).await;
        let mut call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
        let uuid = call.request.named("X-CallUUID").unwrap().text();
        let reason = reason.map(ToOwned::to_owned);
        call.respond(Answer { reason, ..Answer::new(Status::new(status).unwrap()) }).await.unwrap();
        let end = asked_at("/hangup", &sandbox, &origin, &mut asked).await;
        let told = ["HangupCauseCode", "HangupCauseName", "HangupSource"].map(|name| end.value(name).unwrap());
        let by = if matches!(code, 3070 | 3080 | 3090) { "Carrier" } else { "Call recipient" };
        assert_eq!(told, [code.to_string().as_str(), name, by], "{status}");
        let (cause, source) = sandbox.report(&uuid, PATIENCE).await.unwrap().end.unwrap();
        assert_eq!((cause.code, cause.name, source.as_str()), (code, name, by), "{status}");
    }
}

#[tokio::test]
async fn a_callee_that_cannot_be_called_or_rings_for_too_long_is_a_cause_of_the_platform() {
    let (origin, mut asked) = application_of(|_, _| "<Response/>".to_owned()).await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let _rings = phone.client.incoming();
    let table = [
        ("sip:alice@elsewhere.example", 2000, "Invalid Destination Address"),
        ("sip:nobody@phone.plivo.com", 2020, "Endpoint Not Registered"),
        ("12", 2000, "Invalid Destination Address"),
        ("sip:alice@phone.plivo.com", 6010, "Ring Timeout Reached"),
    ];
    for (to, code, name) in table {
        let mut request = guides_request(&origin, "alice");
        request["to"] = to.into();
        request["ring_timeout"] = 1.into();
        api(&sandbox, &request).await;
        let end = asked_at("/hangup", &sandbox, &origin, &mut asked).await;
        let told = ["HangupCauseCode", "HangupCauseName", "HangupSource"].map(|name| end.value(name).unwrap());
        assert_eq!(told, [code.to_string().as_str(), name, "Plivo"], "{to}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_protocol_is_a_network_error() {
    let (origin, mut asked) = application_of(|_, _| "<Response/>".to_owned()).await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let mut incoming = phone.client.incoming();
    api(&sandbox, &guides_request(&origin, "alice")).await;
    let call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    let session = Session::Raw("no session description".into());
    let _call = call.accept(Accept { session, ..Accept::default() }).await.unwrap();
    let end = asked_at("/hangup", &sandbox, &origin, &mut asked).await;
    let told = ["HangupCauseCode", "HangupCauseName", "HangupSource"].map(|name| end.value(name).unwrap());
    assert_eq!(told, ["5000", "Network Error", "Error"]);
}

#[tokio::test]
async fn who_hangs_up_first_is_the_source_of_a_normal_hangup() {
    let (origin, mut asked) = application_of(|_, _| "<Response><Wait length='60'/></Response>".to_owned()).await;
    let sandbox = sandbox(SandboxConfig::default()).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let mut incoming = phone.client.incoming();
    api(&sandbox, &guides_request(&origin, "alice")).await;
    let call = tokio::time::timeout(PATIENCE, incoming.recv()).await.unwrap().unwrap();
    let mut call = call.accept(Accept::default()).await.unwrap();
    tokio::time::timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
    call.hang_up().await.unwrap();
    let end = asked_at("/hangup", &sandbox, &origin, &mut asked).await;
    let told = ["HangupCauseCode", "HangupCauseName", "HangupSource"].map(|name| end.value(name).unwrap());
    assert_eq!(told, ["4000", "Normal Hangup", "Call recipient"]);
}

#[tokio::test]
async fn what_the_application_does_wrong_is_a_cause_of_its_own() {
    let table: [(&str, u16, &str, &str); 21] = [
        ("/hangs-up", 4000, "Normal Hangup", "Answer XML"),
        ("/ends", 4010, "End Of XML Instructions", "Answer XML"),
        ("/multiparty", 4020, "Multiparty Call Ended", "Answer XML"),
        ("/busy", 3010, "Busy Line", "Answer XML"),
        ("/rejected", 3020, "Rejected", "Answer XML"),
        ("/nothing", 7011, "Error Reaching Answer URL", "Error"),
        ("/action-to-nothing", 7012, "Error Reaching Action URL", "Error"),
        ("/redirect-to-nothing", 7014, "Error Reaching Redirect URL", "Error"),
        ("/action-to-no-url", 7022, "Invalid Action URL", "Error"),
        ("/redirect-to-no-url", 7024, "Invalid Redirect URL", "Error"),
        ("/action-by-put", 7032, "Invalid Method For Action URL", "Error"),
        ("/redirect-by-put", 7034, "Invalid Method For Redirect URL", "Error"),
        ("/no-xml", 8011, "Invalid Answer XML", "Error"),
        ("/reject", 8011, "Invalid Answer XML", "Error"),
        ("/action-to-no-xml", 8012, "Invalid Action XML", "Error"),
        ("/redirect-to-no-xml", 8014, "Invalid Redirect XML", "Error"),
        ("/redirect-to-bad-redirect", 7024, "Invalid Redirect URL", "Error"),
        ("/action-to-bad-redirect", 7034, "Invalid Method For Redirect URL", "Error"),
        ("/redirect-to-busy", 3010, "Busy Line", "Answer XML"),
        ("/nobody", 4010, "End Of XML Instructions", "Answer XML"),
        ("/conference", 4010, "End Of XML Instructions", "Answer XML"),
    ];
    let page = |origin: &str, path: &str| {
        // Nobody is there, so that the dial is over at once and its action asked.
        let dial = |action: &str| format!("<Dial {action}><User>sip:nobody@phone.plivo.com</User></Dial>");
        let inside = match path {
            "/hangs-up" => "<Hangup/>".to_owned(),
            "/ends" => String::new(),
            "/multiparty" => "<MultiPartyCall role='Agent'>room</MultiPartyCall>".to_owned(),
            "/conference" => "<Conference>room</Conference><Hangup reason='busy'/>".to_owned(),
            "/busy" => "<Hangup reason='busy'/>".to_owned(),
            "/rejected" => "<Hangup reason='rejected'/>".to_owned(),
            "/reject" => "<Reject/>".to_owned(),
            "/nobody" => dial(""),
            "/action-to-no-url" => dial("action='/ends'"),
            "/action-by-put" => dial("method='PUT'"),
            "/redirect-to-no-url" => "<Redirect>ends</Redirect>".to_owned(),
            "/redirect-by-put" => format!("<Redirect method='PUT'>{origin}/ends</Redirect>"),
            "/bad-redirect" => "<Redirect/>".to_owned(),
            "/bad-method" => "<Redirect method='PUT'>http://h</Redirect>".to_owned(),
            "/redirect-to-bad-redirect" => format!("<Redirect>{origin}/bad-redirect</Redirect>"),
            "/action-to-bad-redirect" => dial(&format!("action='{origin}/bad-method'")),
            "/no-xml" => return "no xml".to_owned(),
            "/nothing" => return String::new(),
            other => match (other.strip_prefix("/redirect-to-"), other.strip_prefix("/action-to-")) {
                (Some(to), _) => format!("<Redirect>{origin}/{to}</Redirect>"),
                (_, Some(to)) => dial(&format!("action='{origin}/{to}'")),
                (None, None) => return String::new(),
            },
        };
        format!("<Response>{inside}</Response>")
    };
    let (origin, mut asked) = application_of(page).await;
    for (path, code, name, source) in table {
        let mut config = answered_by(&origin, Method::Post);
        if let AnswerBy::Url(hook) = &mut config.answer {
            hook.url = format!("{origin}{path}");
        }
        let sandbox = sandbox(config).await;
        let phone = phone(&sandbox, Transport::Udp).await;
        let record = phone.call_out("app", &[]).await;
        let (cause, by) = report(&sandbox, &record).await.end.unwrap();
        assert_eq!((cause.code, cause.name, by.as_str()), (code, name, source), "{path}");
        // The same in the callback.
        let told = loop {
            let end = super::whole::next(&origin, &sandbox.credentials.auth_token, &mut asked).await;
            if end.value("Event") == Some("Hangup") {
                break ["HangupCauseCode", "HangupCauseName", "HangupSource"]
                    .map(|name| end.value(name).unwrap().to_owned());
            }
        };
        assert_eq!(told, [code.to_string(), name.to_owned(), source.to_owned()], "{path}");
    }
}

#[tokio::test]
async fn a_document_full_of_diallings_that_are_over_at_once_ends() {
    let dials = "<Dial><User>sip:nobody@phone.plivo.com</User></Dial>".repeat(499);
    let (origin, _asked) = application_of(move |_, _| format!("<Response>{dials}</Response>")).await;
    let sandbox = sandbox(answered_by(&origin, Method::Post)).await;
    let phone = phone(&sandbox, Transport::Udp).await;
    let record = phone.call_out("app", &[]).await;
    assert_eq!(report(&sandbox, &record).await.end.unwrap().0.code, 4010);
}

#[tokio::test]
async fn a_caller_who_gives_up_before_the_answer_has_cancelled() {
    const PAGES: &[(&str, &str)] = &[("/answer.xml", "<Response><Wait length='60'/></Response>")];
    let (sandbox, phone, origin, mut asked) = pages(PAGES).await;
    let mut call = phone.call("app", &[]).await;
    asked_at("/answer.xml", &sandbox, &origin, &mut asked).await;
    tokio::time::timeout(PATIENCE, call.hang_up()).await.unwrap().unwrap();
    let end = asked_at("/answer.xml", &sandbox, &origin, &mut asked).await;
    let told = ["HangupCauseCode", "HangupCauseName", "HangupSource"].map(|name| end.value(name).unwrap());
    assert_eq!(told, ["1000", "Canceled", "Caller"]);
}

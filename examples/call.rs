//! Places one call and tells how it ended: `cargo run --example call -- sip:bob@192.0.2.7`.
//!
//! With `USER_URI` (`sip:alice@example.com`) and `PASSWORD` set the call is made by that account, and a challenge is
//! answered.

use sipcall::agent::{Account, CallRequest};
use sipcall::call::digest::{Login, Secret};
use sipcall::transport::{Client, ClientConfig, Unanswered};
use sipcall::wire::UriBuf;
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows what happens")]
async fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::args().nth(1).ok_or("say whom to call: a SIP URI")?;
    let client = Client::bind(ClientConfig::default())?;
    let mut request = CallRequest::new(UriBuf::parse(target)?);
    if let Ok(uri) = std::env::var("USER_URI") {
        let aor = UriBuf::parse(uri)?;
        let username = aor.as_uri().user().unwrap_or_default().to_owned();
        let mut account = Account::new("example", aor);
        let secret = Secret::Password(std::env::var("PASSWORD").unwrap_or_default());
        account.login = Some(Login { username, secret, realms: Vec::new() });
        request.account = Some(client.add_account(account).await?);
    }
    request.headers.push(("X-PH-Test".to_owned(), "Sample".to_owned()));
    let mut call = client.invite(request).await?;
    match call.answered().await {
        Ok(_) => {
            println!("answered: hanging up");
            println!("{:?}", call.hang_up().await?.outcome);
        }
        Err(Unanswered::Ended(record)) => println!("{:?}", record.outcome),
        Err(Unanswered::Closed(closed)) => return Err(closed.into()),
    }
    client.shutdown().await?;
    Ok(())
}

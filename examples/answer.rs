//! Answers calls, shows their custom headers and hangs up after a while:
//! `cargo run --example answer -- 127.0.0.1:5060 5`.

use sipcall::agent::{Accept, AgentConfig, Serve, Transport};
use sipcall::report::text::visible;
use sipcall::transport::{Client, ClientConfig, DriverConfig, Incoming};
use sipcall::wire::Method;
use std::error::Error;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows what happens")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:5060".to_owned()).parse()?;
    let talk = Duration::from_secs(arguments.next().unwrap_or_else(|| "5".to_owned()).parse()?);
    // Without this the agent answers every INVITE by itself: 480, nobody is there.
    let serve = Serve { methods: vec![Method::Invite], ..Serve::default() };
    let listen = [Transport::Udp, Transport::Tcp].map(|transport| (transport, address)).to_vec();
    let client = Client::bind(ClientConfig {
        agent: AgentConfig { serve, ..AgentConfig::default() },
        driver: DriverConfig { listen, ..DriverConfig::default() },
        ..ClientConfig::default()
    })?;
    let mut incoming = client.incoming();
    for (transport, local) in client.locals() {
        println!("waiting for calls at sip:{local};transport={transport}");
    }
    while let Some(invite) = incoming.recv().await {
        tokio::spawn(async move {
            if let Err(error) = answer(invite, talk).await {
                println!("{error}");
            }
        });
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what happens")]
async fn answer(invite: Incoming, talk: Duration) -> Result<(), Box<dyn Error>> {
    for header in invite.request.headers().filter(|header| header.name.starts_with(b"X-PH-")) {
        println!("{}: {}", visible(header.name), visible(header.value));
    }
    let mut call = invite.accept(Accept::default()).await?;
    call.answered().await?;
    println!("answered");
    let record = match tokio::time::timeout(talk, call.ended()).await {
        Ok(ended) => ended?,
        Err(_) => call.hang_up().await?,
    };
    println!("{:?}", record.outcome);
    Ok(())
}

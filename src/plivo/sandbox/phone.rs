//! The sandbox's own phone: it registers as one endpoint and answers every call.

use std::io;

use super::Running;
use crate::agent::{Accept, AgentConfig, Answer, Serve};
use crate::transport::{Client, ClientConfig};
use crate::wire::{Method, Status};

/// Registers `user` at the sandbox and answers its calls, until the sandbox ends or another phone takes the binding.
pub(super) async fn answer_calls_of(sandbox: &Running, user: &str) -> io::Result<Client> {
    let serve = Serve { methods: vec![Method::Invite], users: Vec::new() };
    let agent = AgentConfig { serve, resolve: sandbox.known(), ..AgentConfig::default() };
    let client = Client::bind(ClientConfig { agent, ..ClientConfig::default() })?;
    let account = sandbox.account(user).ok_or_else(|| io::Error::other("the callee is no endpoint"))?;
    let account = client.add_account(account).await.map_err(io::Error::other)?;
    let mut calls = client.incoming();
    client.register(account).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        while let Some(mut call) = calls.recv().await {
            let ringing = Status::new(180).map(Answer::new);
            if let Some(ringing) = ringing {
                let _ = call.respond(ringing).await;
            }
            if let Ok(call) = call.accept(Accept::default()).await {
                call.detach();
            }
        }
    });
    Ok(client)
}

//! `sipcall`: a SIP user agent as a library and one command.
//!
//! # The floors
//!
//! A module uses its own floor and those below, never one above; `tests/architecture.rs` keeps that. Below floor 4 there
//! is no I/O, no clock, no `async`, and no chance but a seed's.
//!
//! ```text
//!   6  cli                                    words of a user, exit codes
//!   5  record, report, plivo                  what is kept, shown, and particular to one provider
//!   4  transport                              sockets, clocks, threads: Client and Driver
//!   3  agent, media, sim                      the whole user agent and its sound without I/O; a world to run it in
//!   2  call                                   dialogs, what one call is, digest, offer and answer
//!   1  transaction                            the four machines of RFC 3261 §17 with RFC 6026
//!   0  wire                                   bytes to values and back
//!      time timer id table seed limits outbox the ground, usable from everywhere
//! ```
//!
//! # With tokio
//!
//! `transport::Client` is the agent on a thread of its own, with `async` handles (`examples/call.rs`,
//! `examples/answer.rs`):
//!
//! ```no_run
//! # #[cfg(feature = "net")]
//! # async fn place() -> Result<(), Box<dyn std::error::Error>> {
//! use sipcall::agent::CallRequest;
//! use sipcall::transport::{Client, ClientConfig};
//! use sipcall::wire::UriBuf;
//!
//! let client = Client::bind(ClientConfig::default())?;
//! let mut call = client.invite(CallRequest::new(UriBuf::parse("sip:bob@192.0.2.7")?)).await?;
//! call.answered().await?;
//! let record = call.hang_up().await?;
//! println!("{:?}", record.outcome);
//! # Ok(())
//! # }
//! ```
//!
//! Its own page has two of them call each other. A call has sound: its own end says a file, a tone, an echo or whatever a
//! program feeds (`Call::play`), somebody listens to both ends (`Call::record`), keys are pressed (`Call::dial`) and calls
//! are put together (`Call::join`). All of that is [`media`], which is a value as the agent is: packets and time go in,
//! packets and events come out.
//!
//! # Without
//!
//! [`agent::Agent`] is the same as a value: bytes, time and commands go in; bytes, needs and events come out. Whoever
//! drives it does three things in a loop: tell what happened (`handle_*`), drain what came of it (`poll_transmit`,
//! `poll_need`, `poll_event`, until all three are empty), and wait for the next happening or for `poll_timeout`,
//! whichever is first. [`agent::Agent`] has the contract in full, `examples/own_transport.rs` a whole program over one
//! `std::net::UdpSocket`, and [`sim`] the same loop without sockets. A first turn of it:
//!
//! ```
//! use sipcall::agent::{Agent, AgentConfig, CallRequest, FlowChange, Need};
//! use sipcall::time::{Duration, Epoch, Instant};
//! use sipcall::wire::{MessageRef, Method, UriBuf};
//! use std::sync::Arc;
//!
//! let now = Instant::ZERO;
//! let mut agent = Agent::new(Arc::new(AgentConfig::default()), [7; 32], now, Epoch::default());
//! let mut request = CallRequest::new(UriBuf::parse("sip:bob@192.0.2.7")?);
//! request.session = sipcall::call::Session::LateOffer;
//! agent.place_call(now, request)?;
//!
//! // It needs a way to the first hop; we say that a socket at 192.0.2.1:5060 leads there.
//! let Some(Need::Connect { flow, .. }) = agent.poll_need() else { panic!("it asks for a flow") };
//! agent.handle_flow(now, flow, FlowChange::Up { local: "192.0.2.1:5060".parse()? });
//!
//! let transmit = agent.poll_transmit().expect("the INVITE");
//! assert_eq!(transmit.to, "192.0.2.7:5060".parse()?);
//! assert_eq!(MessageRef::parse(&transmit.bytes)?.method(), Some(&Method::Invite));
//!
//! // Unless something arrives before, it is sent again after half a second (Timer A). Earlier there is nothing to do.
//! let wakeup = agent.poll_timeout().expect("it waits for time to pass");
//! agent.handle_timeout(now + Duration::from_millis(1));
//! assert!(agent.poll_transmit().is_none() && agent.poll_timeout() == Some(wakeup));
//! agent.handle_timeout(wakeup.at);
//! assert_eq!(agent.poll_transmit().map(|again| again.bytes), Some(transmit.bytes));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! None is the pure core. `audio` adds MP3 and SRTP to `media`, `opus` the codec of that name (built from C, with
//! cmake); `net` adds `transport`, with `audio`; `store` the SQLite records, `sandbox` the Plivo on one's own machine,
//! `cli` (the default) the command, `audio-device` its `invite --device` (the sound card, by ALSA), `rsip` conversions to
//! the crate of that name and back. A feature adds and never changes behaviour.

#![forbid(unsafe_code)]

pub mod agent;
pub mod call;
#[cfg(feature = "cli")]
pub mod cli;
pub mod id;
pub mod limits;
pub mod media;
pub mod outbox;
pub mod plivo;
#[cfg(feature = "store")]
pub mod record;
pub mod report;
#[cfg(feature = "rsip")]
pub mod rsip;
pub mod seed;
pub mod sim;
pub mod table;
pub mod time;
pub mod timer;
pub mod transaction;
#[cfg(feature = "net")]
pub mod transport;
pub mod wire;

//! A call in which nothing is heard for too long is ended: `--media-timeout`.

use super::args::media_timeout;
use super::config::{Config, duration};
use super::exit::Exit;
use super::phone::Unready;
use crate::call::MediaEvent;
use crate::time::Duration;
use std::future::pending;
use tokio::time::Instant;

/// How long it may be quiet, and since when it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Quiet {
    most: Option<Duration>,
    answered: Option<Instant>,
    since: Option<Instant>,
}

impl Quiet {
    /// Of a call that is not answered yet.
    ///
    /// # Errors
    /// [`Unready`]: the time that is set is too short to be noticed.
    pub(super) fn ready(config: &Config) -> Result<Self, Unready> {
        let Some(text) = config.text("media_timeout") else { return Ok(Self::default()) };
        let wrong = |why| Unready::new(Exit::Config, format!("media_timeout: {why}"));
        let most = media_timeout(text).and_then(|text| duration(&text)).map_err(wrong)?;
        Ok(Self { most: Some(most), ..Self::default() })
    }

    /// The call is answered: what was quiet before does not count.
    pub(super) fn answered(&mut self, now: Instant) {
        self.answered.get_or_insert(now);
    }

    /// Something happened on its stream.
    pub(super) fn hear(&mut self, now: Instant, event: MediaEvent) {
        match event {
            MediaEvent::Quiet(length) => self.since = now.checked_sub(length).or(Some(now)),
            MediaEvent::Heard => self.since = None,
            MediaEvent::Digit { .. } | MediaEvent::Played => {}
        }
    }

    /// When it is to be ended.
    fn due(&self) -> Option<Instant> {
        self.since?.max(self.answered?).checked_add(self.most?)
    }

    /// Waits until it was quiet for too long; for ever if it is not. May be dropped and asked anew.
    pub(super) async fn over(&self) {
        match self.due() {
            Some(at) => tokio::time::sleep_until(at).await,
            None => pending().await,
        }
    }

    /// It is over: says what to tell of it, and never is again.
    pub(super) fn end(&mut self) -> String {
        let most = self.most.take().unwrap_or_default();
        format!("no audio for {} s: the call was ended", most.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(most: u64) -> Quiet {
        Quiet { most: Some(Duration::from_secs(most)), ..Quiet::default() }
    }

    fn told(length: u64) -> MediaEvent {
        MediaEvent::Quiet(Duration::from_secs(length))
    }

    #[test]
    fn it_is_due_when_it_was_quiet_for_so_long_and_no_more_once_something_is_heard() {
        let (began, mut call) = (Instant::now(), quiet(60));
        let after = |seconds| began + Duration::from_secs(seconds);
        call.answered(began);
        assert_eq!(call.due(), None);
        call.hear(after(15), told(5));
        assert_eq!(call.due(), Some(after(70)));
        call.hear(after(30), MediaEvent::Heard);
        assert_eq!(call.due(), None);
        call.hear(after(40), told(5));
        call.hear(after(41), MediaEvent::Played);
        assert_eq!(call.due(), Some(after(95)));
        assert_eq!(call.end(), "no audio for 60 s: the call was ended");
        assert_eq!(call.due(), None);
    }

    #[test]
    fn what_was_quiet_while_it_rang_does_not_count() {
        let (began, mut call) = (Instant::now(), quiet(10));
        let after = |seconds| began + Duration::from_secs(seconds);
        call.hear(after(5), told(5));
        assert_eq!(call.due(), None);
        call.answered(after(30));
        assert_eq!(call.due(), Some(after(40)));
    }

    #[test]
    fn without_a_limit_a_call_may_be_quiet_for_ever() {
        let mut call = Quiet::default();
        call.answered(Instant::now());
        call.hear(Instant::now(), told(5));
        assert_eq!(call.due(), None);
    }
}

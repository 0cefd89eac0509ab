//! `--device`: the sound card. Our end says what the microphone hears, and the call is heard on the loudspeaker.
//!
//! The clock of a card is not that by which packets are paced. What one of them has too much of is left out where a
//! queue is full, and what it lacks is silence: a click now and then, and never a delay that grows.

use super::exit::Exit;
use super::phone::Unready;
use crate::media::desk::Sink;
use crate::media::resample::Resampling;
use crate::media::source::{Fed, Feed};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, Sample, SampleFormat, SizedSample, Stream, SupportedStreamConfig};
use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Frames of 20 ms that wait for the loudspeaker.
const FRAMES: usize = 8;

/// The sound card, ready to begin. It is silent again when this is dropped.
pub(super) struct Card {
    microphone: Stream,
    loudspeaker: Stream,
    said: Option<Fed>,
    ear: Option<Loudspeaker>,
}

/// Takes the sound of a call to the loudspeaker.
pub(super) struct Loudspeaker {
    /// Samples a second that it takes.
    rate: u32,
    frames: SyncSender<Vec<i16>>,
    /// From the rate of the call.
    resampling: Resampling,
}

impl Card {
    /// Opens what the system has chosen as its microphone and its loudspeaker.
    ///
    /// # Errors
    /// [`Unready`], when there is none or it cannot be used.
    pub(super) fn open() -> Result<Self, Unready> {
        let wrong = |what: &dyn Display| Unready::new(Exit::Config, format!("--device: {what}"));
        let none = |side| wrong(&format!("there is no {side}: connect one, or choose one in the system's settings"));
        let host = cpal::default_host();
        let microphone = host.default_input_device().ok_or_else(|| none("microphone"))?;
        let loudspeaker = host.default_output_device().ok_or_else(|| none("loudspeaker"))?;
        let unusable = |side| move |error: cpal::Error| wrong(&format!("the {side} cannot be used: {error}"));
        let config = microphone.default_input_config().map_err(unusable("microphone"))?;
        let (feed, said) = Feed::new(config.sample_rate());
        let microphone = listen(&microphone, &config, feed).map_err(unusable("microphone"))?;
        let config = loudspeaker.default_output_config().map_err(unusable("loudspeaker"))?;
        let (frames, taken) = sync_channel(FRAMES);
        let ear = Loudspeaker { rate: config.sample_rate(), frames, resampling: Resampling::default() };
        let loudspeaker = speak(&loudspeaker, &config, taken).map_err(unusable("loudspeaker"))?;
        Ok(Self { microphone, loudspeaker, said: Some(said), ear: Some(ear) })
    }

    /// Who takes the sound of the call; none the second time.
    pub(super) const fn ear(&mut self) -> Option<Loudspeaker> {
        self.ear.take()
    }

    /// The call is up: what the microphone hears from now on; none the second time.
    ///
    /// # Errors
    /// The card does not begin.
    pub(super) fn begin(&mut self) -> Result<Option<Fed>, String> {
        let begun = self.loudspeaker.play().and_then(|()| self.microphone.play());
        begun.map_err(|error| format!("--device: {error}"))?;
        Ok(self.said.take())
    }
}

impl Sink for Loudspeaker {
    fn take(&mut self, rate: u32, _: &[i16], heard: &[i16]) {
        let mut frame = Vec::new();
        self.resampling.process((rate, self.rate), heard, &mut frame);
        // A card that lags behind misses some.
        let _ = self.frames.try_send(frame);
    }
}

fn listen(device: &cpal::Device, config: &SupportedStreamConfig, feed: Feed) -> Result<Stream, cpal::Error> {
    fn by<T: SizedSample>(
        device: &cpal::Device,
        config: &SupportedStreamConfig,
        feed: Feed,
    ) -> Result<Stream, cpal::Error>
    where
        i16: FromSample<T>,
    {
        let channels = usize::from(config.channels()).max(1);
        let take = move |samples: &[T], _: &_| feed.offer(mono(samples, channels));
        device.build_input_stream(config.config(), take, |error| failed(&error), None)
    }
    match config.sample_format() {
        SampleFormat::I16 => by::<i16>(device, config, feed),
        SampleFormat::I32 => by::<i32>(device, config, feed),
        SampleFormat::U8 => by::<u8>(device, config, feed),
        _ => by::<f32>(device, config, feed),
    }
}

fn speak(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
    frames: Receiver<Vec<i16>>,
) -> Result<Stream, cpal::Error> {
    fn by<T: SizedSample + FromSample<i16>>(
        device: &cpal::Device,
        config: &SupportedStreamConfig,
        frames: Receiver<Vec<i16>>,
    ) -> Result<Stream, cpal::Error> {
        let channels = usize::from(config.channels()).max(1);
        let mut ready = VecDeque::new();
        let give = move |samples: &mut [T], _: &_| {
            while ready.len() * channels < samples.len()
                && let Ok(frame) = frames.try_recv()
            {
                ready.extend(frame);
            }
            spread(&mut ready, samples, channels);
        };
        device.build_output_stream(config.config(), give, |error| failed(&error), None)
    }
    match config.sample_format() {
        SampleFormat::I16 => by::<i16>(device, config, frames),
        SampleFormat::I32 => by::<i32>(device, config, frames),
        SampleFormat::U8 => by::<u8>(device, config, frames),
        _ => by::<f32>(device, config, frames),
    }
}

/// The mean of all channels.
fn mono<T: Copy>(samples: &[T], channels: usize) -> Vec<i16>
where
    i16: FromSample<T>,
{
    let mean = |moment: &[T]| {
        let sum: i32 = moment.iter().map(|sample| i32::from(i16::from_sample_(*sample))).sum();
        // A mean of samples is one.
        (sum / moment.len().max(1) as i32) as i16
    };
    samples.chunks_exact(channels).map(mean).collect()
}

/// The same on all channels; silence where there is nothing more.
fn spread<T: Sample + FromSample<i16>>(ready: &mut VecDeque<i16>, samples: &mut [T], channels: usize) {
    for moment in samples.chunks_mut(channels) {
        moment.fill(T::from_sample_(ready.pop_front().unwrap_or_default()));
    }
}

fn failed(error: &cpal::Error) {
    tracing::warn!(%error, "the sound card");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_one_and_one_becomes_channels() {
        assert_eq!(mono(&[100_i16, 300, i16::MIN, i16::MIN, 7], 2), [200, i16::MIN]);
        assert_eq!(mono(&[0.5_f32, -1.0], 1), [16_384, i16::MIN]);
        let (mut ready, mut out) = (VecDeque::from([1, 2]), [9_i16; 6]);
        spread(&mut ready, &mut out, 2);
        assert_eq!((out, ready.len()), ([1, 1, 2, 2, 0, 0], 0));
    }

    #[test]
    fn the_loudspeaker_has_the_rate_of_the_card_and_never_waits() {
        let (frames, taken) = sync_channel(FRAMES);
        let mut ear = Loudspeaker { rate: 48_000, frames, resampling: Resampling::default() };
        for rate in [8_000, 16_000] {
            ear.take(rate, &[], &vec![0; rate as usize / 50]);
            assert_eq!(taken.recv().unwrap().len(), 960);
        }
        (0..2 * FRAMES).for_each(|_| ear.take(8_000, &[], &[0; 160]));
        assert_eq!(taken.try_iter().count(), FRAMES);
    }
}

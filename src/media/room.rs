//! Who hears whom.
//!
//! Everyone in a room hears the sum of the others. There is one sum for each sampling rate, and what was said at
//! another rate enters it once, converted: so the work grows with the parties and not with their pairs, and parties of
//! one rate hear each other without any conversion.

use thiserror::Error;

use super::frame;
use super::resample::{CALL_RATES as RATES, Resampler};
use crate::time::Instant;

/// Somebody in a room.
pub trait Party {
    /// Samples a second: 8000, 16,000 or 48,000. Asked once, when the party is added; who changes rate leaves and is
    /// added again.
    fn rate(&self) -> u32;

    /// Fills 20 ms at the party's own rate with what it says. False if it says nothing; the frame then is ignored.
    fn say(&mut self, now: Instant, frame: &mut [i16]) -> bool;

    /// Takes 20 ms, at the party's own rate, of what all others say. `None` if nobody says anything.
    fn hear(&mut self, now: Instant, frame: Option<&[i16]>);
}

/// One party of one room. It never names a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyId(u32);

/// Why a party does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddError {
    /// As many as a room takes are in it.
    #[error("the room is full: it takes {PARTIES} parties")]
    Full,
    /// There is no such rate here.
    #[error("no sound of {0} samples a second is mixed: use 8000, 16000 or 48000")]
    Rate(u32),
}

/// What a party said and heard in the last tick: 20 ms each at its own rate, zeros where there was nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap<'a> {
    /// What it said.
    pub said: &'a [i16],
    /// What it heard.
    pub heard: &'a [i16],
}

/// The most parties in one room: a large conference, and few enough for a sum of 32 bits by far.
const PARTIES: usize = 64;

/// Parties that hear each other.
#[derive(Debug)]
pub struct Room<P> {
    /// In order of their ids.
    seats: Vec<Seat<P>>,
    next: u32,
    /// One for each of `RATES`.
    sums: [Sum; RATES.len()],
    /// From each rate that somebody has to each other one that somebody has.
    bridges: Vec<Bridge>,
    /// A sum without the one who listens.
    others: Vec<i32>,
}

impl<P: Party> Room<P> {
    /// An empty room.
    #[must_use]
    pub fn new() -> Self {
        Self { seats: Vec::new(), next: 0, sums: [Sum::NONE; RATES.len()], bridges: Vec::new(), others: Vec::new() }
    }

    /// Lets a party in. It hears and is heard from the next tick on.
    ///
    /// # Errors
    ///
    /// [`AddError`] if there are 64 already, or if its rate is none of the three.
    pub fn add(&mut self, party: P) -> Result<PartyId, AddError> {
        if self.is_full() {
            return Err(AddError::Full);
        }
        let rate = party.rate();
        let band = RATES.iter().position(|known| *known == rate).ok_or(AddError::Rate(rate))?;
        let id = PartyId(self.next);
        self.next = self.next.wrapping_add(1);
        self.seats.push(Seat::new(id, party, band));
        self.fit();
        Ok(id)
    }

    /// Takes a party out.
    pub fn remove(&mut self, id: PartyId) -> Option<P> {
        let at = self.seats.iter().position(|seat| seat.id == id)?;
        let seat = self.seats.remove(at);
        self.fit();
        Some(seat.party)
    }

    /// The party of that id.
    pub fn get_mut(&mut self, id: PartyId) -> Option<&mut P> {
        self.seats.iter_mut().find(|seat| seat.id == id).map(|seat| &mut seat.party)
    }

    /// What the party said and heard in the last tick.
    #[must_use]
    pub fn tap(&self, id: PartyId) -> Option<Tap<'_>> {
        let seat = self.seats.iter().find(|seat| seat.id == id)?;
        Some(Tap { said: &seat.said, heard: &seat.heard })
    }

    /// Whether nobody else gets in.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.seats.len() >= PARTIES
    }

    /// 20 ms pass: everyone is asked for what it says, then everyone is given what the others said.
    ///
    /// Where only one speaks, the samples reach the others as they are. Where a sum of several is too loud for 16
    /// bits, the gain goes down for as long as that lasts, and comes back within a quarter of a second.
    pub fn tick(&mut self, now: Instant) {
        for sum in &mut self.sums {
            sum.clear();
        }
        for seat in &mut self.seats {
            let spoke = seat.party.say(now, &mut seat.said);
            if !spoke {
                seat.said.fill(0);
            }
            seat.counted = spoke;
            if let (true, Some(sum)) = (seat.counted, self.sums.get_mut(seat.band)) {
                sum.add(&seat.said);
            }
        }
        // Every bridge reads before any writes: what came over one must not go back over another.
        for bridge in &mut self.bridges {
            if let Some(sum) = self.sums.get(bridge.from) {
                bridge.carry(sum);
            }
        }
        for bridge in &self.bridges {
            if let (true, Some(sum)) = (bridge.carries, self.sums.get_mut(bridge.to)) {
                sum.add(&bridge.after);
            }
        }
        for seat in &mut self.seats {
            if let Some(sum) = self.sums.get(seat.band) {
                seat.listen(now, sum, &mut self.others);
            }
        }
    }

    /// Makes sums and bridges those of the rates that are there.
    fn fit(&mut self) {
        let mut there = [false; RATES.len()];
        for (band, (there, sum)) in there.iter_mut().zip(&mut self.sums).enumerate() {
            *there = self.seats.iter().any(|seat| seat.band == band);
            sum.samples.resize(if *there { frame_of(band) } else { 0 }, 0);
        }
        let longest = self.sums.iter().map(|sum| sum.samples.len()).max().unwrap_or(0);
        self.others.resize(longest, 0);
        let is = |band: usize| there.get(band) == Some(&true);
        self.bridges.retain(|bridge| is(bridge.from) && is(bridge.to));
        for from in 0..RATES.len() {
            for to in (0..RATES.len()).filter(|to| *to != from && is(*to) && is(from)) {
                if !self.bridges.iter().any(|bridge| (bridge.from, bridge.to) == (from, to)) {
                    self.bridges.extend(Bridge::new(from, to));
                }
            }
        }
    }
}

impl<P: Party> Default for Room<P> {
    fn default() -> Self {
        Self::new()
    }
}

/// Samples of a frame of the rate at that place of `RATES`.
fn frame_of(band: usize) -> usize {
    RATES.get(band).map_or(0, |rate| frame(*rate))
}

/// A party and its 20 ms.
#[derive(Debug)]
struct Seat<P> {
    id: PartyId,
    party: P,
    band: usize,
    /// Whether it is in its rate's sum in this tick.
    counted: bool,
    said: Vec<i16>,
    heard: Vec<i16>,
    limiter: Limiter,
}

impl<P: Party> Seat<P> {
    fn new(id: PartyId, party: P, band: usize) -> Self {
        let silence = || vec![0; frame_of(band)];
        let (said, heard) = (silence(), silence());
        Self { id, party, band, counted: false, said, heard, limiter: Limiter::OPEN }
    }

    fn listen(&mut self, now: Instant, sum: &Sum, others: &mut [i32]) {
        if sum.voices <= usize::from(self.counted) {
            self.heard.fill(0);
            self.limiter = Limiter::OPEN;
            return self.party.hear(now, None);
        }
        if self.counted {
            for ((others, all), own) in others.iter_mut().zip(&sum.samples).zip(&self.said) {
                *others = all - i32::from(*own);
            }
            self.limiter.pack(others, &mut self.heard);
        } else {
            self.limiter.pack(&sum.samples, &mut self.heard);
        }
        self.party.hear(now, Some(&self.heard));
    }
}

/// All that is said at one rate.
#[derive(Debug)]
struct Sum {
    /// Empty if nobody has the rate.
    samples: Vec<i32>,
    voices: usize,
}

impl Sum {
    const NONE: Self = Self { samples: Vec::new(), voices: 0 };

    fn clear(&mut self) {
        self.samples.fill(0);
        self.voices = 0;
    }

    fn add(&mut self, voice: &[i16]) {
        self.voices += 1;
        for (sum, sample) in self.samples.iter_mut().zip(voice) {
            // 64 parties and two bridges of 16 bits make 23.
            *sum += i32::from(*sample);
        }
    }
}

/// What is said at one rate, on its way to another.
#[derive(Debug)]
struct Bridge {
    from: usize,
    to: usize,
    limiter: Limiter,
    converter: Resampler,
    before: Vec<i16>,
    after: Vec<i16>,
    /// Whether `after` holds sound of this tick.
    carries: bool,
    /// Whether the converter still holds the end of what was said.
    rings: bool,
}

impl Bridge {
    fn new(from: usize, to: usize) -> Option<Self> {
        Some(Self {
            from,
            to,
            limiter: Limiter::OPEN,
            converter: Resampler::new(*RATES.get(from)?, *RATES.get(to)?)?,
            before: vec![0; frame_of(from)],
            after: Vec::with_capacity(frame_of(to)),
            carries: false,
            rings: false,
        })
    }

    fn carry(&mut self, sum: &Sum) {
        let speech = sum.voices > 0;
        // One frame of zeros drives out what a converter remembers, which is much less than 20 ms.
        self.carries = speech || self.rings;
        self.rings = speech;
        if self.carries {
            self.limiter.pack(&sum.samples, &mut self.before);
            self.after.clear();
            self.converter.process(&self.before, &mut self.after);
        }
    }
}

/// Brings sums back to 16 bits by a gain that everyone at one place hears alike.
#[derive(Clone, Copy, Debug)]
struct Limiter {
    gain: f32,
}

impl Limiter {
    const OPEN: Self = Self { gain: 1.0 };
    /// The most that the gain rises in 20 ms.
    const RISE: f32 = 1.0 / 12.0;

    /// Writes `sum` to `out`. As it is, unless it is or just was too loud.
    fn pack(&mut self, sum: &[i32], out: &mut [i16]) {
        // Of one's complement, so that -32,768 fits as 32,767 does.
        let peak = sum.iter().zip(out.iter()).fold(0, |peak: i32, (sum, _)| peak.max(sum ^ (sum >> 31)));
        let before = self.gain;
        let fits = f32::from(i16::MAX) / peak.max(1) as f32;
        self.gain = (before + Self::RISE).min(fits).min(1.0);
        if before >= 1.0 && self.gain >= 1.0 {
            for (out, sum) in out.iter_mut().zip(sum) {
                *out = *sum as i16;
            }
            return;
        }
        // Down within a millisecond, before most of what is loud; up so slowly that nobody notices.
        let ramp = if self.gain < before { out.len() / 20 } else { out.len() };
        let step = (self.gain - before) / ramp.max(1) as f32;
        let gains = (1..=ramp).map(|at| before + step * at as f32);
        for ((out, sum), gain) in out.iter_mut().zip(sum).zip(gains) {
            *out = scaled(*sum, gain);
        }
        for (out, sum) in out.iter_mut().zip(sum).skip(ramp) {
            *out = scaled(*sum, self.gain);
        }
    }
}

fn scaled(sample: i32, gain: f32) -> i16 {
    (sample as f32 * gain).clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says the same sample all the time, or nothing, and keeps what it heard last.
    struct Steady {
        rate: u32,
        says: Option<i16>,
        heard: Option<Vec<i16>>,
    }

    impl Party for Steady {
        fn rate(&self) -> u32 {
            self.rate
        }

        fn say(&mut self, _: Instant, frame: &mut [i16]) -> bool {
            // What it writes when it says nothing must not matter.
            frame.fill(self.says.unwrap_or(9999));
            self.says.is_some()
        }

        fn hear(&mut self, _: Instant, frame: Option<&[i16]>) {
            self.heard = frame.map(<[i16]>::to_vec);
        }
    }

    fn steady(rate: u32, says: impl Into<Option<i16>>) -> Steady {
        Steady { rate, says: says.into(), heard: None }
    }

    /// What each of them has heard after so many ticks.
    fn heard(parties: impl IntoIterator<Item = Steady>, ticks: usize) -> Vec<Option<Vec<i16>>> {
        let mut room = Room::new();
        let ids: Vec<PartyId> = parties.into_iter().map(|party| room.add(party).unwrap()).collect();
        for _ in 0..ticks {
            room.tick(Instant::ZERO);
        }
        ids.into_iter().map(|id| room.remove(id).unwrap().heard).collect()
    }

    #[test]
    fn each_hears_the_others_and_not_itself() {
        let heard = heard([steady(8000, 1), steady(8000, 20), steady(8000, 300), steady(8000, None)], 1);
        let all = |sample| Some(vec![sample; 160]);
        assert_eq!(heard, [all(320), all(301), all(21), all(321)]);
    }

    #[test]
    fn two_hear_each_other_untouched_at_any_level() {
        for (rate, samples) in [(8000, 160), (16_000, 320), (48_000, 960)] {
            let heard = heard([steady(rate, i16::MIN), steady(rate, i16::MAX)], 3);
            assert_eq!(heard, [Some(vec![i16::MAX; samples]), Some(vec![i16::MIN; samples])]);
        }
    }

    #[test]
    fn where_nobody_else_speaks_nothing_is_heard() {
        assert_eq!(heard([steady(8000, 5), steady(8000, None)], 1), [None, Some(vec![5; 160])]);
        assert_eq!(heard([steady(8000, 5)], 1), [None]);
        assert_eq!(heard([], 1), []);
    }

    #[test]
    fn rates_are_bridged_and_nobody_hears_itself_over_a_bridge() {
        let heard = heard([steady(8000, 100), steady(16_000, 2000), steady(48_000, 4000), steady(8000, 50)], 3);
        for (heard, (level, samples)) in heard.iter().zip([(6050, 160), (4150, 320), (2150, 960), (6100, 160)]) {
            let heard = heard.as_ref().unwrap();
            assert!(heard.len() == samples && heard.iter().all(|sample| sample.abs_diff(level) < 10), "{heard:?}");
        }
    }

    #[test]
    fn a_converted_voice_rings_out_and_then_is_silent() {
        let mut room = Room::new();
        let speaker = room.add(steady(8000, 1000)).unwrap();
        let listener = room.add(steady(16_000, None)).unwrap();
        room.tick(Instant::ZERO);
        room.get_mut(speaker).unwrap().says = None;
        room.tick(Instant::ZERO);
        let end = room.get_mut(listener).unwrap().heard.take().unwrap();
        assert!(end[0] != 0 && end.last() == Some(&0), "{end:?}");
        room.tick(Instant::ZERO);
        assert_eq!(room.get_mut(listener).unwrap().heard, None);
    }

    #[test]
    fn a_tap_shows_what_was_said_and_heard_and_silence_for_nothing() {
        let mut room = Room::new();
        let (a, b) = (room.add(steady(8000, 7)).unwrap(), room.add(steady(8000, None)).unwrap());
        room.tick(Instant::ZERO);
        assert_eq!(room.tap(a).unwrap(), Tap { said: &[7; 160], heard: &[0; 160] });
        assert_eq!(room.tap(b).unwrap(), Tap { said: &[0; 160], heard: &[7; 160] });
    }

    #[test]
    fn a_sum_too_loud_is_made_smaller_whole_and_recovers() {
        let mut room = Room::new();
        let listener = room.add(steady(8000, None)).unwrap();
        let loud = room.add(steady(8000, 30_000)).unwrap();
        let low = room.add(steady(8000, 30_000)).unwrap();
        let hear = |room: &mut Room<Steady>| {
            room.tick(Instant::ZERO);
            room.tap(listener).unwrap().heard.to_vec()
        };
        let first = hear(&mut room);
        assert!(first.iter().all(|sample| *sample > 32_000), "no sample may wrap: {first:?}");
        // Half of the gain is gone; it returns in small steps, never down.
        room.get_mut(loud).unwrap().says = Some(0);
        room.get_mut(low).unwrap().says = Some(10_000);
        let frames: Vec<Vec<i16>> = (0..12).map(|_| hear(&mut room)).collect();
        let after: Vec<i16> = frames.concat();
        assert!(after[0] < 5600 && after.is_sorted(), "{after:?}");
        assert!(after.windows(2).all(|pair| pair[1] - pair[0] < 10));
        assert_eq!(frames[11], [10_000; 160]);
    }

    #[test]
    fn a_full_room_of_the_loudest_stays_within_sixteen_bits() {
        for loudest in [i16::MIN, i16::MAX] {
            let rates = RATES.into_iter().cycle().take(PARTIES);
            for heard in heard(rates.map(|rate| steady(rate, loudest)), 3) {
                assert!(heard.unwrap().iter().all(|sample| (sample ^ loudest) >= 0 && sample.unsigned_abs() > 32_000));
            }
        }
    }

    #[test]
    fn a_room_takes_so_many_and_no_strange_rates() {
        let mut room = Room::new();
        assert_eq!(room.add(steady(44_100, None)), Err(AddError::Rate(44_100)));
        let ids: Vec<PartyId> = (0..PARTIES).map(|_| room.add(steady(8000, None)).unwrap()).collect();
        assert_eq!(room.add(steady(8000, None)), Err(AddError::Full));
        assert!(room.remove(ids[3]).is_some() && room.remove(ids[3]).is_none());
        let late = room.add(steady(8000, 1)).unwrap();
        assert!(!ids.contains(&late) && room.get_mut(ids[3]).is_none() && room.tap(ids[3]).is_none());
        assert!(room.is_full());
    }

    #[test]
    fn who_comes_later_at_another_rate_is_bridged_and_may_leave_again() {
        let mut room = Room::new();
        let narrow = room.add(steady(8000, 1000)).unwrap();
        room.tick(Instant::ZERO);
        let wide = room.add(steady(16_000, 2000)).unwrap();
        room.tick(Instant::ZERO);
        room.tick(Instant::ZERO);
        let like = |id, level| room.tap(id).unwrap().heard.iter().all(|sample| sample.abs_diff(level) < 10);
        assert!(like(narrow, 2000) && like(wide, 1000));
        room.remove(wide);
        room.tick(Instant::ZERO);
        assert_eq!(room.get_mut(narrow).unwrap().heard, None);
        assert!(room.bridges.is_empty());
    }
}

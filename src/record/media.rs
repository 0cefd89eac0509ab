//! What came of a call's media, as the command prints it.

use super::json::text;
use crate::call::counts::{Quality, Received, Sent};
use crate::call::{MediaCounts, MediaSummary};
use crate::time::{Duration, Instant};
use serde::{Deserialize, Serialize};

/// What came of a call's media. What was not measured is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MediaJson {
    /// As in rtpmap.
    pub codec: Option<String>,
    /// Milliseconds a packet.
    pub ptime_ms: Option<u32>,
    /// `sendrecv`, `sendonly`, `recvonly` or `inactive`.
    pub direction: Option<String>,
    /// The SRTP suite, as RFC 4568 and RFC 7714 name it.
    pub srtp: Option<String>,
    /// Our RTP address.
    pub local: Option<String>,
    /// The peer's, as its session description says.
    pub remote_sdp: Option<String>,
    /// Where the peer's packets came from.
    pub remote_seen: Option<String>,
    /// What we sent.
    pub sent: SentJson,
    /// What arrived.
    pub received: StreamJson,
    /// From a report of ours to the peer's (RFC 3550 §6.4.1), the least seen.
    pub round_trip_ms: Option<f64>,
    /// `two_way`, `nothing_received` (we sent and nothing arrived), `nothing_sent` (the reverse) or `none`. Packets
    /// decide, not what was agreed.
    pub verdict: String,
    /// The verdict in words.
    pub explained: String,
    /// What a probe found.
    pub probe: Option<ProbeJson>,
}

/// What came back of a known signal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeJson {
    /// Whether it came back.
    pub found: bool,
    /// From our mouth to our ear.
    pub round_trip_ms: Option<f64>,
    /// How alike it is, 0 to 1.
    pub similarity: f64,
    /// How much of it is missing.
    pub lost_ms: Option<u32>,
    /// Samples at the ends of the scale.
    pub clipped: usize,
    /// How much louder it is.
    pub gain_db: Option<f64>,
}

/// What was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SentJson {
    /// RTP packets.
    pub packets: u64,
    /// Octets of them.
    pub bytes: u64,
    /// Digits, however they went.
    pub digits: u32,
    /// How much later than due 99 of 100 packets left at most.
    pub late_p99_ms: Option<f64>,
    /// The mean level in dBov, 0 for the loudest.
    pub level_dbov: Option<f64>,
    /// What the peer reported last of them: lost packets.
    pub lost_there: Option<i64>,
    /// The same: interarrival jitter.
    pub jitter_there_ms: Option<f64>,
}

/// What was received, and its quality.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamJson {
    /// RTP packets.
    pub packets: u64,
    /// Octets of them.
    pub bytes: u64,
    /// Packets that never came.
    pub lost: Option<u64>,
    /// Packets that came too late to be played.
    pub late: Option<u64>,
    /// Packets that came twice.
    pub duplicate: Option<u64>,
    /// Packets that came after a later one.
    pub reordered: Option<u64>,
    /// Gaps of lost packets.
    pub bursts: Option<u64>,
    /// The longest gap, in packets.
    pub longest_burst: Option<u64>,
    /// Packets that were none of the stream.
    pub refused: Option<u64>,
    /// Digits, however they came.
    pub digits: u32,
    /// Interarrival jitter at the end (RFC 3550 §6.4.1).
    pub jitter_ms: Option<f64>,
    /// The most there was.
    pub jitter_max_ms: Option<f64>,
    /// From the answer to the first packet; 0 when it came before.
    pub first_ms: Option<u64>,
    /// Estimated opinion score, 1 to 4.5 (ITU-T G.107).
    pub mos: Option<f64>,
    /// The rating that it was made of, and what went into that: loss, its burst ratio, the delay from mouth to ear.
    pub rating: Option<f64>,
    /// Lost and late packets, in percent.
    pub loss_percent: Option<f64>,
    /// 1 for loss by chance, more for loss in bursts.
    pub burst_ratio: Option<f64>,
    /// Half the round trip, a packet and the jitter buffer.
    pub delay_ms: Option<f64>,
    /// The mean level in dBov, 0 for the loudest.
    pub level_dbov: Option<f64>,
    /// Samples at the ends of the scale.
    pub clipped: Option<u64>,
    /// The share of silence, 0 to 1.
    pub silence: Option<f64>,
}

/// What came of it; `answered` is when the call was.
pub(super) fn media(media: &MediaSummary, answered: Option<Instant>) -> MediaJson {
    let MediaCounts { sent, received, srtp, round_trip } = &media.counted;
    let verdict = match (sent.packets > 0, received.packets > 0) {
        (true, true) => "two_way",
        (true, false) => "nothing_received",
        (false, true) => "nothing_sent",
        (false, false) => "none",
    };
    MediaJson {
        codec: media.codec.map(str::to_owned),
        ptime_ms: media.ptime_ms,
        direction: media.direction.map(str::to_owned),
        srtp: srtp.map(str::to_owned),
        local: text(media.local),
        remote_sdp: text(media.remote_sdp),
        remote_seen: text(received.remote_seen),
        sent: self::sent(sent),
        received: self::received(received, answered),
        round_trip_ms: round_trip.map(ms),
        verdict: verdict.to_owned(),
        explained: explained(media),
        probe: None,
    }
}

fn sent(sent: &Sent) -> SentJson {
    SentJson {
        packets: sent.packets,
        bytes: sent.bytes,
        digits: sent.digits,
        late_p99_ms: sent.late_p99.map(ms),
        level_dbov: sent.level_dbov.map(tenths),
        lost_there: sent.reported.map(|reported| reported.lost),
        jitter_there_ms: sent.reported.map(|reported| ms(reported.jitter)),
    }
}

fn received(received: &Received, answered: Option<Instant>) -> StreamJson {
    let counted = |count| received.first.map(|_| count);
    let quality = |what: fn(&Quality) -> f64| received.quality.as_ref().map(what);
    let first = received.first.zip(answered).map(|(first, answered)| first.since(answered));
    StreamJson {
        packets: received.packets,
        bytes: received.bytes,
        lost: counted(received.lost),
        late: counted(received.late),
        duplicate: counted(received.duplicate),
        reordered: counted(received.reordered),
        bursts: counted(received.bursts.0),
        longest_burst: counted(received.bursts.1),
        refused: Some(received.refused),
        digits: received.digits,
        jitter_ms: received.jitter.map(|(last, _)| ms(last)),
        jitter_max_ms: received.jitter.map(|(_, most)| ms(most)),
        first_ms: first.and_then(|first| u64::try_from(first.as_millis()).ok()),
        mos: quality(|quality| hundredths(quality.mos)),
        rating: quality(|quality| tenths(quality.rating)),
        loss_percent: quality(|quality| hundredths(quality.loss_percent)),
        burst_ratio: quality(|quality| hundredths(quality.burst_ratio)),
        delay_ms: quality(|quality| ms(quality.delay)),
        level_dbov: received.quality.and_then(|quality| quality.level_dbov).map(tenths),
        clipped: received.quality.map(|quality| quality.clipped),
        silence: quality(|quality| hundredths(quality.silence)),
    }
}

/// What a person would say of it, who knows both ends.
fn explained(media: &MediaSummary) -> String {
    let MediaCounts { sent, received, .. } = &media.counted;
    let there = media.remote_sdp.map_or_else(|| "no address".to_owned(), |at| at.to_string());
    let seen = received.remote_seen.filter(|seen| Some(*seen) != media.remote_sdp);
    match (sent.packets, received.packets) {
        (0, 0) if media.direction == Some("inactive") => "no audio was agreed".to_owned(),
        (0, 0) => "no audio was sent and none came".to_owned(),
        (out, 0) if received.refused > 0 => format!(
            "nothing usable received: SDP said {there}, and what came was no audio of this call ({} packets); packets \
             sent {out}",
            received.refused
        ),
        (out, 0) => format!("nothing received: SDP said {there}, nothing came; packets sent {out}"),
        (0, count) => format!("nothing sent; packets received {count}"),
        (out, count) => {
            let heard = match received.quality {
                Some(quality) if quality.silence >= 1.0 => ", all of it silence".to_owned(),
                Some(quality) => format!(", MOS {:.1}", quality.mos),
                None => String::new(),
            };
            let from = seen.map(|seen| format!(" from {seen}, where SDP said {there}")).unwrap_or_default();
            format!("both ways: {out} packets sent, {count} received{from}, {} lost{heard}", received.lost)
        }
    }
}

/// Milliseconds to a hundredth.
fn ms(duration: Duration) -> f64 {
    hundredths(duration.as_secs_f64() * 1000.0)
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::counts::Quality;

    fn told(out: u64, count: u64, refused: u64) -> MediaJson {
        let sent = Sent { packets: out, ..Sent::default() };
        let received = Received { packets: count, refused, ..Received::default() };
        let counted = MediaCounts { sent, received, ..MediaCounts::default() };
        let remote_sdp = "10.0.0.5:4000".parse().ok();
        media(&MediaSummary { counted, remote_sdp, ..MediaSummary::default() }, None)
    }

    #[test]
    fn packets_decide_the_verdict() {
        assert_eq!(told(1, 1, 0).verdict, "two_way");
        assert_eq!(told(1, 0, 0).verdict, "nothing_received");
        assert_eq!(told(0, 1, 0).verdict, "nothing_sent");
        assert_eq!(told(0, 0, 0).verdict, "none");
    }

    #[test]
    fn a_verdict_is_explained() {
        assert_eq!(
            told(250, 0, 0).explained,
            "nothing received: SDP said 10.0.0.5:4000, nothing came; packets sent 250"
        );
        assert!(told(250, 0, 7).explained.contains("(7 packets)"));
        assert!(told(250, 249, 0).explained.starts_with("both ways: 250 packets sent, 249 received, 0 lost"));
    }

    #[test]
    fn silence_alone_is_told_as_such() {
        let quality = Quality { silence: 1.0, ..Quality::default() };
        let received = Received { packets: 5, quality: Some(quality), ..Received::default() };
        let counted = MediaCounts { sent: Sent { packets: 5, ..Sent::default() }, received, ..MediaCounts::default() };
        let json = media(&MediaSummary { counted, ..MediaSummary::default() }, None);
        assert!(json.explained.ends_with(", all of it silence"), "{}", json.explained);
    }

    #[test]
    fn a_first_packet_before_the_answer_is_at_once() {
        let at = |ms| Some(Instant::from_origin(Duration::from_millis(ms)));
        let first = |ms| Received { first: at(ms), packets: 1, ..Received::default() };
        assert_eq!(received(&first(90), at(100)).first_ms, Some(0));
        assert_eq!(received(&first(121), at(100)).first_ms, Some(21));
        assert_eq!(received(&first(121), None).first_ms, None);
    }
}

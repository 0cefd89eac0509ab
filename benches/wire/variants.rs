//! Many messages like those that are measured.

use crate::messages::MESSAGES;

/// As many distinct messages as that, shuffled, the same for the same seed. A loop of six is learnt by heart by the
/// branch predictor; in these names, numbers and lengths differ, headers change places, and some come or go.
pub(crate) fn variants(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut chance = Chance::new(seed);
    let mut all: Vec<_> = (0..count).map(|n| variant(MESSAGES[n % MESSAGES.len()].1, &mut chance)).collect();
    chance.shuffle(&mut all);
    all
}

fn variant(message: &[u8], chance: &mut Chance) -> Vec<u8> {
    let text = std::str::from_utf8(message).expect("the messages are text");
    let (head, body) = text.split_once("\r\n\r\n").expect("the messages have a head");
    let mut head = head.to_owned();
    for (word, new) in replacements(chance) {
        head = head.replace(word, &new);
    }
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    let start_line = lines.remove(0);
    // Values of one name stay in order, whatever stands between them.
    lines.retain(|line| !is_optional(line) || chance.below(4) > 0);
    let notes: Vec<_> = (0..chance.below(4)).map(|n| format!("X-Note-{n}: {}", chance.word(1, 60))).collect();
    lines.extend(notes.iter().map(String::as_str));
    let mut order: Vec<_> = (0..lines.len()).collect();
    if chance.below(2) == 0 {
        chance.shuffle(&mut order);
        for name in ["Via", "Record-Route"] {
            let is_of_name = |at: usize| lines[at].split(':').next() == Some(name);
            let places: Vec<_> = (0..order.len()).filter(|&place| is_of_name(order[place])).collect();
            let in_order = (0..lines.len()).filter(|&at| is_of_name(at));
            places.into_iter().zip(in_order).for_each(|(place, at)| order[place] = at);
        }
    }
    let lines: Vec<_> = order.into_iter().map(|at| lines[at]).collect();
    format!("{start_line}\r\n{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

fn is_optional(line: &str) -> bool {
    ["Allow:", "Supported:", "User-Agent:", "Server:"].iter().any(|name| line.starts_with(name))
}

/// What is written instead of the words that differ from call to call.
fn replacements(chance: &mut Chance) -> Vec<(&'static str, String)> {
    const WORDS: [(&str, usize, usize); 17] = [
        ("9a0c7714ff0", 4, 30),
        ("8f21c0aa91d3", 4, 30),
        ("4c1e.a72f91.0", 4, 30),
        ("d87b.1f5e20.0", 4, 30),
        ("77d1.90be12.0", 4, 30),
        ("1e44aa90", 4, 30),
        ("77aa01cd", 4, 24),
        ("5c7d19e2", 4, 24),
        ("as3f9b0e77", 4, 24),
        ("b27e1a1d33766e85668f041ee9a7d5c5.a3f1", 8, 40),
        ("6d2ab0c4-58f1-4f0e-a7d0-0c2b7a9d11e3", 8, 40),
        ("1f9a3b7c55e64d2e", 8, 40),
        ("agent7001", 3, 14),
        ("Agent Seven", 3, 20),
        ("ZvX0tmb18IpqTg2J0kDkQ1Yt9sX1sG5b", 12, 60),
        ("spring-2026", 2, 40),
        ("MediaSrv", 2, 20),
    ];
    const ADDRESSES: [&str; 5] = ["192.0.2.45", "198.51.100.7", "198.51.100.9", "203.0.113.77", "203.0.113.20"];
    let mut all: Vec<_> = WORDS.iter().map(|&(word, least, most)| (word, chance.word(least, most))).collect();
    for address in ADDRESSES {
        let octets = [chance.below(223) + 1, chance.below(256), chance.below(256), chance.below(256)];
        all.push((address, octets.map(|octet| octet.to_string()).join(".")));
    }
    all.push(("sip.provider.example", format!("{}.{}.example", chance.word(2, 12), chance.word(2, 20))));
    all.push(("+15551230001", format!("+1{}", 1_000_000 + chance.below(9_000_000_000))));
    all.push((":5060", format!(":{}", 1024 + chance.below(64_000))));
    all
}

/// SplitMix64.
pub(crate) struct Chance(u64);

impl Chance {
    /// The same for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Letters and digits, a letter first.
    fn word(&mut self, least: usize, most: usize) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let length = least + self.below((most - least + 1) as u64) as usize;
        let letter = |at: usize| if at == 0 { 26 } else { 36 };
        (0..length).map(|at| char::from(LETTERS[self.below(letter(at)) as usize])).collect()
    }

    /// Brings items into another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

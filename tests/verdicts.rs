//! How often a verdict is wrong: servers whose true percentiles are known, judged by the library
//! from what a client would have seen of them.

use nim_slurm::{Judgement, Percentile};

#[path = "common/random.rs"]
mod random;
use random::Random;

impl Random {
    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        let place = usize::try_from(self.bits() % items.len() as u64).expect("below the length");
        items[place]
    }
}

/// In ms.
const LIMIT: f64 = 500.0;

/// Standard deviations above the median, in which so many of 100 requests of a normal
/// distribution are.
const QUANTILES: [(u8, f64); 4] = [
    (50, 0.0),
    (90, 1.281_551_565_544_600_4),
    (95, 1.644_853_626_951_472_2),
    (99, 2.326_347_874_040_840_8),
];

#[derive(Default, Debug)]
struct Tally {
    within: u32,
    above: u32,
    cannot_tell: u32,
    false_within: u32,
    false_above: u32,
}

/// Judges servers whose times to first token are lognormal. Their true percentile differs from the
/// limit by `distance` at most, as a share of it.
fn judge(servers: u32, distance: f64, random: &mut Random) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..servers {
        let (number, quantile) = random.pick(&QUANTILES);
        let percentile = Percentile::new(number).expect("from 1 to 99");
        let truth = LIMIT * (1.0 + distance * (2.0 * random.share() - 1.0));
        let spread = random.pick(&[0.05, 0.2, 0.6]);
        let median = truth * (-quantile * spread).exp();
        let requests = random.pick(&[20, 64, 90, 130, 259, 459, 500, 662]);
        let measured = (0..requests).map(|_| median * (spread * random.normal()).exp());
        let judgement = Judgement::of(percentile, LIMIT, measured);
        match judgement {
            Judgement::Within => tally.within += 1,
            Judgement::Above => tally.above += 1,
            _ => tally.cannot_tell += 1,
        }
        tally.false_within += u32::from(judgement == Judgement::Within && truth > LIMIT);
        tally.false_above += u32::from(judgement == Judgement::Above && truth <= LIMIT);
    }
    tally
}

#[test]
fn of_ten_thousand_servers_near_a_limit_one_percent_at_most_is_judged_wrong() {
    const SERVERS: u32 = 10_000;
    let tally = judge(SERVERS, 0.1, &mut Random(1));
    println!("{tally:?}");
    assert!(tally.false_within <= SERVERS / 100, "{tally:?}");
    assert!(tally.false_above <= SERVERS / 100, "{tally:?}");
    // It is no judge that never commits itself.
    assert!(
        tally.within > SERVERS / 20 && tally.above > SERVERS / 20,
        "{tally:?}"
    );
}

/// The worst of all servers: those whose percentile is the limit itself, where either verdict is
/// as likely as it ever is.
#[test]
fn at_the_limit_itself_each_verdict_is_as_rare_as_it_claims() {
    let tally = judge(10_000, 1e-9, &mut Random(2));
    println!("{tally:?}");
    // Half of the servers are a hair's breadth above: what is false of them, is right of the others.
    assert!(tally.within <= 100 && tally.above <= 100, "{tally:?}");
    assert!(tally.within > 0 && tally.above > 0, "{tally:?}");
}

/// The same without chance: the exact probability of each verdict, summed over all numbers of
/// requests that may be over the limit.
#[test]
fn no_number_of_requests_makes_a_verdict_more_often_wrong() {
    for (number, _) in QUANTILES {
        let percentile = Percentile::new(number).expect("from 1 to 99");
        let over = f64::from(100 - number) / 100.0;
        for requests in [1, 7, 20, 44, 90, 130, 459, 500] {
            // The distribution, one request after the other.
            let mut chances = vec![1.0];
            for _ in 0..requests {
                let mut next = vec![0.0; chances.len() + 1];
                for (count, chance) in chances.iter().enumerate() {
                    next[count] += chance * (1.0 - over);
                    next[count + 1] += chance * over;
                }
                chances = next;
            }
            for verdict in [Judgement::Within, Judgement::Above] {
                let chance: f64 = (0..)
                    .zip(&chances)
                    .filter(|(count, _)| percentile.judge(*count, requests) == verdict)
                    .map(|(_, chance)| chance)
                    .sum();
                assert!(
                    chance <= 0.01 + 1e-9,
                    "{verdict} of {percentile}, {requests} requests: {chance}"
                );
            }
        }
    }
}

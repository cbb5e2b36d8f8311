//! What a program itself needs of time: on a busy machine it also waits for others.

use std::fs;
use std::sync::LazyLock;
use std::time::Instant;

/// The processor's time for this thread so far, in milliseconds; the clock's where the kernel
/// does not tell.
pub(crate) fn spent() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let Ok(stat) = fs::read_to_string("/proc/thread-self/stat") else {
        return u64::try_from(START.elapsed().as_millis()).unwrap();
    };
    // Behind the name, which may hold anything: the 12th and 13th field, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    10 * ticks
        .map(|field| field.parse::<u64>().unwrap())
        .sum::<u64>()
}

//! The goodput of a point, by its requests: the tools take a request without an inter-token latency for one that is too slow, or
//! compare the latencies of other requests.

use super::Run;
use super::metric::{Metric, Statistic, Statistics};
use super::point::Point;

/// Sets the goodput of each point whose client was told limits, as its manifest has its command.
pub(super) fn work_out(run: &mut Run) {
    let has_limits = |command: &[String]| command.iter().any(|word| word == OPTION);
    let mut manifests = run.manifests.iter();
    if !manifests.any(|manifest| has_limits(&manifest.client_command)) {
        return;
    }
    let limits_of = |point| limits_in(&run.manifest_of(point)?.client_command);
    let limits: Vec<_> = run.points.iter().map(limits_of).collect();
    for (point, limits) in run.points.iter_mut().zip(limits) {
        if let Some(limits) = limits {
            set(point, &limits);
        }
    }
}

const OPTION: &str = "--goodput";

/// The limits in a client's command, in ms: `METRIC:LIMIT` each, as words of their own or in one.
fn limits_in(command: &[String]) -> Option<Vec<(Metric, f64)>> {
    let place = command.iter().position(|word| word == OPTION)?;
    let words = command[place + 1..].iter();
    let limits = words.take_while(|word| !word.starts_with('-'));
    let limits = limits.flat_map(|words| words.split(' ')).map(|word| {
        let (metric, limit) = word.split_once(':')?;
        Some((Metric::from_name(metric)?, limit.parse().ok()?))
    });
    limits.collect()
}

fn set(point: &mut Point, limits: &[(Metric, f64)]) {
    let goodput = if let Some(requests) = point.requests() {
        requests.goodput(limits)
    } else {
        // The tool's own, unless it has taken answers of one token for slow ones.
        let is_limited = |(metric, _): &(Metric, f64)| *metric == Metric::InterTokenLatency;
        let least = [Statistic::Min, Statistic::Avg]
            .iter()
            .find_map(|statistic| point.value(Metric::OutputSequenceLength, *statistic));
        let is_wrong = limits.iter().any(is_limited) && least.is_some_and(|least| least < 2.0);
        let tool_s = point.value(Metric::RequestGoodput, Statistic::Avg);
        tool_s.filter(|_| !is_wrong)
    };
    let metrics = &mut point.content.metrics;
    match goodput {
        Some(goodput) => metrics.set(
            Metric::RequestGoodput,
            Statistics::from_iter([(Statistic::Avg, goodput)]),
        ),
        None => metrics.remove(Metric::RequestGoodput),
    }
}

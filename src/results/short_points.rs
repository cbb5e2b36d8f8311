//! Points that are too short to rely on, and those that took their place.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::measured::way;
use super::{Group, Point, Run};
use crate::load::Load;
use crate::slurm::RunId;

impl Run {
    /// The points that are [too short](Point::is_too_short) to rely on, but for those that another job measured in the same way
    /// for long enough, or the same job with more requests.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/requests/aiperf-1")?;
    /// let point = run.short_points()[0];
    /// assert!(point.seconds().unwrap() < 10.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn short_points(&self) -> Vec<&Point> {
        let groups = self.groups();
        let short = groups.iter().flat_map(|group| {
            let again = MeasuredAgain::of(self, group);
            let points = group.iter();
            points.filter(move |point| is_short(point) && again.by(point).is_none())
        });
        short.collect()
    }
}

fn is_short(point: &Point) -> bool {
    point.is_too_short() == Some(true)
}

/// Points of a use case that are long enough, by which others were measured again.
pub(crate) struct MeasuredAgain<'a> {
    run: &'a Run,
    by: HashMap<Measurement, &'a Point>,
}

/// How a job measured, and what: GPUs, load and server.
type Measurement = (String, Option<u32>, Option<Load>, Option<u32>);

impl<'a> MeasuredAgain<'a> {
    pub(crate) fn of(run: &'a Run, group: &Group<'a>) -> Self {
        let is_needed = group.iter().any(is_short);
        let long = group.iter().filter(|point| {
            is_needed && point.is_too_short() == Some(false) && point.caveat().is_none()
        });
        Self {
            run,
            by: long
                .filter_map(|point| Some((measurement(run, point)?, point)))
                .collect(),
        }
    }

    /// The point that takes the place of this one, which is too short.
    pub(crate) fn by(&self, point: &Point) -> Option<&'a Point> {
        if self.by.is_empty() || !is_short(point) {
            return None;
        }
        let other = self.by.get(&measurement(self.run, point)?).copied()?;
        // An earlier job takes the place of none, nor does a repeat in the same job.
        let job = |point: &Point| point.run().map(RunId::numbers);
        let is_again = match job(other).cmp(&job(point)) {
            Ordering::Greater => true,
            Ordering::Equal => other.request_count() > point.request_count(),
            Ordering::Less => false,
        };
        is_again.then_some(other)
    }
}

fn measurement(run: &Run, point: &Point) -> Option<Measurement> {
    let way = way(run, point)?;
    Some((way, point.gpus(), point.load(), point.replica()))
}

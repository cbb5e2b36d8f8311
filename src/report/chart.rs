//! Where the marks, ticks and lines of a chart go. No plotting crate is used: none
//! draws for a page that has a dark side and says a value on hover without a script.

use std::fmt::Write;

/// The drawing in its own units; a page scales it.
pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 400.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 52.0;

/// What tells a series apart, the same in every chart of a page.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) colour: usize,
    pub(super) shape: usize,
}

pub(super) const COLOURS: usize = 8;
pub(super) const SHAPES: usize = SHAPE.len();
const SHAPE: [Shape; 4] = [
    Shape::Circle,
    Shape::Square,
    Shape::Diamond,
    Shape::Triangle,
];

/// What a chart shows.
pub(super) struct Data {
    pub(super) title: &'static str,
    pub(super) x_label: String,
    pub(super) y_label: String,
    /// Whether there is nothing between two whole numbers across.
    pub(super) x_is_whole: bool,
    pub(super) series: Vec<Series>,
    /// A line across, and what it says.
    pub(super) limit: Option<(f64, String)>,
}

/// Marks that belong together.
pub(super) struct Series {
    pub(super) style: Style,
    pub(super) marks: Vec<Mark>,
    /// Places of those marks that a line joins.
    pub(super) line: Vec<(f64, f64)>,
}

/// A value, and what it says on hover.
pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) y: f64,
    /// The interval of several runs.
    pub(super) interval: Option<(f64, f64)>,
    pub(super) text: String,
}

/// A chart with everything in its place.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) x_label: String,
    pub(super) y_label: String,
    pub(super) x_ticks: Vec<Tick>,
    pub(super) y_ticks: Vec<Tick>,
    pub(super) series: Vec<Drawn>,
    pub(super) limit: Option<Limit>,
    pub(super) frame: Frame,
}

/// The corners of the plot.
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

pub(super) struct Tick {
    pub(super) at: String,
    pub(super) label: String,
}

pub(super) struct Limit {
    pub(super) at: String,
    pub(super) text: String,
}

/// A series with SVG's own words.
pub(super) struct Drawn {
    pub(super) colour: usize,
    pub(super) line: String,
    pub(super) marks: Vec<DrawnMark>,
}

pub(super) struct DrawnMark {
    /// The interval's bar, as far as it is in the frame; empty: none.
    pub(super) bar: String,
    pub(super) path: String,
    pub(super) text: String,
}

impl Chart {
    pub(super) fn draw(data: Data) -> Self {
        let marks = || data.series.iter().flat_map(|series| &series.marks);
        let mut x = Axis::new(marks().map(|mark| mark.x), LEFT, WIDTH - RIGHT);
        x.is_whole = data.x_is_whole;
        let limit = data.limit.iter().map(|(value, _)| *value);
        let y = Axis::new(
            marks().map(|mark| mark.y).chain(limit),
            HEIGHT - BOTTOM,
            TOP,
        );
        Self {
            title: data.title,
            x_label: data.x_label,
            y_label: data.y_label,
            x_ticks: x.ticks(),
            y_ticks: y.ticks(),
            limit: data.limit.map(|(value, text)| Limit {
                at: place(y.at(value)),
                text,
            }),
            series: data
                .series
                .into_iter()
                .map(|series| draw_series(series, &x, &y))
                .collect(),
            frame: Frame {
                left: LEFT,
                right: WIDTH - RIGHT,
                top: TOP,
                bottom: HEIGHT - BOTTOM,
            },
        }
    }
}

fn draw_series(series: Series, x: &Axis, y: &Axis) -> Drawn {
    let shape = SHAPE[series.style.shape];
    let mut line = String::new();
    for (across, up) in &series.line {
        let _ = write!(line, "{},{} ", place(x.at(*across)), place(y.at(*up)));
    }
    line.truncate(line.trim_end().len());
    Drawn {
        colour: series.style.colour,
        line,
        marks: series
            .marks
            .into_iter()
            .map(|mark| DrawnMark {
                bar: mark
                    .interval
                    .map_or_else(String::new, |interval| bar(x.at(mark.x), y, interval)),
                path: shape.path(x.at(mark.x), y.at(mark.y)),
                text: mark.text,
            })
            .collect(),
    }
}

/// A bar from the lower to the upper end of an interval, with a short stroke at an end that is in the frame.
fn bar(x: f64, y: &Axis, (low, high): (f64, f64)) -> String {
    let ends = [low, high].map(|end| (end.clamp(y.low, y.high), (y.low..=y.high).contains(&end)));
    let [low, high] = ends.map(|(end, _)| place(y.at(end)));
    let mut path = format!("M{} {low}V{high}", place(x));
    for (end, is_inside) in ends {
        if is_inside {
            let _ = write!(path, "M{} {}h8", place(x - 4.0), place(y.at(end)));
        }
    }
    path
}

impl Style {
    /// The mark of a legend, around (8, 8).
    pub(super) fn sample(self) -> String {
        SHAPE[self.shape].path(8.0, 8.0)
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Circle,
    Square,
    Diamond,
    Triangle,
}

impl Shape {
    /// An SVG path around a place.
    fn path(self, x: f64, y: f64) -> String {
        let (x, y) = (place(x), place(y));
        match self {
            Self::Circle => format!("M{x} {y}m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"),
            Self::Square => format!("M{x} {y}m-3.6 -3.6h7.2v7.2h-7.2z"),
            Self::Diamond => format!("M{x} {y}m0 -5l5 5l-5 5l-5 -5z"),
            Self::Triangle => format!("M{x} {y}m0 -5l4.6 8.4h-9.2z"),
        }
    }
}

/// A place with no more digits than an eye can see.
fn place(value: f64) -> String {
    format!("{value:.1}")
}

/// From values to places.
struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
    is_whole: bool,
    start: f64,
    end: f64,
}

impl Axis {
    /// An axis for these values, between two places. It is logarithmic when they
    /// span more than a decade.
    fn new(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let (mut low, mut high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |range, value| {
                (range.0.min(value), range.1.max(value))
            });
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // Differences of logarithms: a ratio may be more than a number can hold.
        let is_log = low > 0.0 && high.log10() - low.log10() > 1.0;
        if is_log {
            // Room for whole marks.
            (low, high) = (low / 1.15, (high * 1.15).min(f64::MAX));
        } else {
            low = low.min(0.0);
            high = if high > low {
                (high + (high - low) * 0.05).min(f64::MAX)
            } else {
                low + 1.0
            };
        }
        Self {
            low,
            high,
            is_log,
            is_whole: false,
            start,
            end,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.start + share * (self.end - self.start)
    }

    fn ticks(&self) -> Vec<Tick> {
        let values = if self.is_log {
            self.log_ticks()
        } else {
            self.linear_ticks()
        };
        values
            .into_iter()
            .map(|value| Tick {
                at: place(self.at(value)),
                label: label(value),
            })
            .collect()
    }

    /// Powers of ten: with 2 and 5 between them where that is few, and not all of
    /// them where that would be many.
    fn log_ticks(&self) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor(), self.high.log10());
        let decades = last - first;
        let steps: &[f64] = if decades > 4.0 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let stride = (decades / 8.0).ceil().max(1.0);
        let mut ticks = Vec::new();
        let mut power = first;
        while power <= last {
            ticks.extend(
                steps
                    .iter()
                    .map(|step| step * 10_f64.powf(power))
                    .filter(|tick| (self.low..=self.high).contains(tick)),
            );
            power += stride;
        }
        ticks
    }

    /// About six round numbers.
    fn linear_ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 6.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|step| step * power)
            .find(|step| *step >= rough)
            .unwrap_or(rough)
            .max(if self.is_whole { 1.0 } else { 0.0 });
        let mut ticks = Vec::new();
        let mut number = (self.low / step).ceil();
        while number * step <= self.high {
            ticks.push(number * step);
            number += 1.0;
        }
        ticks
    }
}

/// A round number, short: 20k for 20000.
fn label(value: f64) -> String {
    let size = value.abs();
    if size >= 1e12 || (size > 0.0 && size < 1e-4) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let (value, unit) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    // Steps of a sum of thirds would show their last bits.
    let rounded = format!("{value:.4}");
    let short = rounded.trim_end_matches('0').trim_end_matches('.');
    format!("{short}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64]) -> Vec<String> {
        Axis::new(values.iter().copied(), 0.0, 100.0)
            .ticks()
            .into_iter()
            .map(|tick| tick.label)
            .collect()
    }

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(labels(&[1.0, 5.0]), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(
            labels(&[1.0, 100.0]),
            ["1", "2", "5", "10", "20", "50", "100"]
        );
        assert_eq!(labels(&[0.0, 60_000.0]), ["0", "20k", "40k", "60k"]);
        assert_eq!(
            labels(&[0.001, 0.002]),
            ["0", "0.0005", "0.001", "0.0015", "0.002"]
        );
    }

    #[test]
    fn whole_numbers_have_nothing_between_them() {
        for (values, expected) in [
            (&[1.0][..], &["0", "1"][..]),
            (&[1.0, 2.0], &["0", "1", "2"]),
            (&[1.0, 64.0], &["1", "2", "5", "10", "20", "50"]),
        ] {
            let mut axis = Axis::new(values.iter().copied(), 0.0, 100.0);
            axis.is_whole = true;
            let labels: Vec<_> = axis.ticks().into_iter().map(|tick| tick.label).collect();
            assert_eq!(labels, expected);
        }
    }

    #[test]
    fn labels_are_short() {
        for (value, expected) in [
            (1e300, "1e300"),
            (2.5e12, "2.5e12"),
            (1e9, "1G"),
            (3.0 * 1e-7, "3e-7"),
            (0.0, "0"),
        ] {
            assert_eq!(label(value), expected);
        }
    }

    #[test]
    fn nothing_and_one_value_have_an_axis() {
        for values in [
            &[][..],
            &[0.0],
            &[7.0],
            &[1e-300, 1e300],
            &[0.0, f64::MAX],
            &[f64::MIN_POSITIVE, f64::MAX],
            &[0.0, 5e-324],
        ] {
            let axis = Axis::new(values.iter().copied(), 0.0, 100.0);
            assert!(axis.ticks().len() < 20);
            for value in values {
                assert!((0.0..=100.0).contains(&axis.at(*value)), "{values:?}");
            }
        }
    }
}

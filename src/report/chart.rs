//! Where the marks, ticks and lines of a chart go. No plotting crate is used: none
//! draws for a page that has a dark side and says a value on hover without a script.

use std::fmt::Write;

/// The drawing in its own units; a page scales it.
pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 400.0;
/// The margins have room for the letters of a narrow screen.
const LEFT: f64 = 92.0;
const RIGHT: f64 = 26.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 64.0;

/// The height of letters on a narrow screen, where the drawing is scaled down: what fits then fits on every screen.
pub(super) const LETTERS: f64 = 20.0;
/// On average, and of digits.
const LETTER_WIDTH: f64 = 0.58 * LETTERS;
/// From the line that letters stand on to the top of a digit.
const DIGIT_HEIGHT: f64 = 0.75 * LETTERS;

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
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) y_label: String,
    /// Whether the ticks across are the values of the marks, where these are few: concurrencies that were measured.
    pub(super) x_ticks_are_marks: bool,
    /// Whether the intervals along a line are one band.
    pub(super) has_bands: bool,
    /// What a ring around a mark says.
    pub(super) best: &'static str,
    /// What the shapes of the marks stand for, where that is the same in all series.
    pub(super) shapes: &'static [(usize, &'static str)],
    /// Those that are drawn first, below the others, come first.
    pub(super) series: Vec<Series>,
    /// Lines below all series, such as the best of several.
    pub(super) frontiers: Vec<Vec<(f64, f64)>>,
    /// A line across, and what it says.
    pub(super) limit: Option<(f64, String)>,
}

/// Marks that belong together.
pub(super) struct Series {
    pub(super) style: Style,
    /// Whether it is what was there before: dashed, with hollow marks.
    pub(super) is_earlier: bool,
    pub(super) marks: Vec<Mark>,
    /// Places of those marks that a line joins.
    pub(super) line: Vec<(f64, f64)>,
}

/// A value, and what it says on hover.
#[derive(Default)]
pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) y: f64,
    /// The interval of several runs.
    pub(super) interval: Option<(f64, f64)>,
    pub(super) text: String,
    /// What stands beside it, where there is room.
    pub(super) label: Option<String>,
    pub(super) is_best: bool,
    /// Why it is no candidate for the best, where it is none.
    pub(super) dim: Option<Dim>,
}

/// Why a mark is pale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dim {
    AboveLimit,
    TooShort,
    NotTrusted,
    /// A probe of a search, whose marks have shapes.
    NotHeld,
}

impl Dim {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AboveLimit => "above a limit",
            Self::TooShort => "too short",
            Self::NotTrusted => "not to be trusted",
            Self::NotHeld => "not held",
        }
    }
}

/// A chart with everything in its place.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) y_label: String,
    pub(super) x_ticks: Vec<Tick>,
    pub(super) y_ticks: Vec<Tick>,
    pub(super) best: &'static str,
    pub(super) shapes: &'static [(usize, &'static str)],
    pub(super) frontiers: Vec<String>,
    pub(super) series: Vec<Drawn>,
    pub(super) labels: Vec<Label>,
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
    at: f64,
    /// Empty where there is no room.
    pub(super) label: String,
    /// Whether it is more than those around it: a power of ten.
    is_major: bool,
}

impl Tick {
    pub(super) fn place(&self) -> String {
        place(self.at)
    }
}

pub(super) struct Limit {
    pub(super) at: String,
    /// The line that its letters stand on.
    pub(super) text_at: String,
    pub(super) text: String,
}

/// What stands beside a mark.
pub(super) struct Label {
    pub(super) colour: usize,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) anchor: &'static str,
    pub(super) text: String,
}

/// A series with SVG's own words.
pub(super) struct Drawn {
    pub(super) colour: usize,
    pub(super) is_earlier: bool,
    pub(super) bands: Vec<String>,
    pub(super) line: String,
    pub(super) marks: Vec<DrawnMark>,
}

pub(super) struct DrawnMark {
    /// The interval's bar, as far as it is in the frame; empty: none.
    pub(super) bar: String,
    pub(super) path: String,
    /// Around the best one; empty: it is not.
    pub(super) ring: String,
    pub(super) dim: Option<Dim>,
    pub(super) text: String,
}

impl Chart {
    pub(super) fn draw(data: Data) -> Self {
        let marks = || data.series.iter().flat_map(|series| &series.marks);
        let x = Axis::new(marks().map(|mark| mark.x), LEFT, WIDTH - RIGHT);
        let limit = data.limit.iter().map(|(value, _)| *value);
        // An interval, as long as it does not make the marks small.
        let highest = marks().map(|mark| mark.y).fold(0.0, f64::max);
        let intervals = marks().filter_map(|mark| Some(mark.interval?.1.min(2.0 * highest)));
        let y = Axis::new(
            marks().map(|mark| mark.y).chain(intervals).chain(limit),
            HEIGHT - BOTTOM,
            TOP,
        );
        let scaled = |label: String, axis: &Axis| {
            let scale = if axis.is_log { ", log scale" } else { "" };
            label + scale
        };
        Self {
            labels: labels(&data.series, &x, &y),
            title: data.title,
            best: data.best,
            shapes: data.shapes,
            x_label: scaled(data.x_label, &x),
            y_label: scaled(data.y_label, &y),
            x_ticks: with_room(if data.x_ticks_are_marks {
                x.ticks_of(marks().map(|mark| mark.x))
            } else {
                x.ticks()
            }),
            y_ticks: y.ticks(),
            limit: data.limit.map(|(value, text)| limit_at(y.at(value), text)),
            frontiers: data
                .frontiers
                .iter()
                .map(|line| points(line, &x, &y))
                .collect(),
            series: data
                .series
                .iter()
                .map(|series| draw_series(series, data.has_bands, &x, &y))
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

/// A limit's text is above its line, or below where that is at the top.
fn limit_at(at: f64, text: String) -> Limit {
    let above = at - 5.0;
    let is_inside = above - DIGIT_HEIGHT >= TOP;
    Limit {
        at: place(at),
        text_at: place(if is_inside { above } else { at + LETTERS }),
        text,
    }
}

/// The places of a polyline.
fn points(line: &[(f64, f64)], x: &Axis, y: &Axis) -> String {
    let places: Vec<_> = line
        .iter()
        .map(|(across, up)| format!("{},{}", place(x.at(*across)), place(y.at(*up))))
        .collect();
    places.join(" ")
}

fn draw_series(series: &Series, has_bands: bool, x: &Axis, y: &Axis) -> Drawn {
    let shape = SHAPE[series.style.shape];
    let has_interval = |number: usize| {
        let mark = series.marks.get(number);
        mark.is_some_and(|mark| mark.interval.is_some())
    };
    let in_band = |number: usize| {
        let before = number.checked_sub(1).is_some_and(has_interval);
        has_bands && (before || has_interval(number + 1))
    };
    let marks = series.marks.iter().enumerate().map(|(number, mark)| {
        let (across, up) = (x.at(mark.x), y.at(mark.y));
        let interval = mark.interval.filter(|_| !in_band(number));
        DrawnMark {
            bar: interval.map_or_else(String::new, |interval| bar(across, y, interval)),
            path: shape.path(across, up),
            ring: if mark.is_best {
                ring(across, up)
            } else {
                String::new()
            },
            dim: mark.dim,
            text: mark.text.clone(),
        }
    });
    Drawn {
        colour: series.style.colour,
        is_earlier: series.is_earlier,
        line: points(&series.line, x, y),
        marks: marks.collect(),
        bands: if has_bands {
            bands(&series.marks, x, y)
        } else {
            Vec::new()
        },
    }
}

/// Where several marks side by side have an interval: along the upper ends, and back along the lower ones, within the frame.
fn bands(marks: &[Mark], x: &Axis, y: &Axis) -> Vec<String> {
    let at = |mark: &Mark, end: f64| {
        let end = end.clamp(y.low, y.high);
        format!("{} {}", place(x.at(mark.x)), place(y.at(end)))
    };
    let stretches = marks.split(|mark| mark.interval.is_none());
    stretches
        .filter(|stretch| stretch.len() > 1)
        .map(|stretch| {
            let ends = || {
                stretch
                    .iter()
                    .filter_map(|mark| Some((mark, mark.interval?)))
            };
            let there = ends().map(|(mark, (_, high))| at(mark, high));
            let back = ends().rev().map(|(mark, (low, _))| at(mark, low));
            let places: Vec<_> = there.chain(back).collect();
            format!("M{}z", places.join("L"))
        })
        .collect()
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

/// What is around the best mark.
pub(super) fn ring(x: f64, y: f64) -> String {
    let (x, y) = (place(x), place(y));
    format!("M{x} {y}m-8 0a8 8 0 1 0 16 0a8 8 0 1 0 -16 0z")
}

// ---- Letters --------------------------------------------------------------------

/// Where letters are.
#[derive(Clone, Copy)]
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn around(x: f64, y: f64, distance: f64) -> Self {
        Self {
            left: x - distance,
            right: x + distance,
            top: y - distance,
            bottom: y + distance,
        }
    }

    fn is_in_frame(&self) -> bool {
        self.left >= LEFT
            && self.right <= WIDTH - RIGHT
            && self.top >= TOP
            && self.bottom <= HEIGHT - BOTTOM
    }
}

/// What of a drawing is taken, in cells that are smaller than a letter: so it takes no longer with many marks.
struct Taken {
    cells: Vec<bool>,
}

impl Taken {
    const CELL: f64 = 4.0;
    const COLUMNS: usize = 160;
    const ROWS: usize = 100;

    fn new() -> Self {
        Self {
            cells: vec![false; Self::COLUMNS * Self::ROWS],
        }
    }

    fn cells_of(area: Area) -> impl Iterator<Item = usize> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and the number of cells"
        )]
        let cell =
            |place: f64, cells: usize| ((place / Self::CELL).max(0.0) as usize).min(cells - 1);
        let columns = cell(area.left, Self::COLUMNS)..=cell(area.right, Self::COLUMNS);
        let rows = cell(area.top, Self::ROWS)..=cell(area.bottom, Self::ROWS);
        rows.flat_map(move |row| {
            columns
                .clone()
                .map(move |column| row * Self::COLUMNS + column)
        })
    }

    fn take(&mut self, area: Area) {
        for cell in Self::cells_of(area) {
            self.cells[cell] = true;
        }
    }

    fn is_free(&self, area: Area) -> bool {
        Self::cells_of(area).all(|cell| !self.cells[cell])
    }
}

/// What stands beside the marks: the best one's first, then those at the ends of a series, then others, as far as there is
/// room between marks and other labels.
fn labels(series: &[Series], x: &Axis, y: &Axis) -> Vec<Label> {
    let [mut below, mut taken] = [Taken::new(), Taken::new()];
    let mut wanted = Vec::new();
    for series in series {
        let colour = series.style.colour;
        let last = series.marks.len().saturating_sub(1);
        for (number, mark) in series.marks.iter().enumerate() {
            let (across, up) = (x.at(mark.x), y.at(mark.y));
            below.take(Area::around(
                across,
                up,
                if mark.is_best { 8.0 } else { 5.0 },
            ));
            if let Some(text) = &mark.label {
                let is_end = number == 0 || number == last;
                wanted.push((mark.is_best, is_end, (across, up), text, colour));
            }
        }
    }
    wanted.sort_by_key(|(is_best, is_end, ..)| (!is_best, !is_end));
    let mut labels = Vec::new();
    for (is_best, _, (across, up), text, colour) in wanted {
        let sides: Vec<_> = sides(across, up, text, colour)
            .into_iter()
            .filter(|(_, area)| area.is_in_frame() && taken.is_free(*area))
            .collect();
        let free = sides.iter().position(|(_, area)| below.is_free(*area));
        // The best one's is worth more than the marks below it.
        let side = free.or(is_best.then_some(0));
        if let Some((label, area)) = side.and_then(|side| sides.into_iter().nth(side)) {
            taken.take(area);
            labels.push(label);
        }
    }
    labels
}

/// Where a label may be: where a curve that falls to the right leaves room comes first.
fn sides(x: f64, y: f64, text: &str, colour: usize) -> [(Label, Area); 6] {
    let width = width(text);
    [
        (9.0, -6.0, "start"),
        (-9.0, 6.0 + DIGIT_HEIGHT, "end"),
        (11.0, DIGIT_HEIGHT / 2.0, "start"),
        (-11.0, DIGIT_HEIGHT / 2.0, "end"),
        (0.0, -11.0, "middle"),
        (0.0, 11.0 + DIGIT_HEIGHT, "middle"),
    ]
    .map(|(right, down, anchor)| {
        let (x, y) = (x + right, y + down);
        let left = match anchor {
            "start" => x,
            "end" => x - width,
            _ => x - width / 2.0,
        };
        let area = Area {
            left,
            right: left + width,
            top: y - DIGIT_HEIGHT,
            bottom: y,
        };
        let label = Label {
            colour,
            x: place(x),
            y: place(y),
            anchor,
            text: text.to_owned(),
        };
        (label, area)
    })
}

/// How wide letters are, about.
#[expect(clippy::cast_precision_loss, reason = "labels are short")]
fn width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER_WIDTH
}

/// Ticks across without the labels that would run into others; powers of ten come first.
fn with_room(mut ticks: Vec<Tick>) -> Vec<Tick> {
    const GAP: f64 = 4.0;
    let mut taken: Vec<(f64, f64)> = Vec::new();
    let mut in_order: Vec<&mut Tick> = ticks.iter_mut().collect();
    in_order.sort_by_key(|tick| !tick.is_major);
    for tick in in_order {
        let half = width(&tick.label) / 2.0 + GAP;
        let (left, right) = (tick.at - half, tick.at + half);
        if taken
            .iter()
            .all(|other| right <= other.0 || left >= other.1)
        {
            taken.push((left, right));
        } else {
            tick.label.clear();
        }
    }
    ticks
}

// ---- Marks ----------------------------------------------------------------------

impl Style {
    /// A shape where the colour does not matter.
    pub(super) const fn of_shape(shape: usize) -> Self {
        Self { colour: 0, shape }
    }

    /// The mark of a legend, around (14, 8).
    pub(super) fn sample(self) -> String {
        SHAPE[self.shape].path(14.0, 8.0)
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
        self.ticks_at(if self.is_log {
            self.log_ticks()
        } else {
            self.linear_ticks()
        })
    }

    /// Ticks at these values; round numbers where they are many.
    fn ticks_of(&self, values: impl Iterator<Item = f64>) -> Vec<Tick> {
        const MOST: usize = 16;
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        if values.len() > MOST {
            self.ticks()
        } else {
            self.ticks_at(values)
        }
    }

    fn ticks_at(&self, values: Vec<f64>) -> Vec<Tick> {
        values
            .into_iter()
            .map(|value| {
                let label = label(value);
                Tick {
                    at: self.at(value),
                    is_major: self.is_log && label.starts_with('1'),
                    label,
                }
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
            .unwrap_or(rough);
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
    fn measured_concurrencies_are_ticks_while_they_are_few() {
        let ticks = |values: &[f64]| -> Vec<String> {
            let axis = Axis::new(values.iter().copied(), 0.0, 100.0);
            let ticks = axis.ticks_of(values.iter().copied());
            ticks.into_iter().map(|tick| tick.label).collect()
        };
        assert_eq!(ticks(&[1.0]), ["1"]);
        assert_eq!(ticks(&[32.0, 8.0, 32.0]), ["8", "32"]);
        assert_eq!(ticks(&[1.0, 4.0, 64.0]), ["1", "4", "64"]);
        let many: Vec<_> = (1..=17).map(f64::from).collect();
        assert_eq!(ticks(&many), ["1", "2", "5", "10"]);
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

//! Each request of a point, and the part of the point in which the load was steady.

mod read;

use camino::Utf8Path;

use super::metric::{Metric, Metrics, Statistic, Statistics};
use super::problem::ReadProblem;

/// One request, as the tool's file of requests tells it.
///
/// ```
/// use nim_slurm::results::Requests;
///
/// let requests = Requests::read("tests/data/requests/aiperf-1/profile_export.jsonl")?;
/// let first = requests.as_slice()[0];
/// assert!(!first.has_failed());
/// // Nanoseconds since 1970.
/// let (start, end) = (first.start(), first.end());
/// assert!(start < first.first_token().unwrap() && first.first_token().unwrap() < end);
/// assert_eq!((first.input_tokens(), first.output_tokens()), (Some(128), Some(140)));
/// // In ms.
/// let round = |value: Option<f64>| (value.unwrap() * 100.0).round() / 100.0;
/// assert_eq!(round(first.time_to_first_token()), 23.05);
/// assert_eq!(round(first.inter_token_latency()), 1.8); // (272.82 - 23.05) / 139
/// assert_eq!(round(first.latency()), 272.82);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    start: u64,
    first_token: Option<u64>,
    end: u64,
    /// When the server had ended its answer: after the last token, some say more.
    closed: u64,
    /// When AIPerf's clock said that it is to be sent.
    due: Option<u64>,
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    tokens_of: TokensOf,
    has_failed: bool,
    /// Whether it is not the first one of its conversation.
    is_later_turn: bool,
}

/// Who counted the tokens of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokensOf {
    Server,
    /// Nobody: these are the pieces in which it came, with the letters of its text.
    Pieces {
        letters: u32,
    },
    Other,
}

impl Request {
    /// When it was sent, in ns since 1970.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// When its first token came, in ns since 1970; of streamed answers alone.
    #[must_use]
    pub const fn first_token(&self) -> Option<u64> {
        self.first_token
    }

    /// When its last token came, in ns since 1970.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    pub(super) const fn closed(&self) -> u64 {
        self.closed
    }

    /// Tokens of the prompt. GenAI-Perf's file has only its text.
    #[must_use]
    pub const fn input_tokens(&self) -> Option<u32> {
        self.input_tokens
    }

    /// Tokens of the answer, as AIPerf counted them. Of GenAI-Perf, what the server said of them
    /// or, where it did not, the pieces in which the answer came.
    ///
    /// A server may put several tokens into a piece, as with speculative decoding, and more in one answer than in another.
    /// GenAI-Perf counts the tokens of the text. So where all answers have one length in the tool's table, a
    /// [`Point`](super::Point) takes it for each. Else, where the mean number of pieces differs from the mean output length there
    /// by more than 5 %, each answer has as many of the tool's tokens as it has letters of all answers, rounded.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # for file in ["profile_export.json", "profile_export_genai_perf.json"] {
    /// #     let text = std::fs::read_to_string(format!("tests/data/requests/genai-perf-2/{file}"))?;
    /// #     let key = "\"output_sequence_length\": {";
    /// #     let text = text.replace(key, &format!("{key} \"unit\": \"tokens\", \"avg\": 64.0 }}, \"other\": {{"));
    /// #     std::fs::write(folder.join(file), text)?;
    /// # }
    /// use nim_slurm::results::{Requests, Run};
    ///
    /// // By itself, the file tells of 16 pieces in each answer.
    /// let requests = Requests::read(folder.join("profile_export.json"))?;
    /// assert_eq!(requests.as_slice()[0].output_tokens(), Some(16));
    /// // The tool counted 64 tokens.
    /// let run = Run::read(folder)?;
    /// let requests = run.points()[0].requests().unwrap();
    /// assert_eq!(requests.as_slice()[0].output_tokens(), Some(64));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn output_tokens(&self) -> Option<u32> {
        self.output_tokens
    }

    /// Whether it has no answer, or was cancelled, or the server broke it off with an error.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    pub(super) const fn is_later_turn(&self) -> bool {
        self.is_later_turn
    }

    /// From sending to the first token, in ms.
    #[must_use]
    pub fn time_to_first_token(&self) -> Option<f64> {
        self.of(Metric::TimeToFirstToken)
    }

    /// The time after the first token over the number of tokens after it, in ms. Answers of one
    /// token have none, and of one whose tokens came all at once it is not known.
    #[must_use]
    pub fn inter_token_latency(&self) -> Option<f64> {
        self.of(Metric::InterTokenLatency)
    }

    /// From sending to the last token, in ms; of answered requests.
    #[must_use]
    pub fn latency(&self) -> Option<f64> {
        self.of(Metric::RequestLatency)
    }

    /// The request's own value of a metric that each request has one of.
    fn of(&self, metric: Metric) -> Option<f64> {
        let (from, to) = self.interval_of(metric)?;
        let tokens = match metric {
            Metric::InterTokenLatency => f64::from(self.output_tokens? - 1),
            _ => 1.0,
        };
        Some(nanoseconds(from, to) / 1e6 / tokens)
    }

    /// The pieces in which the answer came, and the letters of its text; of one whose tokens nobody counted.
    fn pieces(&self) -> Option<(u32, u32)> {
        match self.tokens_of {
            TokensOf::Pieces { letters } => Some((self.output_tokens?, letters)),
            _ => None,
        }
    }

    /// Whether it has several tokens and only one time of them.
    fn came_at_once(&self) -> bool {
        let has_several = self.output_tokens.is_some_and(|tokens| tokens > 1);
        !self.has_failed && has_several && self.first_token == Some(self.end)
    }

    /// From when to when a metric is measured.
    fn interval_of(&self, metric: Metric) -> Option<(u64, u64)> {
        if self.has_failed {
            return None;
        }
        match metric {
            Metric::TimeToFirstToken => Some((self.start, self.first_token?)),
            Metric::InterTokenLatency => {
                let first = self.first_token?;
                (self.output_tokens? > 1 && first < self.end).then_some((first, self.end))
            }
            Metric::RequestLatency => Some((self.start, self.end)),
            _ => None,
        }
    }

    /// How many of the answer's tokens came from `from` to `to`: the first when it did, the others
    /// at equal distances until the end.
    fn tokens_between(&self, from: u64, to: u64) -> f64 {
        let Some(tokens) = self.output_tokens.filter(|tokens| *tokens > 0) else {
            return 0.0;
        };
        let first = self.first_token.unwrap_or(self.end);
        let is_first_in = first >= from && first <= to;
        f64::from(u8::from(is_first_in)) + f64::from(tokens - 1) * share(first, self.end, from, to)
    }
}

/// Nanoseconds from one time to a later one.
#[expect(
    clippy::cast_precision_loss,
    reason = "an hour has 42 bits of nanoseconds"
)]
const fn nanoseconds(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64
}

/// Which share of an interval lies in another one. One without length lies in it or does not.
fn share(start: u64, end: u64, from: u64, to: u64) -> f64 {
    if start >= end {
        return f64::from(u8::from(end >= from && end <= to));
    }
    nanoseconds(start.max(from), end.min(to)) / nanoseconds(start, end)
}

/// The measured requests of a point, by the time at which they were sent. Those of a warm-up are
/// not among them.
///
/// GenAI-Perf's file of them is `profile_export.json`, AIPerf's `profile_export.jsonl`.
///
/// ```
/// use nim_slurm::results::{Metric, Requests, Statistic};
///
/// let requests = Requests::read("tests/data/requests/aiperf-16/profile_export.jsonl")?;
/// assert_eq!((requests.as_slice().len(), requests.failed()), (80, 0));
/// assert_eq!(requests.values(Metric::TimeToFirstToken).count(), 80);
///
/// // Of the whole point, as the tool counts, and of the part with 16 in flight.
/// let whole = requests.figures().unwrap();
/// let steady = requests.steady().unwrap();
/// assert_eq!(steady.level(), 16);
/// assert!(steady.seconds() < whole.seconds());
/// let throughput = |figures: &nim_slurm::results::Figures| {
///     figures.metric(Metric::OutputTokenThroughput).unwrap().get(Statistic::Avg).unwrap()
/// };
/// assert!(throughput(&steady) > throughput(&whole)); // no beginning and no end
///
/// let error = Requests::read("tests/data/requests/none.jsonl").unwrap_err();
/// assert!(error.to_string().starts_with("tests/data/requests/none.jsonl: cannot be read: "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requests(Vec<Request>);

impl Requests {
    /// What measured for less is too short to go by, in seconds.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/requests/aiperf-1")?;
    /// assert!(run.points()[0].seconds().unwrap() < nim_slurm::results::Requests::SHORT);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const SHORT: f64 = 10.0;

    /// By how many ms they were sent late on average, where AIPerf says of all when they were due.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a file has a million requests at most"
    )]
    pub(super) fn lateness(&self) -> Option<f64> {
        let late_of = |it: &Request| Some(nanoseconds(it.due?, it.start) / 1e6);
        let late: Option<Vec<f64>> = self.0.iter().map(late_of).collect();
        let late = late.filter(|late| !late.is_empty())?;
        let count = late.len() as f64;
        Some(late.iter().sum::<f64>() / count)
    }

    /// Reads a tool's file of requests: AIPerf's where its name ends with `.jsonl`, GenAI-Perf's
    /// else. It is read as a stream: what stands between the times takes no memory.
    ///
    /// # Errors
    ///
    /// When it is no such file, is cut off or larger than any tool writes, or has a time that
    /// cannot be. Half of the requests would be another point, so it is all of them or none.
    pub fn read(path: impl AsRef<Utf8Path>) -> Result<Self, ReadProblem> {
        let mut requests = read::read(path.as_ref())?;
        requests.sort_unstable_by_key(|request| (request.start, request.end));
        Ok(Self(requests))
    }

    /// Refuses a file that ends between two requests: the tool counts them as well.
    pub(super) fn checked(
        self,
        file: &Utf8Path,
        counted: Option<f64>,
    ) -> Result<Self, ReadProblem> {
        let Some(counted) = counted else {
            return Ok(self);
        };
        let (all, answered) = (self.0.len(), self.0.len() - self.failed());
        // Whether those without an answer are counted is the tool's affair.
        if [all, answered]
            .map(|count| count.to_string())
            .contains(&counted.to_string())
        {
            return Ok(self);
        }
        let message = format!(
            "has {answered} answered requests, and the tool counts {counted}: it is left out"
        );
        Err(ReadProblem::new(file, None, message))
    }

    /// Takes pieces for as many tokens as they have by the output lengths in the tool's table, where these tell another number.
    pub(super) fn with_tokens_of(mut self, lengths: Option<&Statistics>) -> Self {
        let of = |statistic| lengths.and_then(|lengths| lengths.get(statistic));
        let Some(mean) = of(Statistic::Avg).filter(|mean| mean.is_finite() && *mean > 0.0) else {
            return self;
        };
        let is_one_length =
            of(Statistic::Min).is_some() && of(Statistic::Min) == of(Statistic::Max);
        let (mut count, mut pieces, mut letters) = (0.0, 0.0, 0.0);
        for (own_pieces, own) in self.0.iter().filter_map(Request::pieces) {
            count += 1.0;
            pieces += f64::from(own_pieces);
            letters += f64::from(own);
        }
        let tokens = mean * count;
        if !is_one_length && (tokens / pieces - 1.0).abs() <= OTHER_TOKENS {
            return self;
        }
        for request in &mut self.0 {
            let Some((_, own)) = request.pieces() else {
                continue;
            };
            let own = if is_one_length {
                mean
            } else {
                tokens * f64::from(own) / letters
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is not below zero, and what is too large becomes the largest"
            )]
            let own = own.round() as u32;
            request.output_tokens = Some(own);
        }
        self
    }

    /// How many answers have several tokens that all came at once: the tools take 0 for their inter-token latency.
    pub(crate) fn at_once(&self) -> usize {
        let requests = self.0.iter();
        requests.filter(|request| request.came_at_once()).count()
    }

    /// Whether the inter-token latency is known of as many answers as tell that of all: at most one in twenty came at once.
    pub(crate) fn knows_inter_token_latency(&self) -> bool {
        20 * self.at_once() <= self.0.len() - self.failed()
    }

    /// The mean of the server's own counts of tokens, where it told of each answer.
    pub(crate) fn mean_told_by_server(&self) -> Option<f64> {
        let mut answered = self.0.iter().filter(|request| !request.has_failed);
        let (tokens, count) = answered.try_fold((0.0, 0.0), |(tokens, count), request| {
            let own = request
                .output_tokens
                .filter(|_| request.tokens_of == TokensOf::Server);
            Some((tokens + f64::from(own?), count + 1.0))
        })?;
        Some(tokens / count).filter(|mean| *mean > 0.0)
    }

    /// The requests.
    #[must_use]
    pub fn as_slice(&self) -> &[Request] {
        &self.0
    }

    /// How many have no answer.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.0.iter().filter(|request| request.has_failed).count()
    }

    /// Each request's value of a metric, in ms. Of the time to first token, the inter-token latency
    /// and the request latency alone; a request that has none is left out. Where the tokens of more than one answer in twenty came
    /// at once, there is no inter-token latency.
    pub fn values(&self, metric: Metric) -> impl Iterator<Item = f64> + '_ {
        let is_known = metric != Metric::InterTokenLatency || self.knows_inter_token_latency();
        let requests = self.0.iter().filter(move |_| is_known);
        requests.filter_map(move |request| request.of(metric))
    }

    /// Those that were sent when an answer had come: not the first wave, which starts at once, as users never do, and not
    /// requests without an answer. A [search](crate::recipe::Search) judges by these.
    ///
    /// ```
    /// use nim_slurm::results::Requests;
    ///
    /// let requests = Requests::read("tests/data/requests/aiperf-16/profile_export.jsonl")?; // 16 in flight
    /// assert_eq!((requests.as_slice().len(), requests.after_the_first_wave().as_slice().len()), (80, 64));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn after_the_first_wave(&self) -> Self {
        let answered = || self.0.iter().filter(|request| !request.has_failed);
        let first = answered().map(|request| request.end).min();
        let later = answered().filter(|request| first.is_some_and(|first| request.start >= first));
        Self(later.copied().collect())
    }

    /// The requests in a second that keep all limits, in ms. One of a single token has no inter-token latency, and keeps any
    /// limit on it; so do a few whose tokens came at once. Where nobody knows it of more than one in twenty, there is none.
    pub(super) fn goodput(&self, limits: &[(Metric, f64)]) -> Option<f64> {
        let (mut kept, mut unknown, mut all) = (0_u32, 0_u32, 0_u32);
        for request in self.0.iter().filter(|request| !request.has_failed) {
            let has_one_token = request.output_tokens.is_some_and(|tokens| tokens < 2);
            let mut keeps = true;
            for &(metric, limit) in limits {
                match request.of(metric) {
                    Some(value) => keeps &= value <= limit,
                    None if metric == Metric::InterTokenLatency && has_one_token => {}
                    None => unknown += 1,
                }
            }
            kept += u32::from(keeps);
            all += 1;
        }
        if unknown.saturating_mul(20) > all {
            return None;
        }
        let (start, end) = self.span()?;
        let goodput = f64::from(kept) / nanoseconds(start, end) * 1e9;
        goodput.is_finite().then_some(goodput)
    }

    /// From the first request's start to the last one's end.
    pub(crate) fn span(&self) -> Option<(u64, u64)> {
        let end = self.0.iter().map(|request| request.end).max()?;
        Some((self.0.first()?.start, end))
    }

    /// Which share of the time from the first request's start to the last one's end had requests
    /// in flight. The rest was the client's.
    ///
    /// ```
    /// use nim_slurm::results::Requests;
    ///
    /// let requests = Requests::read("tests/data/requests/aiperf-1/profile_export.jsonl")?;
    /// let share = requests.share_in_flight().unwrap();
    /// assert!(share > 0.95 && share < 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn share_in_flight(&self) -> Option<f64> {
        let (from, to) = self.span()?;
        let busy: f64 = self
            .in_flight()
            .iter()
            .filter(|part| part.count > 0)
            .map(Part::length)
            .sum();
        Some(busy / nanoseconds(from, to)).filter(|share| share.is_finite())
    }

    /// The figures of all requests. `None` when no time passes between the first start and the
    /// last end.
    #[must_use]
    pub fn figures(&self) -> Option<Figures> {
        let (from, to) = self.span()?;
        let peak = self.in_flight().iter().map(|part| part.count).max();
        Figures::new(self, from, to, peak.unwrap_or_default())
    }

    /// The figures of the steady part: the longest interval with the load at its level, between
    /// the rise at the beginning and the fall at the end.
    ///
    /// The level is the number of requests in flight that at least a quarter of the time has, so
    /// that a short peak is none; the load is at it with 90 % of them or more. It may fall below for
    /// as long as the median request takes: a client that sends the next request needs a moment.
    ///
    /// There is none where the load does not stay at its level: where the interval is shorter than a second, or than half of
    /// the time between that rise and that fall; and where the rise goes on behind the first answer, for more than half of the
    /// time in which requests are sent. A request that lies partly in there counts in the mean latency with that part, and
    /// in its percentiles where it begins in there: of those that lie wholly in there, the long ones are missing. Conversations may wait between their requests, which is a part of the load;
    /// of these, it must be nine tenths.
    #[must_use]
    pub fn steady(&self) -> Option<Figures> {
        let parts = self.in_flight();
        let level = level(&parts);
        let enough = (9 * level).div_ceil(10).max(1);
        let pause = self.median_latency()?;
        let mut intervals: Vec<(u64, u64)> = Vec::new();
        for part in parts.iter().filter(|part| part.count >= enough) {
            match intervals.last_mut() {
                Some((_, to)) if nanoseconds(*to, part.from) <= pause => *to = part.to,
                _ => intervals.push((part.from, part.to)),
            }
        }
        let longest = intervals.iter().rev().max_by_key(|(from, to)| to - from);
        let &(from, to) = longest?;
        let between = nanoseconds(intervals.first()?.0, intervals.last()?.1);
        // The level of a load that grows to the end is the tip of a triangle.
        let (begin, end) = (self.0.first()?.start, self.0.last()?.start);
        let answered = self.0.iter().map(|request| request.end).min()?;
        let rise = intervals.first()?.0;
        if rise > answered && nanoseconds(begin, rise) > nanoseconds(begin, end) / 2.0 {
            return None;
        }
        let has_turns = self.0.iter().any(|request| request.is_later_turn);
        let least = if has_turns { 0.9 } else { 0.5 } * between;
        let length = nanoseconds(from, to);
        if length < least.max(SHORTEST_STEADY) {
            return None;
        }
        Figures::new(self, from, to, level)
    }

    /// By how much the steady part's figure differs from that of all requests, as a share of the
    /// latter, in the metric in which it differs most: the means of the time to first token, the
    /// inter-token latency and the request latency, and both throughputs. `None` when there is no
    /// figure to compare.
    ///
    /// ```
    /// use nim_slurm::results::Requests;
    ///
    /// let read = |point| Requests::read(format!("tests/data/requests/{point}/profile_export.jsonl"));
    /// let (_, alone) = read("aiperf-1")?.largest_difference().unwrap();
    /// assert!(alone.abs() < 0.05); // one request after the other: all of it is steady
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn largest_difference(&self) -> Option<(Metric, f64)> {
        let (whole, steady) = (self.figures()?, self.steady()?);
        COMPARED
            .into_iter()
            .filter_map(|metric| {
                let [whole, steady] =
                    [&whole, &steady].map(|figures| figures.metric(metric)?.avg());
                Some((metric, steady? / whole? - 1.0))
            })
            .filter(|(_, difference)| difference.is_finite())
            .max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()))
    }

    fn median_latency(&self) -> Option<f64> {
        let mut latencies: Vec<_> = self
            .0
            .iter()
            .map(|request| request.end - request.start)
            .collect();
        let middle = latencies.len() / 2;
        if latencies.is_empty() {
            return None;
        }
        let (_, median, _) = latencies.select_nth_unstable(middle);
        Some(nanoseconds(0, *median))
    }

    /// How many requests were in flight, from the first start to the last end.
    fn in_flight(&self) -> Vec<Part> {
        let starts = self.0.iter().map(|request| (request.start, 1));
        let ends = self.0.iter().map(|request| (request.end, -1));
        let mut events: Vec<(u64, i32)> = starts.chain(ends).collect();
        events.sort_unstable();
        let mut count = 0_i32;
        let mut parts = Vec::new();
        for pair in events.windows(2) {
            let [(from, change), (to, _)] = *pair else {
                continue;
            };
            count += change;
            if from < to {
                let count = u32::try_from(count).unwrap_or_default();
                parts.push(Part { from, to, count });
            }
        }
        parts
    }
}

/// As a share: a mean output length that is further from the mean number of pieces is of other tokens.
const OTHER_TOKENS: f64 = 0.05;

/// In ns: what is shorter is no load that stays.
const SHORTEST_STEADY: f64 = 1e9;

/// The means that tell whether a point was steady.
const COMPARED: [Metric; 5] = [
    Metric::TimeToFirstToken,
    Metric::InterTokenLatency,
    Metric::RequestLatency,
    Metric::OutputTokenThroughput,
    Metric::RequestThroughput,
];

/// A time in which the number of requests in flight is the same.
struct Part {
    from: u64,
    to: u64,
    count: u32,
}

impl Part {
    fn length(&self) -> f64 {
        nanoseconds(self.from, self.to)
    }
}

/// The most that are in flight in a quarter of the time.
fn level(parts: &[Part]) -> u32 {
    let mut by_count: Vec<_> = parts.iter().collect();
    by_count.sort_unstable_by_key(|part| std::cmp::Reverse(part.count));
    let quarter = parts.iter().map(Part::length).sum::<f64>() / 4.0;
    let mut passed = 0.0;
    let at_level = by_count.into_iter().find(|part| {
        passed += part.length();
        passed >= quarter
    });
    at_level.map_or(0, |part| part.count)
}

/// What the requests of an interval say of the server.
///
/// A value counts when all of the time in which it is measured lies in the interval. A throughput
/// is what came in the interval over its length, of a request that lies in it in part the part.
///
/// ```
/// use nim_slurm::results::{Metric, Requests, Run, Statistic};
///
/// let point = "tests/data/requests/aiperf-1";
/// let figures = Requests::read(format!("{point}/profile_export.jsonl"))?.figures().unwrap();
/// assert_eq!((figures.level(), figures.seconds().round()), (1, 5.0));
/// // The tool's own figures are those of all requests.
/// let run = Run::read(point)?;
/// for metric in [Metric::TimeToFirstToken, Metric::InterTokenLatency, Metric::RequestLatency] {
///     for statistic in [Statistic::Avg, Statistic::P95, Statistic::Max] {
///         let own = run.points()[0].value(metric, statistic).unwrap();
///         let ours = figures.metric(metric).unwrap().get(statistic).unwrap();
///         assert!((ours / own - 1.0).abs() < 1e-5, "{metric} {statistic}: {ours} {own}");
///     }
/// }
/// assert!(figures.metrics().all(|(_, statistics)| statistics.avg().is_some()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    level: u32,
    nanoseconds: f64,
    metrics: Metrics,
}

impl Figures {
    fn new(all: &Requests, from: u64, to: u64, level: u32) -> Option<Self> {
        let requests = all.as_slice();
        let length = nanoseconds(from, to);
        if length <= 0.0 {
            return None;
        }
        let answered = || requests.iter().filter(|request| !request.has_failed);
        let mut metrics = Metrics::default();
        for metric in &COMPARED[..3] {
            if *metric == Metric::InterTokenLatency && !all.knows_inter_token_latency() {
                continue;
            }
            // Of whole requests, those that also end in there would be the short ones.
            let is_whole = *metric == Metric::RequestLatency;
            let is_in = |request: &&Request| {
                let interval = request.interval_of(*metric);
                interval.is_some_and(|(start, end)| {
                    (from..=to).contains(&start) && (is_whole || end <= to)
                })
            };
            let mut values: Vec<_> = requests
                .iter()
                .filter(is_in)
                .filter_map(|request| request.of(*metric))
                .collect();
            let Some(mut statistics) = statistics(&mut values) else {
                continue;
            };
            if is_whole {
                // Each counts in the mean for the part of it that lies in there.
                let parts = answered().map(|request| {
                    let share = share(request.start, request.end, from, to);
                    (share, nanoseconds(request.start, request.end) / 1e6)
                });
                let (weight, sum) = parts.fold((0.0, 0.0), |(weight, sum), (share, value)| {
                    (weight + share, sum + share * value)
                });
                statistics.set(Statistic::Avg, sum / weight);
            }
            metrics.set(*metric, statistics);
        }
        let rate = |count: f64| Statistics::from_iter([(Statistic::Avg, count / length * 1e9)]);
        let of_requests = answered()
            .map(|request| share(request.start, request.end, from, to))
            .sum();
        metrics.set(Metric::RequestThroughput, rate(of_requests));
        if answered().any(|request| request.output_tokens.is_some()) {
            let of_tokens = answered()
                .map(|request| request.tokens_between(from, to))
                .sum();
            metrics.set(Metric::OutputTokenThroughput, rate(of_tokens));
        }
        Some(Self {
            level,
            nanoseconds: length,
            metrics,
        })
    }

    /// Requests in flight: the level of a steady part, the most there were of a whole point.
    #[must_use]
    pub const fn level(&self) -> u32 {
        self.level
    }

    /// How long the interval is.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.nanoseconds / 1e9
    }

    /// The statistics of a metric: the time to first token, the inter-token latency, the request
    /// latency, and the means of both throughputs.
    #[must_use]
    pub fn metric(&self, metric: Metric) -> Option<&Statistics> {
        self.metrics.get(metric)
    }

    /// All of them, in the order of [`Metric::ALL`].
    pub fn metrics(&self) -> impl Iterator<Item = (Metric, &Statistics)> {
        self.metrics.iter()
    }
}

/// The statistics of some values, percentiles as both tools take them: between two values, on the
/// straight line.
#[expect(
    clippy::cast_precision_loss,
    reason = "a file has a million requests at most"
)]
fn statistics(values: &mut [f64]) -> Option<Statistics> {
    values.sort_unstable_by(f64::total_cmp);
    let (smallest, largest) = (*values.first()?, *values.last()?);
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let mut statistics: Statistics = [
        (Statistic::Avg, mean),
        (Statistic::Min, smallest),
        (Statistic::Max, largest),
        (Statistic::Std, (squares / count).sqrt()),
        (Statistic::Count, count),
    ]
    .into_iter()
    .collect();
    for &statistic in Statistic::ALL {
        let Some(percentile) = statistic.percentile() else {
            continue;
        };
        let steps = (values.len() - 1) * usize::from(percentile.get());
        let (low, rest) = (steps / 100, (steps % 100) as f64 / 100.0);
        let high = (low + 1).min(values.len() - 1);
        statistics.set(statistic, values[low] + rest * (values[high] - values[low]));
    }
    Some(statistics)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request in ms, with one token each 10 ms after the first.
    fn request(start: u64, first: u64, end: u64) -> Request {
        let at = |time| time * 1_000_000;
        Request {
            start: at(start),
            first_token: Some(at(first)),
            end: at(end),
            closed: at(end),
            due: None,
            input_tokens: None,
            output_tokens: Some(u32::try_from((end - first) / 10).unwrap() + 1),
            tokens_of: TokensOf::Other,
            has_failed: false,
            is_later_turn: false,
        }
    }

    fn requests(mut all: Vec<Request>) -> Requests {
        all.sort_unstable_by_key(|request| (request.start, request.end));
        Requests(all)
    }

    fn avg(figures: &Figures, metric: Metric) -> f64 {
        figures.metric(metric).unwrap().avg().unwrap()
    }

    #[track_caller]
    fn is_about(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-9, "{value} {expected}");
    }

    /// Four clients, each begins 100 ms after the one before, sends ten requests of 400 ms, and
    /// pauses for 5 ms after each.
    fn closed_loop() -> Requests {
        let of = |client: u64| {
            (0..10).map(move |number| {
                let start = 1000 + 100 * client + 405 * number;
                request(start, start + 100, start + 400)
            })
        };
        requests((0..4).flat_map(of).collect())
    }

    #[test]
    fn the_steady_part_has_neither_the_rise_nor_the_fall() {
        let all = closed_loop();
        let steady = all.steady().unwrap();
        assert_eq!(steady.level(), 4);
        // From the last client's first request to the first one's last end.
        is_about(
            steady.seconds(),
            (1000.0 + 9.0 * 405.0 + 400.0 - 1300.0) / 1000.0,
        );
        is_about(avg(&steady, Metric::RequestLatency), 400.0);
        is_about(avg(&steady, Metric::TimeToFirstToken), 100.0);
        is_about(avg(&steady, Metric::InterTokenLatency), 10.0);
        // Four requests each 405 ms; but for the edges.
        let rate = avg(&steady, Metric::RequestThroughput);
        assert!((rate / (4.0 / 0.405) - 1.0).abs() < 0.005, "{rate}");
        let whole = all.figures().unwrap();
        is_about(avg(&whole, Metric::RequestThroughput), 40.0 / 4.345);
        is_about(
            avg(&whole, Metric::OutputTokenThroughput),
            40.0 * 31.0 / 4.345,
        );
        let (_, difference) = all.largest_difference().unwrap();
        assert!(difference > 0.05, "{difference}");
        assert_eq!(all.share_in_flight(), Some(1.0));
    }

    #[test]
    fn one_request_after_the_other_is_steady_with_its_pauses() {
        let all = requests(
            (0..20)
                .map(|n| request(500 * n, 500 * n + 50, 500 * n + 350))
                .collect(),
        );
        let (whole, steady) = (all.figures().unwrap(), all.steady().unwrap());
        assert_eq!((steady.level(), whole.level()), (1, 1));
        is_about(steady.seconds(), 9.85);
        is_about(avg(&steady, Metric::RequestThroughput), 20.0 / 9.85);
        is_about(all.share_in_flight().unwrap(), 20.0 * 0.35 / 9.85);
        assert!(all.largest_difference().unwrap().1.abs() < 1e-9);
    }

    #[test]
    fn a_long_pause_ends_the_steady_part_and_a_short_peak_is_no_level() {
        let train = |from: u64, count: u64| {
            (0..count)
                .map(move |n| request(from + 100 * n, from + 100 * n + 10, from + 100 * n + 100))
        };
        let mut all: Vec<_> = train(0, 5).chain(train(1000, 12)).collect();
        all.push(request(1500, 1510, 1510));
        let steady = requests(all).steady().unwrap();
        assert_eq!(steady.level(), 1);
        is_about(steady.seconds(), 1.2);
    }

    /// Two conversations of three turns at a time, which wait for a second after each answer.
    #[test]
    fn waiting_is_a_part_of_the_load() {
        let talk = |from: u64| {
            (0..3).map(move |turn| {
                let start = from + 1200 * turn;
                Request {
                    is_later_turn: turn > 0,
                    ..request(start, start + 50, start + 200)
                }
            })
        };
        let waits = || (0..4).flat_map(move |n| talk(2600 * n).chain(talk(2600 * n + 100)));
        let all = requests(waits().collect());
        assert_eq!((all.steady(), all.largest_difference()), (None, None));
        assert!(all.figures().is_some());
        // A load that comes and goes is none that stays, and so is a short one.
        let single = waits().map(|request| Request {
            is_later_turn: false,
            ..request
        });
        assert_eq!(requests(single.collect()).steady(), None);
        let brief = (0..9).map(|n| request(100 * n, 100 * n + 10, 100 * n + 100));
        assert_eq!(requests(brief.collect()).steady(), None);
        // Without a pause, turns are requests as others are.
        let turns = (0..20).map(|n| Request {
            is_later_turn: n % 4 > 0,
            ..request(500 * n, 500 * n + 50, 500 * n + 450)
        });
        assert!(requests(turns.collect()).steady().is_some());
        // Pauses between turns are never left out.
        let paused = (0..20).map(|n| {
            let start = 500 * n + if n < 6 { 0 } else { 2000 };
            Request {
                is_later_turn: n % 4 > 0,
                ..request(start, start + 50, start + 450)
            }
        });
        assert_eq!(requests(paused.collect()).steady(), None);
    }

    #[test]
    fn a_slow_first_wave_is_seen() {
        let wave = |start: u64, first: u64| {
            (0..8).map(move |_| request(start, start + first, start + first + 300))
        };
        let waves = (0..4).flat_map(|n| wave(5300 + 400 * n, 100));
        let all = requests(wave(0, 5000).chain(waves).collect());
        // The steady part has the wave: it is full load. It is the first token that tells.
        assert_eq!(all.steady().unwrap().level(), 8);
        is_about(
            all.values(Metric::TimeToFirstToken).fold(0.0, f64::max),
            5000.0,
        );
    }

    /// A server that gives each token in the same time at any load has one latency, with answers of any length.
    #[test]
    fn a_steady_part_does_not_lose_the_long_answers() {
        let mut random = 1_u64;
        let mut length = || {
            // From 20 to 2,480 ms, as many of each.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            100 + 20 * (1 + (random >> 33) % 124)
        };
        let all = (0..8).flat_map(|_| {
            let mut at = 0;
            let own = (0..10).map(|_| {
                let (start, end) = (at, at + length());
                at = end;
                request(start, start + 100, end)
            });
            own.collect::<Vec<_>>()
        });
        let all = requests(all.collect());
        let (whole, steady) = (all.figures().unwrap(), all.steady().unwrap());
        let latency = |figures: &Figures| avg(figures, Metric::RequestLatency);
        let difference = latency(&steady) / latency(&whole) - 1.0;
        assert!(difference.abs() < 0.04, "{difference}");
    }

    #[test]
    fn failed_requests_load_the_server_and_have_no_value() {
        let mut all = vec![request(0, 100, 2000), request(1, 100, 2000)];
        all[1].has_failed = true;
        let all = requests(all);
        assert_eq!(
            (all.failed(), all.values(Metric::RequestLatency).count()),
            (1, 1)
        );
        assert_eq!(all.steady().unwrap().level(), 2);
        is_about(avg(&all.figures().unwrap(), Metric::RequestThroughput), 0.5);
        assert_eq!(all.values(Metric::OutputTokenThroughput).count(), 0);
    }

    #[test]
    fn nothing_is_no_figure() {
        for all in [vec![], vec![request(5, 5, 5)]] {
            let all = requests(all);
            assert_eq!((all.figures(), all.steady()), (None, None));
            assert_eq!(
                (all.share_in_flight(), all.largest_difference()),
                (None, None)
            );
        }
        // Times at both ends of what a number holds.
        let mut far = request(0, 0, 0);
        far.end = u64::MAX;
        assert!(requests(vec![far, request(5, 5, 5)]).steady().is_some());
    }

    /// As numpy's percentile, which AIPerf and GenAI-Perf use.
    #[test]
    fn percentiles_lie_on_the_line_between_two_values() {
        let statistics = statistics(&mut [4.0, 1.0, 3.0, 2.0]).unwrap();
        for (statistic, value) in [
            (Statistic::P50, 2.5),
            (Statistic::P25, 1.75),
            (Statistic::P90, 3.7),
            (Statistic::P99, 3.97),
            (Statistic::Max, 4.0),
            (Statistic::Count, 4.0),
        ] {
            is_about(statistics.get(statistic).unwrap(), value);
        }
        is_about(statistics.get(Statistic::Std).unwrap(), 1.25_f64.sqrt());
    }
}

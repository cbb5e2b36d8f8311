//! The options with which the client's tool is called, the same at each point.

use super::{
    AiperfVersion, Arrival, Client, ClientTool, DEFAULT_TOKENIZER, Feature, Goodput, PrefixCache,
    UseCase, Word,
};

impl Client {
    /// The command that measures a point, a word each. Words in braces stand for facts of
    /// the run and of the point.
    pub(crate) fn command(&self, served_model_name: impl AsRef<str>) -> Vec<String> {
        let plain = "plain:1/1".parse().expect("it is one");
        self.command_of(served_model_name, &plain, 0)
    }

    /// The command for a use case that does not only say lengths. After a duration, answers have so many seconds.
    pub(crate) fn command_for(
        &self,
        served_model_name: impl AsRef<str>,
        use_case: &UseCase,
        grace: u32,
    ) -> Vec<String> {
        let lengths = [
            ("{input_tokens}", use_case.input_tokens()),
            ("{output_tokens}", use_case.output_tokens()),
        ];
        let mut command = self.command_of(served_model_name, use_case, grace);
        for (placeholder, length) in lengths {
            for word in &mut command {
                *word = word.replace(placeholder, &length.to_string());
            }
        }
        command
    }

    fn command_of(
        &self,
        served_model_name: impl AsRef<str>,
        use_case: &UseCase,
        grace: u32,
    ) -> Vec<String> {
        let mut command: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| command.extend(words.iter().map(ToString::to_string));
        match self.tool {
            ClientTool::GenaiPerf(release) if release.has(Feature::Profile) => {
                add(&["genai-perf", "profile"]);
            }
            ClientTool::GenaiPerf(_) => add(&["genai-perf"]),
            ClientTool::Aiperf(_) => add(&["aiperf", "profile"]),
        }
        add(&["--model", served_model_name.as_ref()]);
        let options = self.options();
        add(&options.iter().map(String::as_str).collect::<Vec<_>>());
        let is_aiperf = matches!(self.tool, ClientTool::Aiperf(_));
        let url = if is_aiperf { "http://{url}" } else { "{url}" };
        add(&["--url", url, "--tokenizer", "{tokenizer}"]);
        let output_spread = use_case.output().spread();
        let prompts = prompt_options(use_case, is_aiperf);
        add(&prompts.iter().map(String::as_str).collect::<Vec<_>>());
        if !use_case.is_scheduled() {
            add(&["--output-tokens-mean", "{output_tokens}"]);
            if is_aiperf || output_spread > 0 {
                add(&["--output-tokens-stddev", &output_spread.to_string()]);
            }
        }
        // With lengths of their own, the tool itself tells each request its length.
        if output_spread > 0 || use_case.is_scheduled() {
            const LEGACY: &str = "--use-legacy-max-tokens";
            let can =
                matches!(self.tool, ClientTool::Aiperf(it) if it >= AiperfVersion::WITH_TELEMETRY);
            if can && !self.options.has(LEGACY) {
                add(&[LEGACY]); // in the field that all servers read
            }
        } else {
            add(&["--extra-inputs", "max_tokens:{output_tokens}"]);
            if self.min_tokens {
                add(&["--extra-inputs", "min_tokens:{output_tokens}"]);
            }
        }
        if self.ignore_eos {
            add(&["--extra-inputs", "ignore_eos:true"]);
        }
        let has_rate = !use_case.request_rate().is_empty();
        if has_rate {
            add(&["--request-rate", "{rate}"]);
        } else if !use_case.is_scheduled() {
            add(&["--concurrency", "{concurrency}"]);
        }
        add(&["--artifact-dir", "{folder}"]);
        // Prompts of its own for each point, and one for each request: a prompt that the server
        // has seen may come out of its cache.
        add(&["--random-seed", "{seed}"]);
        if use_case.data().is_none() {
            let option = if is_aiperf {
                "--num-dataset-entries"
            } else {
                "--num-prompts"
            };
            add(&[option, "{prompts}"]);
        }
        // Of conversations, each is sent to its end.
        let requests = if use_case.is_conversation() {
            ["--num-conversations", "{prompts}"]
        } else {
            ["--request-count", "{requests}"]
        };
        let own: Vec<_> = self.options.words().iter().map(Word::as_str).collect();
        match self.tool {
            ClientTool::Aiperf(_) => {
                let load = aiperf_load(use_case, grace);
                add(&load.iter().map(String::as_str).collect::<Vec<_>>());
                if use_case.duration().is_none() && !use_case.is_scheduled() {
                    add(&requests);
                }
                add(&own);
            }
            ClientTool::GenaiPerf(release) => {
                add(&["--profile-export-file", "profile_export.json"]);
                if release.has(Feature::OwnRequestCount) {
                    add(&requests);
                }
                add(&own);
                add(&["--"]);
                if !release.has(Feature::OwnRequestCount) {
                    add(&requests);
                }
                if has_rate {
                    add(&["--request-distribution", use_case.arrival().word()]);
                } else {
                    add(&["--max-threads", "{concurrency}"]);
                }
            }
        }
        command
    }

    /// The options that the recipe decides, a word each.
    fn options(&self) -> Vec<String> {
        let common = ["--endpoint-type", "chat", "--streaming"];
        let (before, after): (&[&str], &[&str]) = match self.tool {
            ClientTool::GenaiPerf(release) if release.has(Feature::ServiceKind) => {
                (&["--service-kind", "openai"], &[])
            }
            ClientTool::GenaiPerf(_) => (&[], &[]),
            // Its other interfaces are for a terminal. Its collectors of counters end when they find none, as while
            // the server loads; 0.13 may then call a point with all its answers failed.
            ClientTool::Aiperf(release) if release >= AiperfVersion::WITH_TELEMETRY => (
                &[],
                &["--ui", "none", "--no-server-metrics", "--no-gpu-telemetry"],
            ),
            ClientTool::Aiperf(_) => (&[], &["--ui", "none"]),
        };
        let fixed = before.iter().chain(&common).chain(after);
        let mut options: Vec<_> = fixed.map(ToString::to_string).collect();
        if let Some(revision) = &self.tokenizer_revision {
            options.extend(["--tokenizer-revision".to_owned(), revision.to_string()]);
        }
        if self.tokenizer_trust_remote_code {
            options.push("--tokenizer-trust-remote-code".to_owned());
        }
        if let Some(goodput) = &self.goodput {
            options.push("--goodput".to_owned());
            options.extend(match self.tool {
                ClientTool::GenaiPerf(_) => goodput.limits(),
                // It takes all of them in one word.
                ClientTool::Aiperf(_) => vec![goodput.limits().join(" ")],
            });
        }
        options
    }

    /// What each of the tool's requests says beside model and messages, as fields of JSON,
    /// when four tokens are wanted.
    ///
    /// Sources: `openai_chat_completions_converter.py` of GenAI-Perf, `openai_chat.py` of
    /// AIPerf.
    pub(crate) fn request_fields(&self) -> String {
        let mut fields = vec!["\"stream\": true", "\"max_tokens\": 4"];
        if let ClientTool::Aiperf(release) = self.tool {
            if !self.options.has("--use-legacy-max-tokens") {
                fields.push("\"max_completion_tokens\": 4");
            }
            if self.options.has("--per-chunk-usage") {
                fields.push(
                    "\"stream_options\": {\"include_usage\": true, \"continuous_usage_stats\": true}",
                );
            } else if release >= AiperfVersion::WITH_USAGE
                || self.options.has("--use-server-token-count")
            {
                fields.push("\"stream_options\": {\"include_usage\": true}");
            }
        }
        if self.min_tokens {
            fields.push("\"min_tokens\": 4");
        }
        if self.ignore_eos {
            fields.push("\"ignore_eos\": true");
        }
        let own = self.options.fields();
        fields.extend(own.iter().map(String::as_str));
        fields.join(", ")
    }

    /// What a use case asks for that this tool cannot do in this release, and the first that can do all of it.
    pub(crate) fn lacks_for(
        &self,
        use_case: &UseCase,
        prefix_cache: PrefixCache,
    ) -> Option<(&'static str, String)> {
        let (key, mut first) = self.tool.lack(use_case, prefix_cache)?;
        while let Some((_, later)) = first.lack(use_case, prefix_cache) {
            first = later;
        }
        Some((key, first.with_release()))
    }

    /// The recipe's keys that ask for what not every release of GenAI-Perf knows.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (&'static str, Feature)> {
        [
            (
                "client.tokenizer_revision",
                Feature::TokenizerRevision,
                self.tokenizer_revision.is_some(),
            ),
            (
                "client.tokenizer_trust_remote_code",
                Feature::TokenizerTrust,
                self.tokenizer_trust_remote_code,
            ),
            ("client.goodput", Feature::Goodput, self.goodput.is_some()),
            (
                "--header in client.options",
                Feature::Header,
                self.options.has_header(),
            ),
            (
                "JSON behind --extra-inputs in client.options",
                Feature::JsonInputs,
                self.options.has_json(),
            ),
        ]
        .into_iter()
        .filter(|(_, _, is_asked)| *is_asked)
        .map(|(key, feature, _)| (key, feature))
    }
}

impl ClientTool {
    /// Something that a use case asks for and that this release cannot do, and the first that can.
    fn lack(self, use_case: &UseCase, prefix_cache: PrefixCache) -> Option<(&'static str, Self)> {
        if use_case.is_scheduled() {
            let first = AiperfVersion::WITH_TRACE;
            let has_it = matches!(self, Self::Aiperf(release) if release >= first);
            return (!has_it).then_some(("format = \"mooncake\"", Self::Aiperf(first)));
        }
        let is_aiperf = matches!(self, Self::Aiperf(_));
        if use_case.prefix().is_some() && !is_aiperf {
            return Some(("prefix", Self::Aiperf(AiperfVersion::FIRST)));
        }
        let has_turns =
            matches!(self, Self::Aiperf(release) if release >= AiperfVersion::WITH_TURNS);
        if use_case.is_conversation() && !has_turns {
            return Some(("turns", Self::Aiperf(AiperfVersion::WITH_TURNS)));
        }
        let of_file = match self {
            Self::GenaiPerf(release) if !release.has(Feature::PromptFile) => {
                Some(Self::GenaiPerf(Feature::PromptFile.since()))
            }
            Self::Aiperf(release) if release < AiperfVersion::WITH_EACH_PROMPT_ONCE => {
                Some(Self::Aiperf(AiperfVersion::WITH_EACH_PROMPT_ONCE))
            }
            _ => None,
        };
        if let Some(first) = of_file.filter(|_| use_case.data().is_some()) {
            return Some(("data", first));
        }
        let is_gamma = use_case.arrival() == Arrival::Gamma;
        // A prompt that is sent again comes out of the cache, where there is one.
        let is_sent_once = use_case.data().is_none() && prefix_cache != PrefixCache::Off;
        let has_rate = !use_case.request_rate().is_empty();
        // What takes the newest release comes first: one that can do it can do the rest, too.
        [
            (
                "ramp with request_rate",
                use_case.ramp().is_some() && has_rate,
                AiperfVersion::WITH_RISING_RATE,
            ),
            // Before, a rate is one of conversations, and they go on after the time.
            (
                "turns with request_rate",
                use_case.is_conversation() && has_rate,
                AiperfVersion::WITH_ARRIVAL,
            ),
            (
                "turns with duration",
                use_case.is_conversation() && use_case.duration().is_some(),
                AiperfVersion::WITH_ARRIVAL,
            ),
            ("arrival = \"gamma\"", is_gamma, AiperfVersion::WITH_ARRIVAL),
            (
                "ramp",
                use_case.ramp().is_some(),
                AiperfVersion::WITH_ARRIVAL,
            ),
            // Before, it sleeps from one request to the next, and all its delays add up.
            (
                "request_rate",
                has_rate && is_aiperf,
                AiperfVersion::WITH_ARRIVAL,
            ),
            (
                "synthetic prompts that are sent once each, which only server.prefix_cache = \"off\" goes without",
                is_sent_once && is_aiperf,
                AiperfVersion::WITH_EACH_PROMPT_ONCE,
            ),
            (
                "duration",
                use_case.duration().is_some(),
                AiperfVersion::WITH_DURATION,
            ),
        ]
        .into_iter()
        .find(|(_, is_asked, first)| {
            let has_it = matches!(self, Self::Aiperf(release) if release >= *first);
            *is_asked && !has_it
        })
        .map(|(key, _, first)| (key, Self::Aiperf(first)))
    }
}

/// Where the prompts come from, and how long they are.
fn prompt_options(use_case: &UseCase, is_aiperf: bool) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
    if use_case.data().is_some() {
        // A file with the prompts of the point alone.
        add("--input-file", "{data}.jsonl");
        if use_case.is_scheduled() {
            add("--custom-dataset-type", "mooncake_trace");
            words.push("--fixed-schedule".to_owned());
        } else if use_case.is_conversation() {
            add("--custom-dataset-type", "multi_turn");
        } else if is_aiperf {
            add("--custom-dataset-type", "single_turn");
        }
        return words;
    }
    let spread = use_case.input().spread().to_string();
    add("--synthetic-input-tokens-mean", "{input_tokens}");
    add("--synthetic-input-tokens-stddev", &spread);
    if let Some(prefix) = use_case.prefix() {
        add("--num-prefix-prompts", &prefix.count.to_string());
        add("--prefix-prompt-length", &prefix.length.to_string());
    }
    if use_case.is_conversation() {
        add("--conversation-turn-mean", &use_case.turns().to_string());
        add("--conversation-turn-stddev", "0");
    }
    if use_case.delay().is_some() {
        let milliseconds = use_case.delay_milliseconds().to_string();
        add("--conversation-turn-delay-mean", &milliseconds);
        add("--conversation-turn-delay-stddev", "0");
    }
    words
}

/// How AIPerf is told when to send what.
fn aiperf_load(use_case: &UseCase, grace: u32) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
    let has_rate = !use_case.request_rate().is_empty();
    if has_rate {
        add("--arrival-pattern", use_case.arrival().word().to_owned());
    }
    if let Some(smoothness) = use_case.smoothness() {
        add("--arrival-smoothness", smoothness.to_string());
    }
    if let Some(ramp) = use_case.ramp() {
        let option = if has_rate {
            "--request-rate-ramp-duration"
        } else {
            "--concurrency-ramp-duration"
        };
        add(option, ramp.seconds().to_string());
    }
    if let Some(duration) = use_case.duration() {
        add("--benchmark-duration", duration.seconds().to_string());
        add("--benchmark-grace-period", grace.to_string());
    }
    words
}

impl ClientTool {
    /// The tool with its release, and the release that brought a feature, when this
    /// one does not have it.
    pub(crate) fn lacks(self, feature: Feature) -> Option<(String, String)> {
        match self {
            Self::GenaiPerf(release) => (!release.has(feature)).then(|| {
                let first = feature.since();
                (
                    format!("GenAI-Perf {}", release.with_image()),
                    first.with_image(),
                )
            }),
            Self::Aiperf(release) => {
                let first = AiperfVersion::WITH_GOODPUT;
                let lacks = feature == Feature::Goodput && release < first;
                lacks.then(|| (format!("AIPerf {release}"), first.to_string()))
            }
        }
    }

    /// The tool with its release, for a message.
    pub(crate) fn with_release(self) -> String {
        match self {
            Self::GenaiPerf(release) => format!("GenAI-Perf {}", release.with_image()),
            Self::Aiperf(release) => format!("AIPerf {release}"),
        }
    }

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::GenaiPerf(_) => "GenAI-Perf",
            Self::Aiperf(_) => "AIPerf",
        }
    }

    /// What it calls a prompt in the lines of a file.
    pub(crate) const fn prompt_key(self) -> &'static str {
        match self {
            // Its releases before 24.11 know no other name.
            Self::GenaiPerf(_) => "text_input",
            Self::Aiperf(_) => "text",
        }
    }

    /// A tokenizer that the tool fetches from the Hugging Face hub whichever it is given.
    pub(crate) fn default_tokenizer(self) -> Option<&'static str> {
        let has_to = self.lacks(Feature::StartWithoutHub).is_some();
        has_to.then_some(DEFAULT_TOKENIZER)
    }
}

impl Goodput {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `METRIC:MILLISECONDS` each, by the names that both tools have.
    pub(crate) fn limits(&self) -> Vec<String> {
        [
            ("time_to_first_token", &self.time_to_first_token),
            ("inter_token_latency", &self.inter_token_latency),
            ("request_latency", &self.request_latency),
        ]
        .into_iter()
        .filter_map(|(metric, limit)| limit.as_ref().map(|limit| format!("{metric}:{limit}")))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recipe;
    use super::*;

    /// The built-in recipe's client with this tool and more keys, in TOML.
    fn client(tool: &str, keys: &str) -> Client {
        let text = Recipe::llama3_70b_h100x4_fp8().to_toml();
        let (before, after) = text.split_once("\n[client.tool]\n").unwrap();
        let (_, after) = after.split_once("\n\n").unwrap();
        let keys = format!("{before}\n{keys}\ntool = {tool}\n\n{after}");
        let recipe = Recipe::from_toml(&keys);
        recipe.unwrap_or_else(|error| panic!("{error}")).client
    }

    const ALL: &str = "\
tokenizer_revision = 'v1'
tokenizer_trust_remote_code = true
goodput = { request_latency = 5000, time_to_first_token = '12.5' }";

    #[test]
    fn fields_are_written_only_when_they_are_left_out() {
        let mut recipe = Recipe::llama3_70b_h100x4_fp8();
        let text = recipe.to_toml();
        assert!(!text.contains("ignore_eos") && !text.contains("min_tokens"));
        recipe.client.ignore_eos = false;
        recipe.client.min_tokens = false;
        let text = recipe.to_toml();
        assert!(text.contains("\nignore_eos = false\nmin_tokens = false\n"));
        assert_eq!(Recipe::from_toml(&text).unwrap(), recipe);
    }

    #[test]
    fn requests_say_what_the_tool_sends() {
        let fields = |tool, keys| client(tool, keys).request_fields();
        let genai_perf = "{ genai_perf = '25.01' }";
        assert_eq!(
            fields(genai_perf, ""),
            r#""stream": true, "max_tokens": 4, "min_tokens": 4, "ignore_eos": true"#
        );
        assert_eq!(
            fields(genai_perf, "ignore_eos = false\nmin_tokens = false"),
            r#""stream": true, "max_tokens": 4"#
        );
        assert_eq!(
            fields("{ aiperf = '0.12.0' }", "min_tokens = false"),
            r#""stream": true, "max_tokens": 4, "max_completion_tokens": 4, "ignore_eos": true"#
        );
        assert_eq!(
            fields("{ aiperf = '0.13.0' }", "ignore_eos = false"),
            r#""stream": true, "max_tokens": 4, "max_completion_tokens": 4, "stream_options": {"include_usage": true}, "min_tokens": 4"#
        );
        let bare = "ignore_eos = false\nmin_tokens = false\n";
        for (release, options, expected) in [
            (
                "0.12.0",
                "'--use_legacy_max_tokens', '--use-server-token-count'",
                r#""stream": true, "max_tokens": 4, "stream_options": {"include_usage": true}"#,
            ),
            (
                "0.13.0",
                "'--use-legacy-max-tokens', '--per-chunk-usage'",
                r#""stream": true, "max_tokens": 4, "stream_options": {"include_usage": true, "continuous_usage_stats": true}"#,
            ),
        ] {
            let keys = format!("{bare}options = [{options}]");
            let tool = format!("{{ aiperf = '{release}' }}");
            assert_eq!(client(&tool, &keys).request_fields(), expected);
        }
    }

    #[test]
    fn each_tool_gets_its_own_form() {
        let words = |tool, keys| client(tool, keys).options().join("|");
        assert_eq!(
            words("{ genai_perf = '24.05' }", ""),
            "--service-kind|openai|--endpoint-type|chat|--streaming"
        );
        assert_eq!(
            words("{ genai_perf = '25.04' }", ALL),
            "--endpoint-type|chat|--streaming|--tokenizer-revision|v1|--tokenizer-trust-remote-code|\
             --goodput|time_to_first_token:12.5|request_latency:5000"
        );
        assert_eq!(
            words(
                "{ aiperf = '0.13.0' }",
                "goodput = { request_latency = 9, inter_token_latency = 8 }"
            ),
            "--endpoint-type|chat|--streaming|--ui|none|--no-server-metrics|--no-gpu-telemetry|\
             --goodput|inter_token_latency:8 request_latency:9"
        );
        assert_eq!(
            words("{ aiperf = '0.3.0' }", ""),
            "--endpoint-type|chat|--streaming|--ui|none"
        );
    }
}

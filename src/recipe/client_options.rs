//! The options with which the client's tool is called, the same at each point.

use super::{AiperfVersion, Client, ClientTool, Feature, Goodput};

impl Client {
    /// The options, a word each.
    pub(crate) fn options(&self) -> Vec<String> {
        let common = ["--endpoint-type", "chat", "--streaming"];
        let (before, after): (&[&str], &[&str]) = match self.tool {
            ClientTool::GenaiPerf(release) if release.has(Feature::ServiceKind) => {
                (&["--service-kind", "openai"], &[])
            }
            ClientTool::GenaiPerf(_) => (&[], &[]),
            // Its other interfaces are for a terminal.
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
        if let Some(requests) = self.warmup_requests {
            options.extend(["--warmup-request-count".to_owned(), requests.to_string()]);
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
            fields.push("\"max_completion_tokens\": 4");
            if release >= AiperfVersion::WITH_USAGE {
                fields.push("\"stream_options\": {\"include_usage\": true}");
            }
        }
        if self.min_tokens {
            fields.push("\"min_tokens\": 4");
        }
        if self.ignore_eos {
            fields.push("\"ignore_eos\": true");
        }
        fields.join(", ")
    }

    /// Whether the tool writes a table for each phase of a run, beside the one of the
    /// measurement: AIPerf does when it warms up.
    pub(crate) fn has_phases(&self) -> bool {
        matches!(self.tool, ClientTool::Aiperf(_)) && self.warmup_requests.is_some()
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
            (
                "client.warmup_requests",
                Feature::WarmUp,
                self.warmup_requests.is_some(),
            ),
            ("client.goodput", Feature::Goodput, self.goodput.is_some()),
        ]
        .into_iter()
        .filter(|(_, _, is_asked)| *is_asked)
        .map(|(key, feature, _)| (key, feature))
    }
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

    /// Whether the tool needs no more of the Hugging Face hub than the tokenizer that it
    /// is given.
    pub(crate) fn starts_without_hub(self) -> bool {
        self.lacks(Feature::StartWithoutHub).is_none()
    }

    /// Whether the table has the row `Output Sequence Length`; if not, it says `Num
    /// Output Token`.
    pub(crate) fn has_output_sequence_length(self) -> bool {
        self.lacks(Feature::OutputSequenceLength).is_none()
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
warmup_requests = 5
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
             --warmup-request-count|5|--goodput|time_to_first_token:12.5|request_latency:5000"
        );
        assert_eq!(
            words(
                "{ aiperf = '0.13.0' }",
                "goodput = { request_latency = 9, inter_token_latency = 8 }"
            ),
            "--endpoint-type|chat|--streaming|--ui|none|--goodput|inter_token_latency:8 request_latency:9"
        );
    }
}

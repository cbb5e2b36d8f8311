//! Keys and logins: whether they are there, never what they are. Those that nothing
//! needs any more are not asked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, iter};

use super::fix::{Fix, command, words};
use super::to_fetch::ToFetch;
use super::{Finding, Preflight, Variables, listed};
use crate::container::Runtime;
use crate::file;
use crate::recipe::{DEFAULT_TOKENIZER, Feature, ModelSource};
use crate::shell::shell_word;

/// The variables in which apptainer takes a login for whatever registry it asks.
const APPTAINER_S: [(&str, &str); 3] = [
    ("APPTAINER_DOCKER_USERNAME", "APPTAINER_DOCKER_PASSWORD"),
    ("SINGULARITY_DOCKER_USERNAME", "SINGULARITY_DOCKER_PASSWORD"),
    ("DOCKER_USERNAME", "DOCKER_PASSWORD"),
];

/// What a site says to enroot, with more in the files of the folder beside it.
const ENROOT_OF_SITE: &str = "/etc/enroot/enroot.conf";

/// Files of logins are short.
const MOST_BYTES: u64 = 1 << 20;

pub(super) fn check(preflight: &Preflight<'_>, to_fetch: &ToFetch) -> Vec<Finding> {
    let mut findings = registries(preflight, to_fetch);
    findings.push(model(preflight, to_fetch));
    findings.extend(server(preflight));
    findings.extend(tokenizer(preflight));
    findings.extend(default_tokenizer(preflight));
    findings
}

/// Logins for the images that are still to fetch, as setup.sh finds them: the
/// runtime's own files, else the NGC key for NVIDIA's registry.
fn registries(preflight: &Preflight<'_>, to_fetch: &ToFetch) -> Vec<Finding> {
    let store = Store::of(preflight);
    let runtime = preflight.plan.settings().runtime();
    let tool = store.tool;
    let mut hosts: Vec<(&str, bool)> = Vec::new();
    for image in &to_fetch.images {
        // Docker Hub has images for everyone.
        if let Some(registry) = image.image.registry() {
            let host = (runtime.login(registry), !image.login.is_empty());
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
    }
    if to_fetch.images.is_empty() {
        return vec![Finding::ok(
            "no registry's login is needed: the images are there",
        )];
    }
    let mut findings = Vec::new();
    for (host, needs_key) in hosts {
        findings.push(if let Some(place) = store.place_of(host, needs_key) {
            Finding::ok(format!("{tool} has a login for {host}, in {place}"))
        } else if needs_key && preflight.variables.is_set("NGC_API_KEY") {
            Finding::ok(format!(
                "NGC_API_KEY is set, and serves as the login for {host}"
            ))
        } else if let Some(folder) = &store.unknown {
            Finding::warning(
                format!(
                    "it is not known whether {tool} has a login for {host}: its folder is {folder} in the site's enroot.conf, \
                     which only bash can read"
                ),
                words("say which folder that is: ").command("export ENROOT_CONFIG_PATH=..."),
            )
        } else if !needs_key {
            Finding::note(
                format!("{tool} has no login for {host}, which may want none"),
                words("if it wants one, ").then(store.login_advice(host, "USER")),
            )
        } else if preflight.variables.is_placeholder("NGC_API_KEY") {
            let need = format!("setup.sh needs it as the login for {host}");
            let (message, fix) = unset(preflight, "NGC_API_KEY", &need);
            Finding::error(message, fix)
        } else {
            Finding::error(
                format!("there is no login for {host}, from which setup.sh pulls images"),
                command("export NGC_API_KEY=...")
                    .words(", or ")
                    .then(store.login_advice(host, "$oauthtoken")),
            )
        });
    }
    findings.extend(store.files.iter().filter_map(|path| check_privacy(path)));
    findings
}

/// Where a runtime keeps its logins.
struct Store {
    tool: &'static str,
    runtime: Runtime,
    /// Those that are there, and that may be, in the order in which they are asked.
    files: Vec<PathBuf>,
    /// The site's words for their folder, where only bash can read these.
    unknown: Option<String>,
    /// That of these in which no login is looked for where the key will do.
    key_is_before: Option<PathBuf>,
    /// The variable with the user of apptainer's login for NVIDIA's registry, which has a name
    /// of its own there, and that for all others.
    for_key: Option<&'static str>,
    for_others: Option<&'static str>,
}

impl Store {
    fn of(preflight: &Preflight<'_>) -> Self {
        let runtime = preflight.plan.settings().runtime();
        let folder = |name| preflight.variables.get(name).map(PathBuf::from);
        let below_home = |name: &str| folder("HOME").map(|home| home.join(name));
        let config = || folder("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
        let in_folder =
            |folder: Option<PathBuf>, name: &str| folder.map(|folder| folder.join(name));
        let (mut unknown, mut key_is_before) = (None, None);
        let (tool, files) = match runtime {
            Runtime::Pyxis => {
                let said = folder("ENROOT_CONFIG_PATH").map(|own| Ok(Some(own)));
                let said = said.unwrap_or_else(|| {
                    enroot_of_site(Path::new(ENROOT_OF_SITE), &preflight.variables)
                });
                let file = said.map(|said| {
                    let enroot = said.or_else(|| in_folder(config(), "enroot"));
                    in_folder(enroot, ".credentials")
                });
                unknown = file.as_ref().err().cloned();
                ("enroot", vec![file.unwrap_or_default()])
            }
            Runtime::Apptainer => {
                let own = folder("APPTAINER_CONFIGDIR").or_else(|| below_home(".apptainer"));
                let own = in_folder(own, "docker-config.json");
                // Without it, apptainer reads what has docker's name and form: in that folder, where it
                // is set. Source: its `pkg/syfs/syfs.go`, `SearchDockerConf`.
                let is_last = own.as_ref().is_none_or(|own| !own.exists());
                let docker = in_folder(folder("APPTAINER_CONFIGDIR"), "config.json");
                let docker = docker
                    .or_else(|| below_home(".docker/config.json"))
                    .filter(|_| is_last);
                // Not each release does, so a key is surer.
                key_is_before =
                    (docker.clone()).filter(|_| preflight.variables.is_set("NGC_API_KEY"));
                ("apptainer", vec![docker.or(own)])
            }
            Runtime::Podman => {
                // Where one of these is set, podman reads that file alone.
                let one = folder("REGISTRY_AUTH_FILE")
                    .or_else(|| in_folder(folder("DOCKER_CONFIG"), "config.json"));
                let files = if one.is_some() {
                    vec![one]
                } else {
                    // Its first choice is in XDG_RUNTIME_DIR, a folder of this machine alone.
                    vec![
                        in_folder(config(), "containers/auth.json"),
                        below_home(".docker/config.json"),
                    ]
                };
                ("podman", files)
            }
        };
        let variables = &preflight.variables;
        let login_of = |is_for_key: bool| {
            let mut logins = APPTAINER_S.iter();
            let login = logins.find(|(user, password)| {
                let user = variables.get(user);
                user.is_some_and(|user| (user == "$oauthtoken") == is_for_key)
                    && variables.is_set(password)
            });
            login
                .map(|(user, _)| *user)
                .filter(|_| runtime == Runtime::Apptainer)
        };
        Self {
            tool,
            runtime,
            files: files.into_iter().flatten().collect(),
            unknown,
            key_is_before,
            for_key: login_of(true),
            for_others: login_of(false),
        }
    }

    /// Where the login for a registry is, if there is one.
    fn place_of(&self, host: &str, needs_key: bool) -> Option<String> {
        let variable = if needs_key {
            self.for_key
        } else {
            self.for_others
        };
        if let Some(variable) = variable {
            return Some(variable.to_owned());
        }
        let has_login = |text: &str| match self.runtime {
            Runtime::Pyxis => has_machine(text, host),
            Runtime::Apptainer | Runtime::Podman => text.contains(&format!("\"{host}\"")),
        };
        let is_asked = |file: &&PathBuf| !needs_key || self.key_is_before.as_ref() != Some(*file);
        let mut files = self.files.iter().filter(is_asked);
        let file = files.find(|file| read(file).is_some_and(|text| has_login(&text)))?;
        Some(file.display().to_string())
    }

    /// What to do for a login, for the middle of a sentence.
    fn login_advice(&self, host: &str, user: &str) -> Fix {
        match self.runtime {
            Runtime::Pyxis => {
                let file = self.files.first().map(PathBuf::as_path);
                let place = file.unwrap_or(Path::new(".credentials")).display();
                words(&format!("add a line to {place}: "))
                    .command(&format!("machine {host} login {user} password KEY"))
            }
            Runtime::Apptainer => {
                let login = format!("login --username '{user}' docker://{host}");
                words("run: ")
                    .command(&format!("apptainer registry {login}"))
                    .words("; before 1.3: ")
                    .command(&format!("apptainer remote {login}"))
            }
            Runtime::Podman => {
                let file = self.files.first().map(|file| file.to_string_lossy());
                let file = file.map(|file| format!("--authfile {} ", shell_word(&file)));
                let file = file.unwrap_or_default();
                words("run: ").command(&format!("podman login {file}--username '{user}' {host}"))
            }
        }
    }
}

/// The folder that a site has for enroot's logins, if it has one: the first that is said, as
/// in enroot. An error has words that only bash can read.
fn enroot_of_site(file: &Path, variables: &Variables) -> Result<Option<PathBuf>, String> {
    let more = fs::read_dir(file.with_extension("conf.d"))
        .into_iter()
        .flatten();
    let mut more: Vec<_> = more.flatten().map(|entry| entry.path()).collect();
    more.retain(|path| path.extension().is_some_and(|end| end == "conf"));
    more.sort();
    for path in iter::once(file).chain(more.iter().map(PathBuf::as_path)) {
        for line in read(path).unwrap_or_default().lines() {
            let said = line.trim_start().strip_prefix("ENROOT_CONFIG_PATH");
            let said = said.filter(|said| said.starts_with([' ', '\t', '=']));
            let said = said.map(|said| said.trim_matches([' ', '\t', '=']));
            let Some(words) = said.filter(|words| !words.is_empty()) else {
                continue;
            };
            let folder = expanded(words, variables).ok_or_else(|| words.to_owned())?;
            if !folder.is_empty() {
                return Ok(Some(PathBuf::from(folder)));
            }
        }
    }
    Ok(None)
}

/// A path with the variables in it that a login has, as bash reads it: empty where one is not
/// set, which is an error in enroot. None where it has more that bash would read.
fn expanded(words: &str, variables: &Variables) -> Option<OsString> {
    let is_plain = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c))
    };
    let words = words
        .strip_prefix('"')
        .and_then(|words| words.strip_suffix('"'))
        .unwrap_or(words);
    let mut parts = words.split('$');
    let first = parts.next().filter(|first| is_plain(first))?;
    let (mut path, mut is_set) = (OsString::from(first), true);
    for part in parts {
        let (name, rest) = if let Some(part) = part.strip_prefix('{') {
            part.split_once('}')?
        } else {
            let is_behind = |c: char| !c.is_ascii_alphanumeric() && c != '_';
            part.split_at(part.find(is_behind).unwrap_or(part.len()))
        };
        let is_known = ["HOME", "USER"].contains(&name) || name.starts_with("XDG_");
        if !(is_known && is_plain(name) && is_plain(rest)) {
            return None;
        }
        is_set &= variables.is_set(name);
        path.push(variables.get(name).unwrap_or_default());
        path.push(rest);
    }
    Some(if is_set { path } else { OsString::new() })
}

/// True when a file in netrc's form has a line that enroot takes for a machine: `machine`
/// at its beginning, `login` and a user behind the host, and something behind these, which
/// may be a command.
fn has_machine(netrc: &str, host: &str) -> bool {
    netrc.lines().any(|line| {
        let mut words = line.split_whitespace();
        line.starts_with("machine")
            && words.next() == Some("machine")
            && words.next() == Some(host)
            && words.next() == Some("login")
            && words.nth(1).is_some()
    })
}

/// enroot does not look at the mode of its file.
#[cfg(unix)]
fn check_privacy(path: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;

    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        let path = path.to_string_lossy();
        Finding::warning(
            format!("others may read the logins in {path}"),
            command(&format!("chmod 600 {}", shell_word(&path))),
        )
    })
}

#[cfg(not(unix))]
fn check_privacy(_: &Path) -> Option<Finding> {
    None
}

/// The key for the model, as `prepare_models.sh` finds it.
fn model(preflight: &Preflight<'_>, to_fetch: &ToFetch) -> Finding {
    let variables = &preflight.variables;
    let is_needed = to_fetch.is_model_needed();
    match preflight.plan.recipe().model.weights.source {
        ModelSource::Path(_) => {
            return Finding::ok("no key is needed for the model: it is not fetched");
        }
        ModelSource::HuggingFace(_) if is_needed => return hub_token(preflight),
        ModelSource::HuggingFace(_) => {
            return Finding::ok("no token is needed for the model: it is there");
        }
        ModelSource::Ngc(_) if !is_needed => {
            return Finding::ok("no NGC key is needed for the model: it is there");
        }
        ModelSource::Ngc(_) => {}
    }
    for name in ["NGC_CLI_API_KEY", "NGC_API_KEY"] {
        if variables.is_set(name) {
            return Finding::ok(format!("{name} is set, for the model"));
        }
    }
    let config = variables
        .get("NGC_CLI_HOME")
        .or_else(|| variables.get("HOME"))
        .map(|folder| Path::new(folder).join(".ngc/config"));
    if let Some(config) = config.filter(|path| read(path).is_some_and(|text| has_api_key(&text))) {
        return Finding::ok(format!(
            "{} has an NGC key, for the model",
            config.display()
        ));
    }
    let names = ["NGC_CLI_API_KEY", "NGC_API_KEY"];
    if let Some(name) = names
        .into_iter()
        .find(|name| variables.is_placeholder(name))
    {
        let (message, fix) = unset(preflight, name, "the model is still to be fetched");
        return Finding::error(message, fix);
    }
    Finding::error(
        "there is no NGC key, and the model is still to be fetched",
        command("export NGC_API_KEY=...")
            .words(", or run: ")
            .command("ngc config set"),
    )
}

/// That a variable is not set, or still to what documents print, and how to set it.
fn unset(preflight: &Preflight<'_>, name: &str, need: &str) -> (String, Fix) {
    let export = format!("export {name}=...");
    if preflight.variables.is_placeholder(name) {
        let fix = words("put your own in place of the dots: ").command(&export);
        (format!("{name} is still \"...\", and {need}"), fix)
    } else {
        (format!("{name} is not set, and {need}"), command(&export))
    }
}

/// A token for the hub, which a model that is not gated does not need.
fn hub_token(preflight: &Preflight<'_>) -> Finding {
    if preflight.variables.is_set("HF_TOKEN") {
        return Finding::ok("HF_TOKEN is set, for the model");
    }
    let need = "the model is still to be fetched from the Hugging Face hub";
    let (message, fix) = unset(preflight, "HF_TOKEN", need);
    let fix = words("if the model is gated: ").then(fix);
    Finding::note(message, fix.words(", or run: ").command("hf auth login"))
}

/// True when NGC's configuration has a line `apikey = KEY`.
fn has_api_key(config: &str) -> bool {
    let entries = config.lines().filter_map(|line| line.split_once('='));
    entries
        .into_iter()
        .any(|(name, value)| name.trim() == "apikey" && !value.trim().is_empty())
}

/// The secrets that the recipe says its server needs.
fn server(preflight: &Preflight<'_>) -> Vec<Finding> {
    let names: Vec<&str> = preflight
        .plan
        .recipe()
        .server
        .secrets
        .iter()
        .map(AsRef::as_ref)
        .collect();
    let (set, absent): (Vec<_>, Vec<_>) = names
        .into_iter()
        .partition(|name| preflight.variables.is_set(name));
    let mut findings = Vec::new();
    if !set.is_empty() {
        findings.push(Finding::ok(format!("{} set, for the server", are(&set))));
    }
    for name in absent {
        let (message, fix) = unset(preflight, name, "the recipe's server needs it");
        findings.push(Finding::error(message, fix));
    }
    findings
}

/// A tokenizer of the hub may be behind a licence.
fn tokenizer(preflight: &Preflight<'_>) -> Option<Finding> {
    let tokenizer = preflight.plan.recipe().client.tokenizer.as_ref()?;
    if !tokenizer.is_on_hub() {
        return None;
    }
    Some(if preflight.variables.is_set("HF_TOKEN") {
        Finding::ok(format!("HF_TOKEN is set, for the tokenizer {tokenizer}"))
    } else {
        let need = format!("the tokenizer {tokenizer} comes from the Hugging Face hub");
        let (message, fix) = unset(preflight, "HF_TOKEN", &need);
        let fix = words("if it is gated: ").then(fix);
        let files = &preflight.plan.recipe().model.weights.files;
        let has_own = files.iter().any(|file| file.as_str() == "tokenizer.json");
        Finding::warning(
            message,
            if has_own {
                fix.words(", or leave the tokenizer out: the model has its own")
            } else {
                fix
            },
        )
    })
}

/// Some releases want more of the hub than the tokenizer that they are given.
fn default_tokenizer(preflight: &Preflight<'_>) -> Option<Finding> {
    let tool = preflight.plan.recipe().client.tool;
    let (release, _) = tool.lacks(Feature::StartWithoutHub)?;
    let first = Feature::StartWithoutHub.since().with_image();
    // As launch.sh names its folder.
    let image = shell_word(&preflight.plan.recipe().client.image.to_string());
    Some(Finding::note(
        format!("{release} starts only with {DEFAULT_TOKENIZER}, whatever tokenizer it is given"),
        words("see that the compute node reaches the Hugging Face hub, or fetch it before: ")
            .command(&format!(
                "HF_HOME=$STAGE_PATH/hf_cache/$UID/$(printf '%s\\0' {image} | sha256sum | head -c 32) \
                 huggingface-cli download {DEFAULT_TOKENIZER}"
            ))
            .words(&format!("; or use {first} or later")),
    ))
}

fn are(names: &[&str]) -> String {
    format!(
        "{} {}",
        listed(names),
        if names.len() == 1 { "is" } else { "are" }
    )
}

fn read(path: &Path) -> Option<String> {
    file::linked_text(path, MOST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines() {
        let netrc = "# machine commented.out login x password y\nmachine nvcr.io login $oauthtoken password $NGC_API_KEY\n\
                     machine bare\n machine indented login x password y\nmachine later password y login x\nmachine short login x\n";
        assert!(has_machine(netrc, "nvcr.io"));
        for host in [
            "nvcr",
            "nvcr.iox",
            "nvcrxio",
            "commented.out",
            "bare",
            "indented",
            "later",
            "short",
            "",
        ] {
            assert!(!has_machine(netrc, host), "{host}");
        }
    }

    #[test]
    fn enroot_s_folder_of_a_site() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("enroot.conf");
        let more = folder.path().join("enroot.conf.d");
        fs::create_dir(&more).unwrap();
        let variables = Variables::new([("HOME", "/home/ann"), ("XDG_CONFIG_HOME", "/conf")]);
        let of_site = || enroot_of_site(&file, &variables);
        assert_eq!(of_site(), Ok(None));
        fs::write(more.join("b.conf"), "ENROOT_CONFIG_PATH /b").unwrap();
        fs::write(more.join("a.conf"), "ENROOT_CONFIG_PATH /a").unwrap();
        fs::write(more.join("0.bak"), "ENROOT_CONFIG_PATH /bak").unwrap();
        for (text, expected) in [
            ("", "/a"),
            ("#ENROOT_CONFIG_PATH /c", "/a"),
            ("ENROOT_CONFIG_PATHS /c", "/a"),
            ("ENROOT_CONFIG_PATH=", "/a"),
            ("ENROOT_CONFIG_PATH ${XDG_NONE}/c", "/a"),
            ("ENROOT_CONFIG_PATH ${HOME}/enroot", "/home/ann/enroot"),
            (
                "  ENROOT_CONFIG_PATH = \"$HOME/enroot\" ",
                "/home/ann/enroot",
            ),
            (
                "ENROOT_CONFIG_PATH\t${XDG_CONFIG_HOME}/c\nENROOT_CONFIG_PATH /d",
                "/conf/c",
            ),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(of_site(), Ok(Some(expected.into())), "{text}");
        }
        for words in [
            "$(echo /c)",
            "`echo /c`",
            "/c # mine",
            "~/c",
            "/c/$((1))",
            "${HOME:-/c}",
            "${HOME",
            "$UID",
            "$",
            "/c;touch /d",
            "/c*",
        ] {
            fs::write(&file, format!("ENROOT_CONFIG_PATH {words}\n")).unwrap();
            assert_eq!(of_site(), Err(words.to_owned()));
        }
    }

    #[test]
    fn keys_of_ngc() {
        assert!(has_api_key(";WARNING\n[CURRENT]\napikey = abc\n"));
        assert!(!has_api_key(
            "[CURRENT]\napikey = \n#apikey = abc\nformat_type = ascii\n"
        ));
    }
}

//! Container images: where they come from, and the files they become.

use std::fmt;

use crate::value::{Fault, fnv_1a, only, text_value, value};

/// A container image in a registry.
///
/// # Syntax
///
/// `[REGISTRY[:PORT]/]PATH[:TAG][@sha256:DIGEST]`. The first part is a registry
/// when it has a `.` or `:` or is `localhost`; enroot's `REGISTRY#PATH` is read as
/// well. `PATH` has small letters, digits, `.`, `_`, `-` and `/`; `TAG` has letters,
/// digits, `.`, `_` and `-`, at most 128; `DIGEST` has 64 hexadecimal digits. Without
/// a registry it is Docker Hub, without a tag or digest it is `latest`. Source: OCI
/// distribution specification, "Pulling manifests", and enroot, `import`.
///
/// # Errors
///
/// * `nvcr.io/NVIDIA/x:1`: capital letters in the path
/// * `nvcr.io/nvidia/x:`: no tag behind the colon
/// * `docker://nvcr.io/x`, `/images/x.sqsh`: not a reference
///
/// ```
/// use nim_slurm::container::Image;
///
/// let image = Image::parse("nvcr.io/nvidia/tritonserver:25.01-py3-sdk")?;
/// assert_eq!(image.registry().unwrap().as_str(), "nvcr.io");
/// assert_eq!(image.tag(), Some("25.01-py3-sdk"));
/// // The form that every release of enroot takes has a '#'.
/// assert_eq!(image.enroot_uri(), "docker://nvcr.io#nvidia/tritonserver:25.01-py3-sdk");
/// assert_eq!(image.squash_file().as_str(), "nvidia+tritonserver+25.01-py3-sdk.sqsh");
/// assert!(Image::parse("nvcr.io/NVIDIA/tritonserver").is_err());
/// assert_eq!((image.path(), image.digest()), ("nvidia/tritonserver", None));
/// let mirrored = image.in_registry("mirror.site:5000".parse()?);
/// assert_eq!(mirrored.to_string(), "mirror.site:5000/nvidia/tritonserver:25.01-py3-sdk");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Image {
    registry: Option<Registry>,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Image {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "REGISTRY/PATH:TAG is allowed, as in nvcr.io/nvidia/tritonserver:25.01-py3-sdk";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@' | '#'),
            ALLOWED,
        )?;
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if let Some(digest) = digest {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            if hex.len() != 64 || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(Fault::rule(
                    "a digest is sha256: and 64 hexadecimal digits in small letters",
                ));
            }
        }
        let (registry, rest) = match rest.split_once('#') {
            Some((registry, rest)) => (Some(registry), rest),
            None => match rest.split_once('/') {
                Some((first, behind)) if is_registry(first) => (Some(first), behind),
                _ => (None, rest),
            },
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        let is_path = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/')
        };
        if let Some(c) = path.chars().find(|&c| !is_path(c)) {
            return Err(Fault::Character(
                c,
                "small letters, digits, '.', '_', '-' and '/' are allowed in an image's path",
            ));
        }
        let is_part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.ends_with(|c: char| c.is_ascii_alphanumeric())
        };
        if !path.split('/').all(is_part) {
            return Err(Fault::rule(ALLOWED));
        }
        if let Some(tag) = tag {
            let is_tag = tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && tag
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
                && tag.len() <= 128;
            if !is_tag {
                return Err(Fault::rule(format!(
                    "{tag:?} is no tag: letters, digits, '.', '_' and '-' are allowed, 128 at most, and not '.' or '-' first"
                )));
            }
        }
        Ok(Self {
            registry: registry.map(Registry::check).transpose()?,
            path: path.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The registry; none stands for Docker Hub.
    #[must_use]
    pub const fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }

    /// The path in the registry.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, if one is named.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest with its `sha256:`, if one is named.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The same image in another registry. Docker Hub's own images, which have no folder in
    /// their path, are below `library/` there.
    ///
    /// ```
    /// # use nim_slurm::container::Image;
    /// let image = Image::parse("ubuntu:24.04")?.in_registry("mirror.site".parse()?);
    /// assert_eq!(image.to_string(), "mirror.site/library/ubuntu:24.04");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn in_registry(&self, registry: Registry) -> Self {
        let mut image = self.clone();
        if self.is_on_docker_hub() && !self.path.contains('/') {
            image.path.insert_str(0, "library/");
        }
        image.registry = Some(registry);
        image
    }

    /// Whether it comes from this registry. Docker Hub is `docker.io`, also for a reference
    /// that names no registry.
    pub(crate) fn is_from(&self, registry: &Registry) -> bool {
        self.registry.as_ref() == Some(registry)
            || (registry.is_docker_hub() && self.is_on_docker_hub())
    }

    pub(crate) fn is_on_docker_hub(&self) -> bool {
        self.registry.as_ref().is_none_or(Registry::is_docker_hub)
    }

    /// What `enroot import` is asked for. A digest needs enroot 4.
    #[must_use]
    pub fn enroot_uri(&self) -> String {
        // enroot asks docker.io in vain. Before release 4, it has a login only for a registry that is named.
        let hub = || Registry("registry-1.docker.io".to_owned());
        let named = self.registry.clone().filter(|it| !it.is_docker_hub());
        let registry = named.unwrap_or_else(hub);
        let mut uri = format!("docker://{}#", registry.as_str());
        self.in_registry(registry).push_behind_registry(&mut uri);
        uri
    }

    /// What apptainer and podman are asked for: the image as Docker writes it. Where a
    /// digest is named, the tag is left out, since they take one of the two.
    ///
    /// ```
    /// # use nim_slurm::container::Image;
    /// let image = Image::parse("nvcr.io#nim/meta/x:1.0.3")?;
    /// assert_eq!(image.docker_uri(), "docker://nvcr.io/nim/meta/x:1.0.3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn docker_uri(&self) -> String {
        let mut uri = String::from("docker://");
        if let Some(registry) = &self.registry {
            uri.push_str(registry.as_str());
            uri.push('/');
        }
        let untagged = Self {
            tag: self.tag.clone().filter(|_| self.digest.is_none()),
            ..self.clone()
        };
        untagged.push_behind_registry(&mut uri);
        uri
    }

    fn push_behind_registry(&self, text: &mut String) {
        text.push_str(&self.path);
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest);
        }
    }

    /// The file that enroot would name by itself: path and tag with `+` between.
    /// An image with a digest alone gets the digest's first digits. A name above the
    /// limit of a [`SquashFile`] is cut, and ends with a number that tells it from others.
    #[must_use]
    pub fn squash_file(&self) -> SquashFile {
        let version = match (&self.tag, &self.digest) {
            (Some(tag), _) => tag,
            (None, Some(digest)) => &digest["sha256:".len()..][..12],
            (None, None) => "latest",
        };
        let stem = format!("{}+{version}", self.path.replace('/', "+"));
        if stem.len() + ".sqsh".len() <= LONGEST_FILE {
            return SquashFile(format!("{stem}.sqsh"));
        }
        let end = format!("+{:016x}.sqsh", fnv_1a(stem.bytes()));
        SquashFile(format!("{}{end}", &stem[..LONGEST_FILE - end.len()]))
    }
}

/// Most file systems take names of 255 bytes, and a name gets endings while its file is made.
const LONGEST_FILE: usize = 200;

/// True for a first part of a reference that names a registry by its looks.
fn is_registry(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if let Some(registry) = &self.registry {
            text.push_str(registry.as_str());
            // Behind a '/', a plain host would be read as part of the path.
            text.push(if is_registry(registry.as_str()) {
                '/'
            } else {
                '#'
            });
        }
        self.push_behind_registry(&mut text);
        f.pad(&text)
    }
}

value!(Image, "image");

/// A container registry.
///
/// # Syntax
///
/// A host name of letters, digits, `.` and `-`, and perhaps `:PORT`.
///
/// # Errors
///
/// * `https://nvcr.io`, `nvcr.io/nvidia`, `mirror:0`
///
/// ```
/// use nim_slurm::container::Registry;
///
/// assert_eq!(Registry::parse("mirror.site:5000")?.host(), "mirror.site");
/// assert!(Registry::parse("https://nvcr.io").is_err());
/// let ngc = Registry::parse("nvcr.io")?;
/// assert!(ngc.needs_ngc_key() && ngc.as_str() == "nvcr.io");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry(String);

impl Registry {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "a host and perhaps a port is allowed, as in mirror.site:5000";
        if text.contains('/') && !text.contains("://") {
            return Err(Fault::rule(format!(
                "{ALLOWED}; for a mirror below a path, name the whole path as image in the recipe, as in {text}/NAME:TAG"
            )));
        }
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'),
            ALLOWED,
        )?;
        let (host, port) = text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)));
        let is_label =
            |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        if !host.split('.').all(is_label) {
            return Err(Fault::rule(ALLOWED));
        }
        if port.is_some_and(|port| !port.parse().is_ok_and(|port: u16| port > 0)) {
            return Err(Fault::rule("a port is a number from 1 to 65535"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The registry without its port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// True for the names of Docker Hub: that which people write, and those of its servers.
    pub(crate) fn is_docker_hub(&self) -> bool {
        matches!(
            self.0.as_str(),
            "docker.io" | "index.docker.io" | "registry-1.docker.io"
        )
    }

    /// True when it looks like a registry in front of a path, as Docker reads it.
    pub(crate) fn is_plain(&self) -> bool {
        is_registry(&self.0)
    }

    /// True for NVIDIA's registry, which asks for an NGC key.
    #[must_use]
    pub fn needs_ngc_key(&self) -> bool {
        self.host().eq_ignore_ascii_case("nvcr.io")
    }
}

text_value!(Registry, "registry");

/// The name of a squashfs file.
///
/// # Syntax
///
/// Letters, digits, `.`, `_`, `+`, `@`, `-`, and `.sqsh` at the end; not `.` or `-`
/// first, and no `/`: the file lies directly below the stage path. 200 bytes at most.
///
/// # Errors
///
/// * `images/nim.sqsh`, `nim.sif`, `.sqsh`
///
/// ```
/// use nim_slurm::container::SquashFile;
///
/// assert_eq!(SquashFile::parse("nim+1.0.3.sqsh")?.as_str(), "nim+1.0.3.sqsh");
/// assert!(SquashFile::parse("images/nim.sqsh").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SquashFile(String);

impl SquashFile {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '@' | '-'),
            "letters, digits, '.', '_', '+', '@' and '-' are allowed in a file's name",
        )?;
        let stem = text.strip_suffix(".sqsh").unwrap_or_default();
        if stem.is_empty() || stem.starts_with(['.', '-']) {
            return Err(Fault::rule(
                "a name that ends in .sqsh and does not begin with '.' or '-' is allowed",
            ));
        }
        crate::value::at_most(text, LONGEST_FILE)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(SquashFile, "squash file");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[track_caller]
    fn image(text: &str) -> Image {
        Image::parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn references() {
        accepts::<Image>("ubuntu", "ubuntu");
        accepts::<Image>("vllm/vllm-openai:v0.8.5", "vllm/vllm-openai:v0.8.5");
        accepts::<Image>("nvcr.io#nim/meta/x:1.0.3", "nvcr.io/nim/meta/x:1.0.3");
        accepts::<Image>("localhost:5000/x", "localhost:5000/x");
        accepts::<Image>("mirror#x", "mirror#x");
        let pinned = format!("nvcr.io/nim/x:1@{DIGEST}");
        accepts::<Image>(&pinned, &pinned);
        refuses::<Image>(
            "nvcr.io/NVIDIA/x",
            "unexpected character 'N' in image \"nvcr.io/NVIDIA/x\": small letters, digits, '.', '_', '-' and '/' are \
             allowed in an image's path",
        );
        for text in [
            "",
            "docker://nvcr.io/x",
            "/x.sqsh",
            "./x",
            "nvcr.io/x:",
            "x:-1",
            "nvcr.io/",
            "x@sha256:12",
            "a b",
            "x:1:2",
            "nvcr.io:0/x",
        ] {
            assert!(Image::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn uris_and_files() {
        let hub = "docker://registry-1.docker.io#";
        let uris = [
            ("ubuntu:24.04", "library/ubuntu:24.04"),
            ("docker.io/library/ubuntu:24.04", "library/ubuntu:24.04"),
            ("vllm/vllm-openai:v0.9.2", "vllm/vllm-openai:v0.9.2"),
        ];
        for (text, uri) in uris {
            assert_eq!(image(text).enroot_uri(), format!("{hub}{uri}"));
        }
        assert_eq!(image("ubuntu:24.04").docker_uri(), "docker://ubuntu:24.04");
        let pinned = format!("docker://nvcr.io/nim/x@{DIGEST}");
        let both = image(&format!("nvcr.io/nim/x:1@{DIGEST}"));
        assert_eq!(both.docker_uri(), pinned);
        let mirror = Registry::parse("mirror.site:5000").unwrap();
        assert_eq!(
            image("nvcr.io/nim/x:1")
                .in_registry(mirror.clone())
                .enroot_uri(),
            "docker://mirror.site:5000#nim/x:1"
        );
        assert_eq!(image("ubuntu").squash_file().as_str(), "ubuntu+latest.sqsh");
        assert_eq!(
            image(&format!("nvcr.io/nim/x@{DIGEST}"))
                .squash_file()
                .as_str(),
            "nim+x+0123456789ab.sqsh"
        );
        assert_eq!(
            image("nvcr.io/nim/meta/llama3-70b-instruct:1.0.3")
                .squash_file()
                .as_str(),
            "nim+meta+llama3-70b-instruct+1.0.3.sqsh"
        );
    }

    #[test]
    fn a_long_name_is_a_squash_file_too() {
        let path = "a/".repeat(150);
        let files = ["x:1", "x:2", "y:1"].map(|end| image(&format!("{path}{end}")).squash_file());
        for file in &files {
            assert_eq!(SquashFile::parse(file.as_str()).as_ref(), Ok(file));
            assert_eq!(file.as_str().len(), 200);
        }
        assert!(files[0] != files[1] && files[0] != files[2]);
    }

    #[test]
    fn squash_files() {
        accepts::<SquashFile>("a+b@1.sqsh", "a+b@1.sqsh");
        refuses::<SquashFile>(
            "a/b.sqsh",
            "unexpected character '/' in squash file \"a/b.sqsh\": letters, digits, '.', '_', '+', '@' and '-' are allowed \
             in a file's name",
        );
        for text in ["", ".sqsh", "-x.sqsh", "x.sif"] {
            assert!(SquashFile::parse(text).is_err(), "{text}");
        }
    }
}

//! What a container sees of the host.

use crate::plain::is_hidden;
use crate::value::{Fault, text_value};

/// A path of the host, mounted in a container.
///
/// # Syntax
///
/// `SOURCE[:DESTINATION[:FLAGS]]`. Source and destination are absolute paths;
/// without a destination it is the source. The source may also be `tmpfs`, a new
/// file system in memory. `FLAGS` are `ro`, `rw`, `nosuid`, `nodev`, `noexec`,
/// `noatime`, `bind`, `rbind`, `private`, `rprivate`, `slave`, `rslave`, joined by
/// `+`. Pyxis has no way to quote `,` and `:`, and old releases none for blanks, so
/// paths with these, or with a character that its own shell would read, are
/// refused. Source: pyxis, `--container-mounts`.
///
/// # Errors
///
/// * `data:/data`, `./data`: relative paths
/// * `/my data:/data`: white space
/// * `/a:/b:rx`: no such flag
///
/// ```
/// use nim_slurm::container::Mount;
///
/// let mount = Mount::parse("/lustre/data:/data:ro+noexec")?;
/// assert_eq!(mount.source(), "/lustre/data");
/// assert_eq!(mount.destination(), "/data");
/// assert!(mount.flags().eq(["ro", "noexec"]));
/// assert_eq!(Mount::parse("/scratch")?.as_str(), "/scratch:/scratch");
/// assert!(Mount::parse("/my data:/data").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mount(String);

const FLAGS: [&str; 12] = [
    "ro", "rw", "nosuid", "nodev", "noexec", "noatime", "bind", "rbind", "private", "rprivate",
    "slave", "rslave",
];

/// True for a character that has no place in a path that is mounted.
pub(crate) fn is_unmountable(c: char) -> bool {
    c.is_whitespace() || is_hidden(c) || matches!(c, ',' | ':' | '$' | '`' | '"' | '\\' | '{' | '}')
}

/// An absolute path that pyxis can mount.
pub(crate) fn mountable_path(path: &str) -> Result<(), Fault> {
    if let Some(c) = path.chars().find(|&c| is_unmountable(c)) {
        return Err(Fault::Character(
            c,
            "a container mount has no way to quote white space or any of , : $ ` \" \\ { }",
        ));
    }
    if !path.starts_with('/') {
        return Err(Fault::rule(format!(
            "{path:?} is no absolute path, which begins with '/'"
        )));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(Fault::rule(format!(
            "{path:?} has a part \"..\": name the folder itself"
        )));
    }
    Ok(())
}

/// A folder that can be mounted, without a slash at its end; `allowed` is said of an
/// empty text, and `root` of the root of all files.
pub(crate) fn mountable_folder(
    text: &str,
    allowed: &'static str,
    root: &'static str,
) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::Empty(allowed));
    }
    mountable_path(text)?;
    let path = text.trim_end_matches('/');
    if path.is_empty() {
        return Err(Fault::rule(root));
    }
    Ok(path.to_owned())
}

impl Mount {
    fn check(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::Empty(
                "SOURCE:DESTINATION:FLAGS is allowed, as in /lustre/data:/data:ro",
            ));
        }
        let mut parts = text.splitn(3, ':');
        let source = parts.next().unwrap_or_default();
        let destination = match parts.next() {
            Some(destination) => destination,
            None if source == "tmpfs" => {
                return Err(Fault::rule(
                    "tmpfs needs a destination, as in tmpfs:/scratch",
                ));
            }
            None => source,
        };
        if source != "tmpfs" {
            mountable_path(source)?;
        }
        mountable_path(destination)?;
        if destination.trim_end_matches('/').is_empty() {
            return Err(Fault::rule("it would hide the whole container"));
        }
        let flags = parts.next();
        for flag in flags.into_iter().flat_map(|flags| flags.split('+')) {
            if !FLAGS.contains(&flag) {
                return Err(Fault::rule(format!(
                    "{flag:?} is no mount flag: {} are allowed, joined by '+'",
                    FLAGS.join(", ")
                )));
            }
        }
        let flags = flags.map(|flags| format!(":{flags}")).unwrap_or_default();
        Ok(Self(format!("{source}:{destination}{flags}")))
    }

    fn part(&self, index: usize) -> Option<&str> {
        self.0.split(':').nth(index)
    }

    /// The path on the host, or `tmpfs`.
    #[must_use]
    pub fn source(&self) -> &str {
        self.part(0).unwrap_or_default()
    }

    /// The path in the container.
    #[must_use]
    pub fn destination(&self) -> &str {
        self.part(1).unwrap_or_default()
    }

    /// The flags, in order.
    pub fn flags(&self) -> impl Iterator<Item = &str> {
        self.part(2).into_iter().flat_map(|flags| flags.split('+'))
    }
}

text_value!(Mount, "mount");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn accepted() {
        accepts::<Mount>("/a", "/a:/a");
        accepts::<Mount>("/a:/b", "/a:/b");
        accepts::<Mount>("/a:/b:ro+rslave", "/a:/b:ro+rslave");
        accepts::<Mount>("tmpfs:/scratch", "tmpfs:/scratch");
        accepts::<Mount>("/dätä/x's:/d", "/dätä/x's:/d");
    }

    #[test]
    fn refused() {
        refuses::<Mount>(
            "",
            "empty mount: SOURCE:DESTINATION:FLAGS is allowed, as in /lustre/data:/data:ro",
        );
        refuses::<Mount>(
            "data:/data",
            "cannot take \"data:/data\" as mount: \"data\" is no absolute path, which begins with '/'",
        );
        refuses::<Mount>(
            "/my data:/d",
            "unexpected character ' ' in mount \"/my data:/d\": a container mount has no way to quote white space or any \
             of , : $ ` \" \\ { }",
        );
        refuses::<Mount>(
            "/a:/",
            "cannot take \"/a:/\" as mount: it would hide the whole container",
        );
        for text in [
            "/a:",
            "/a:/b:",
            "/a:/b:rx",
            "/a:/b:ro:x",
            "/a,/b",
            "tmpfs",
            "umount:/a",
            "/a$x",
            "/a:b",
            "/../a:/b",
        ] {
            assert!(Mount::parse(text).is_err(), "{text}");
        }
    }
}

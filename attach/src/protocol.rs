//! HotSpot's attach protocol, version 1: a request is zero-ended words, the answer a number and text until the end of
//! the stream.

use std::path::Path;

use crate::AttachError;

const VERSION: &str = "1";
/// The operation that loads an agent: its library, whether that is a path, and the agent's options.
const LOAD: &str = "load";
/// HotSpot's `arg_length_max`: it drops the connection if a word is longer.
pub(crate) const LONGEST_WORD: usize = 1024;
/// What the agent's own code stands behind in HotSpot 9 and newer; in 8 it stands alone.
const RETURN_CODE: &str = "return code: ";
const LOADING_DISABLED: &str = "Dynamic agent loading is not enabled";
const TOO_EARLY: &str = "only permitted in the live phase";

/// The request to load `library` with `options`.
///
/// # Errors
/// [`AttachError::TooLong`] and [`AttachError::ZeroByte`].
pub(crate) fn load_request(library: &Path, options: &str) -> Result<Vec<u8>, AttachError> {
    let library = library.as_os_str().as_encoded_bytes();
    let mut request = Vec::new();
    for (what, word) in [
        ("the protocol's version", VERSION.as_bytes()),
        ("the operation's name", LOAD.as_bytes()),
        ("the path of the library", library),
        ("the sign of an absolute path", b"true"),
        ("the option string", options.as_bytes()),
    ] {
        if word.len() > LONGEST_WORD {
            return Err(AttachError::TooLong {
                what,
                bytes: word.len(),
                limit: LONGEST_WORD,
            });
        }
        if word.contains(&0) {
            return Err(AttachError::ZeroByte { what });
        }
        request.extend(word);
        request.push(0);
    }
    Ok(request)
}

/// What a JVM says to a request to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The agent was called and returned this.
    Returned(i32),
    /// It loads no agents.
    LoadingDisabled,
    /// It has not started yet, and will load agents once it has (HotSpot 21 and newer).
    TooEarly,
    /// It could not load this one, and says why, or nothing.
    Refused(String),
    /// Nothing at all.
    Silence,
    /// It is no reply of the protocol.
    Unknown(String),
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8]) -> Reply {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        if text.is_empty() {
            return Reply::Silence;
        }
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        // HotSpot 21 and newer answer 0, and then why not: the number says that it is a reply, and no more.
        if first.trim().parse::<i32>().is_err() {
            return Reply::Unknown(text.chars().take(200).collect());
        }
        let rest = rest.trim();
        let code = rest
            .lines()
            .find_map(|line| line.trim().strip_prefix(RETURN_CODE))
            // Text about a failure is no number.
            .unwrap_or(rest);
        match code.trim().parse() {
            Ok(code) => Reply::Returned(code),
            Err(_) if rest.contains(LOADING_DISABLED) => Reply::LoadingDisabled,
            Err(_) if rest.contains(TOO_EARLY) => Reply::TooEarly,
            Err(_) => Reply::Refused(rest.lines().map(str::trim).collect::<Vec<_>>().join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_five_words() {
        let request = load_request(Path::new("/opt/libjprof.so"), "a=b,c=d");
        let request = request.expect("short words");
        assert_eq!(request, b"1\0load\0/opt/libjprof.so\0true\0a=b,c=d\0");
        let request = load_request(Path::new("/l.so"), "").expect("short words");
        assert_eq!(request, b"1\0load\0/l.so\0true\0\0");
    }

    #[test]
    fn words_that_the_protocol_cannot_carry() {
        let path = Path::new("/l.so");
        assert!(load_request(path, &"x".repeat(1024)).is_ok());
        let long = load_request(path, &"x".repeat(1025));
        assert!(matches!(
            long,
            Err(AttachError::TooLong { bytes: 1025, .. })
        ));
        let zero = load_request(path, "a\0b");
        assert!(matches!(zero, Err(AttachError::ZeroByte { .. })));
    }

    #[test]
    fn replies_of_each_version() {
        let refused = |text: &str| Reply::Refused(text.to_owned());
        for (answer, reply) in [
            ("0\n0\n", Reply::Returned(0)),
            ("0\n-1\n", Reply::Returned(-1)),
            ("0\nreturn code: 0\n", Reply::Returned(0)),
            ("0\nreturn code: -1\n", Reply::Returned(-1)),
            (
                "-1\nDynamic agent loading is not enabled. Use …\n",
                Reply::LoadingDisabled,
            ),
            (
                "0\nDynamic agent loading is not enabled. Use …\n",
                Reply::LoadingDisabled,
            ),
            (
                "-1\n/x.so was not loaded.\n/x.so: no such\n",
                refused("/x.so was not loaded. /x.so: no such"),
            ),
            (
                "0\n/x.so was not loaded.\n",
                refused("/x.so was not loaded."),
            ),
            (
                "0\nDynamic agent loading is only permitted in the live phase\n",
                Reply::TooEarly,
            ),
            ("-1\n", refused("")),
            ("0\n", refused("")),
            ("101\n", refused("")),
            ("", Reply::Silence),
            ("HTTP/1.1 400\n", Reply::Unknown("HTTP/1.1 400".to_owned())),
        ] {
            assert_eq!(Reply::parse(answer.as_bytes()), reply, "{answer:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_shortened() {
        let Reply::Unknown(shown) = Reply::parse(&[0xff; 5000]) else {
            panic!("no reply");
        };
        assert_eq!(shown.chars().count(), 200);
    }
}

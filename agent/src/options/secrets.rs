//! Keeps secrets out of recordings and log lines.
//!
//! System properties, arguments and environment variables are part of a recording, and some of them are passwords.
//! What is masked is decided by names, and in doubt a value is masked: a hidden harmless value costs less than a
//! password that is stored elsewhere. What no name gives away (`-pSECRET`, a password among other words) stays.

use std::borrow::Cow;

/// What stands in place of a secret.
const MASK: &str = "***";

/// A name that holds one of these, in any case, names a secret.
const INSIDE: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
];

/// A word of a name that ends like this, in any case, names a secret. `keyboard` and `keystroke` do not.
const AT_END: [&str; 7] = ["key", "keys", "pwd", "pwds", "pass", "cred", "creds"];

/// Whether the value of that name is to be masked: the name of a system property, an argument, a variable or a tag.
///
/// ```
/// use jprof::options::is_secret_name;
/// assert!(is_secret_name("javax.net.ssl.keyStorePassword"));
/// assert!(is_secret_name("AWS_ACCESS_KEY_ID"));
/// assert!(!is_secret_name("user.home"));
/// ```
pub fn is_secret_name(name: &str) -> bool {
    is_plainly_secret(name)
        || words(name).any(|word| {
            let word = word.to_ascii_lowercase();
            AT_END.iter().any(|end| word.ends_with(end))
        })
}

/// Whether the name says so in a word that has no other meaning; `key` and `pass` have, in running text.
fn is_plainly_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    INSIDE.iter().any(|part| lower.contains(part))
}

/// Words of a name: `apiKeyId`, `API_KEY_ID` and `api-key.id` all have three.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric()).flat_map(|part| {
        let mut rest = part;
        std::iter::from_fn(move || {
            let mut before = rest.chars().next()?;
            let end = rest
                .char_indices()
                .skip(1)
                .find(|&(_, c)| {
                    let begins = before.is_lowercase() && c.is_uppercase();
                    before = c;
                    begins
                })
                .map_or(rest.len(), |(at, _)| at);
            let (word, behind) = rest.split_at(end);
            rest = behind;
            Some(word)
        })
    })
}

/// The value of a property or variable as it may be shown: masked whole when its name is a secret's, else with what
/// [`mask_text`] finds in it.
pub fn mask_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if value.is_empty() {
        Cow::Borrowed(value)
    } else if is_secret_name(name) {
        Cow::Borrowed(MASK)
    } else {
        mask_text(value)
    }
}

/// Arguments as they may be shown, one by one.
///
/// Beside what [`mask_text`] finds: all that follows `=` in `--password=x` or `-Dpassword=x`, blanks and commas too,
/// and the argument behind a `--password`, `-password` or `password` that stands alone.
pub fn mask_arguments<I>(arguments: I) -> Vec<String>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let mut masked = Vec::new();
    let mut announced = false;
    for argument in arguments {
        let argument = argument.as_ref();
        if announced && !argument.starts_with('-') && !argument.is_empty() {
            masked.push(MASK.to_owned());
            announced = false;
            continue;
        }
        announced = announces_secret(argument);
        masked.push(match assigned(argument) {
            Some((name, value)) if is_secret_name(name) && !value.is_empty() => {
                format!("{}{MASK}", &argument[..argument.len() - value.len()])
            }
            _ => mask_text(argument).into_owned(),
        });
    }
    masked
}

/// Name and value of an argument of the form `name=value`; name without dashes.
fn assigned(argument: &str) -> Option<(&str, &str)> {
    let (name, value) = argument.split_once('=')?;
    name.bytes().all(is_name_byte).then_some((name, value))
}

/// Whether the argument is the name of a secret, which then is the next argument.
fn announces_secret(argument: &str) -> bool {
    argument.bytes().all(is_name_byte) && speaks_for_next(argument)
}

/// Whether a word that stands alone is the name of a secret that follows.
fn speaks_for_next(word: &str) -> bool {
    is_plainly_secret(word)
        || (word.starts_with('-') && !word.starts_with("-X") && is_secret_name(word))
}

/// Any text as it may be shown: a command line, a value, a message.
///
/// Masked are, where the name is a secret's ([`is_secret_name`]): the value in `name=value`, `name: value`,
/// `"name": "value"`, and the word behind a name that stands alone (`--password x`, `password x`); and the user and
/// password of an address (`http://me:x@host`). A value in quotes ends at its quote. Any other value ends at a blank;
/// inside a list or a query also at `,`, `;` or `&`, unless a backslash stands before it.
pub fn mask_text(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        let Some(secret) = next_secret(text, at) else {
            break;
        };
        out.push_str(&text[copied..secret.start]);
        out.push_str(MASK);
        copied = secret.end;
        at = secret.end;
    }
    if copied == 0 && out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The next stretch to mask at or after `from`.
fn next_secret(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        if text[at..].starts_with("://") {
            let authority = at + 3;
            let end = ends_at(text, authority, |byte| {
                matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>')
                    || byte.is_ascii_whitespace()
            });
            if let Some(user_end) = text[authority..end].rfind('@').filter(|&length| length > 0) {
                return Some(authority..authority + user_end);
            }
            at = authority;
        } else if is_name_byte(bytes[at]) {
            let end = ends_at(text, at, |byte| !is_name_byte(byte));
            if is_secret_name(&text[at..end])
                && let Some(value) = value_of(text, at, end)
            {
                return Some(value);
            }
            at = end;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// The value of the secret whose name lies between `start` and `end`, if one follows.
fn value_of(text: &str, start: usize, end: usize) -> Option<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let before = start.checked_sub(1).map(|at| bytes[at]);
    let starts_word =
        before.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''));
    let is_argument = starts_word && bytes[start] == b'-';
    // A quote that closes the name, as in JSON.
    let quoted = before.is_some_and(|byte| is_quote(byte) && bytes.get(end) == Some(&byte));
    let mut at = end + usize::from(quoted);
    let blanks = ends_at(text, at, |byte| !matches!(byte, b' ' | b'\t'));
    let separator = bytes.get(blanks).copied();
    match separator {
        Some(b'=') if blanks == at || quoted => at = blanks + 1,
        // In a path list (`/a/token:/b`) the colon says nothing.
        Some(b':') if before != Some(b'/') && (blanks == at || quoted) => at = blanks + 1,
        Some(_) if blanks > at && starts_word && !quoted => {
            // The name stands alone and the value is the next word, unless that is an option.
            let speaks = separator != Some(b'-') && speaks_for_next(&text[start..end]);
            return speaks.then(|| word(text, blanks)).flatten();
        }
        _ => return None,
    }
    let assigns = separator == Some(b'=') && !quoted;
    if !assigns {
        at = ends_at(text, at, |byte| !matches!(byte, b' ' | b'\t'));
    }
    let mut value = if is_argument {
        word(text, at)
    } else {
        piece(text, at)
    }?;
    // `Authorization: Bearer x` has the secret in its second word.
    let scheme = &text[value.clone()];
    if ["basic", "bearer", "digest"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        let next = ends_at(text, value.end, |byte| !matches!(byte, b' ' | b'\t'));
        value.end = piece(text, next).map_or(value.end, |next| next.end);
    }
    Some(value)
}

/// The quoted text or the word that begins at `at`.
fn word(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    stretch(text, at, |byte| byte.is_ascii_whitespace())
}

/// The quoted text that begins at `at`, or else what comes before the next blank or separator of a list.
fn piece(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    stretch(text, at, |byte| {
        byte.is_ascii_whitespace()
            || matches!(byte, b',' | b';' | b'&' | b'"' | b'\'' | b'}' | b']' | b')')
    })
}

fn stretch(text: &str, at: usize, stops: impl Fn(u8) -> bool) -> Option<std::ops::Range<usize>> {
    let range = match text.as_bytes().get(at) {
        Some(&quote) if is_quote(quote) => at + 1..ends_at(text, at + 1, |byte| byte == quote),
        _ => at..ends_at(text, at, stops),
    };
    (!range.is_empty()).then_some(range)
}

/// Where the text that begins at `from` stops: at the first byte for which `stops` holds and before which no backslash
/// stands. `stops` only ever names ASCII bytes or their opposite, so that the place is a boundary.
fn ends_at(text: &str, from: usize, stops: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        if bytes[at] == b'\\' && !stops(b'\\') {
            at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
        } else if stops(bytes[at]) {
            return at;
        } else {
            at += 1;
        }
    }
    text.len()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbpasswd",
            "javax.net.ssl.keyStorePassword",
            "spring.datasource.password",
            "client_secret",
            "GITHUB_TOKEN",
            "accessToken",
            "AWS_ACCESS_KEY_ID",
            "aws.secretKey",
            "apiKey",
            "apiKeyId",
            "API-KEY",
            "APIKEY",
            "sshkey",
            "key",
            "MYSQL_PWD",
            "DB_PASS",
            "google.application.credentials",
            "-Dmy.passphrase",
            "Authorization",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "",
            "user.home",
            "java.class.path",
            "keyboard",
            "java.vm.name",
            "sun.java.command",
            "PATH",
            "keystroke.map",
            "passage",
            "os.arch",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn words_of_names() {
        let split = |name| words(name).collect::<Vec<_>>();
        assert_eq!(split("apiKeyId"), ["api", "Key", "Id"]);
        assert_eq!(split("API_KEY.id-x"), ["API", "KEY", "id", "x"]);
        assert_eq!(split("éÜ"), ["é", "Ü"]);
        assert!(split("..").is_empty());
    }

    #[test]
    fn masks_text() {
        for (text, expected) in [
            ("", ""),
            ("-Xmx1g -Duser.home=/x", "-Xmx1g -Duser.home=/x"),
            ("-Dpassword=x -Xmx1g", "-Dpassword=*** -Xmx1g"),
            ("-Dpassword=a,b;c&d -Xmx1g", "-Dpassword=*** -Xmx1g"),
            (r#"-Dpassword="a b" -Xmx1g"#, r#"-Dpassword="***" -Xmx1g"#),
            ("--token=x --port=80", "--token=*** --port=80"),
            ("--token x --port 80", "--token *** --port 80"),
            ("--token --port 80", "--token --port 80"),
            ("login password x now", "login password *** now"),
            ("the key is here", "the key is here"),
            ("-Xkey 1", "-Xkey 1"),
            ("password", "password"),
            ("password=", "password="),
            ("http://me:x@h:80/a?b=c", "http://***@h:80/a?b=c"),
            (
                "jdbc:mysql://h/d?user=u&password=x&a=b",
                "jdbc:mysql://h/d?user=u&password=***&a=b",
            ),
            ("https://h/a?api_key=x", "https://h/a?api_key=***"),
            ("https://h/a@b", "https://h/a@b"),
            (
                r#"{"db":{"password" : "a\"b","user":"u"}}"#,
                r#"{"db":{"password" : "***","user":"u"}}"#,
            ),
            (r#"{"token":12,"a":1}"#, r#"{"token":***,"a":1}"#),
            ("Authorization: Bearer abc def", "Authorization: *** def"),
            ("Authorization: Basic abc", "Authorization: ***"),
            (
                r"-agentpath:/x/libjprof.so=service=a,tags=token:a\,b;c:d,period=1s",
                r"-agentpath:/x/libjprof.so=service=a,tags=token:***;c:d,period=1s",
            ),
            (
                "-cp /a/token:/b/key.jar:/c/my-secret/d.jar",
                "-cp /a/token:/b/key.jar:/c/my-secret/d.jar",
            ),
            ("-Dtoken=é -Db=ü", "-Dtoken=*** -Db=ü"),
            ("a\\", "a\\"),
            ("token=\\", "token=***"),
        ] {
            assert_eq!(mask_text(text), expected, "{text}");
        }
    }

    #[test]
    fn masks_arguments_one_by_one() {
        let masked = mask_arguments([
            "java",
            "-Dpassword=a b,c",
            "-Da=http://u:p@h",
            "--token",
            "t t",
            "--verbose-key",
            "-x",
            "password",
            "p",
            "last",
        ]);
        assert_eq!(
            masked,
            [
                "java",
                "-Dpassword=***",
                "-Da=http://***@h",
                "--token",
                "***",
                "--verbose-key",
                "-x",
                "password",
                "***",
                "last",
            ]
        );
    }

    #[test]
    fn masks_values_by_their_name() {
        assert_eq!(mask_value("DB_PASSWORD", "x"), "***");
        assert_eq!(mask_value("DB_PASSWORD", ""), "");
        assert_eq!(
            mask_value("JAVA_OPTS", "-Dtoken=x -Xmx1g"),
            "-Dtoken=*** -Xmx1g"
        );
        assert_eq!(mask_value("user.home", "/home/u"), "/home/u");
    }

    proptest! {
        #[test]
        fn any_text_is_masked_without_a_panic(text in "(password|token|key|://|[=:@\"'\\\\ ,;&{}-]|é|[a-z]){0,24}") {
            let masked = mask_text(&text).into_owned();
            prop_assert_eq!(masked.contains("***") || masked == text, true);
            mask_arguments(text.split(' '));
        }

        #[test]
        fn an_assigned_secret_is_never_shown(
            before in "[a-z/. ]{0,8}",
            name in "-D(db\\.)?(password|apiKey|auth-token|MY_SECRET)|--token|--my-key",
            secret in "[A-Z0-9,;&%$]{6,20}",
            after in "[a-z ]{0,8}",
        ) {
            for text in [format!("{before} {name}={secret} {after}"), format!("{before} {name} {secret} {after}")] {
                prop_assert!(!mask_text(&text).contains(&secret), "{}", text);
                let arguments = mask_arguments(text.split(' '));
                prop_assert!(!arguments.concat().contains(&secret), "{:?}", arguments);
            }
        }

        #[test]
        fn a_password_in_an_address_is_never_shown(secret in "[A-Z0-9:$@!.]{6,20}") {
            let url = format!("see https://user:{secret}@host:1/path");
            prop_assert_eq!(mask_text(&url), "see https://***@host:1/path");
        }
    }
}

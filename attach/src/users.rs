//! Users' names.

use std::collections::HashMap;
use std::fs;

/// The users of the system's own list.
#[derive(Debug, Default)]
pub(crate) struct Users(HashMap<u32, String>);

impl Users {
    /// Reads `/etc/passwd` (passwd(5)); without it there are numbers only.
    pub(crate) fn load() -> Users {
        Users::parse(&fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    pub(crate) fn parse(text: &str) -> Users {
        let mut users = HashMap::new();
        for line in text.lines() {
            let mut fields = line.split(':');
            let (name, uid) = (fields.next(), fields.nth(1));
            if let (Some(name), Some(Ok(uid))) = (name, uid.map(str::parse)) {
                users.entry(uid).or_insert_with(|| name.to_owned());
            }
        }
        Users(users)
    }

    /// The user's name, or the number.
    pub(crate) fn name(&self, uid: u32) -> String {
        let name = self.0.get(&uid).cloned();
        name.unwrap_or_else(|| uid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number() {
        let users = Users::parse("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\n#\nbad:x:y\n");
        assert_eq!(users.name(0), "root");
        assert_eq!(users.name(1000), "1000");
    }
}

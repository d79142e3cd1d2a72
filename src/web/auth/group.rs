//! group.conf: which users have which role (WEB-42).

use crate::control::Access;
use crate::told::{Told, told};
use std::collections::HashMap;

/// Roles of users, as the file gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(HashMap<String, Access>);

impl Groups {
    /// Reads lines `Admin : user user ...`, `Control : ...`, `Monitor : ...`. What is wrong gives no role
    /// and is told with its line.
    pub fn parse(text: &str) -> (Groups, Vec<Told>) {
        let (mut groups, mut problems) = (Groups::default(), Vec::new());
        for (line, text) in text.lines().enumerate().map(|(i, text)| (i + 1, text.trim())) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (name, users) = text.split_once(':').map_or((text, None), |(n, u)| (n.trim(), Some(u)));
            let access = match name.to_ascii_lowercase().as_str() {
                "admin" => Access::Admin,
                "control" => Access::Control,
                "monitor" => Access::Monitor,
                _ => {
                    problems.push(told!(
                        "{line}: \"{name}\" is no role: write Admin, Control or Monitor",
                        "{line} : \"{name}\" n'est pas un rôle : écrivez Admin, Control ou Monitor"
                    ));
                    continue;
                }
            };
            let Some(users) = users else {
                problems.push(told!(
                    "{line}: write {name} : user user ...",
                    "{line} : écrivez {name} : utilisateur utilisateur ..."
                ));
                continue;
            };
            for user in users.split_whitespace() {
                groups.give(user, access);
            }
        }
        (groups, problems)
    }

    /// Role of a user; the greatest if there are several.
    pub fn role(&self, user: &str) -> Option<Access> {
        self.0.get(user).copied()
    }

    fn give(&mut self, user: &str, access: Access) {
        let role = self.0.entry(user.to_owned()).or_insert(access);
        *role = (*role).max(access);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_role_counts_and_faults_have_their_line() {
        let text = "Admin : admin\n# others\nControl : manager admin\nMonitor:operator1 operator2 manager\nBoss : x\nAdmin";
        let (groups, problems) = Groups::parse(text);
        for (user, access) in [
            ("admin", Some(Access::Admin)),
            ("manager", Some(Access::Control)),
            ("operator2", Some(Access::Monitor)),
            ("x", None),
            ("Admin", None),
        ] {
            assert_eq!(groups.role(user), access, "{user}");
        }
        assert_eq!(problems.len(), 2);
        assert!(
            problems[0].to_string().starts_with("5: \"Boss\"") && problems[1].to_string().starts_with("6: ")
        );
    }
}

//! Parser of a policy's text: the roles that a role may give, invite to or become.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::faults::{Faults, Located};
use crate::policy::role::Role;

/// Reads `may_give`, `may_invite` and `may_become` of all roles in `table`, whose other fields `roles` contains
/// already: a list can name a role that is defined after it.
pub(super) fn read(
    table: &DeTable<'_>,
    roles: &mut BTreeMap<String, Role>,
    faults: &mut Faults<'_>,
) {
    for (name, value) in table {
        let name = name.get_ref().as_ref();
        let may_moderate = roles.get(name).is_some_and(|role| role.can_moderate);
        for (key, value) in value.get_ref().as_table().into_iter().flatten() {
            match key.get_ref().as_ref() {
                "may_give" => {
                    let may_give = role_names("may_give", value, roles, cannot_be_given, faults);
                    roles.entry(name.to_owned()).and_modify(|role| role.may_give = may_give);
                }
                "may_invite" => {
                    let may_invite = role_names("may_invite", value, roles, cannot_invite, faults);
                    roles.entry(name.to_owned()).and_modify(|role| role.may_invite = may_invite);
                }
                "may_become" => {
                    let refusal = |role: &Role| cannot_be_taken(role, may_moderate);
                    let may_become = role_names("may_become", value, roles, refusal, faults);
                    roles.entry(name.to_owned()).and_modify(|role| role.may_become = may_become);
                }
                _ => {}
            }
        }
    }
    // The list that is built in can name a role that this policy puts in charge.
    let in_charge: Vec<String> =
        roles.values().filter(|role| role.is_in_charge()).map(|role| role.name.clone()).collect();
    for role in roles.values_mut() {
        role.may_give.retain(|name| !in_charge.contains(name));
        role.may_invite.retain(|name| !in_charge.contains(name));
    }
}

/// Returns the names in the list `value` of the field with this name, without those that `refusal` has a
/// reason against.
fn role_names(
    field: &'static str,
    value: &Located<'_>,
    roles: &BTreeMap<String, Role>,
    refusal: impl Fn(&Role) -> Option<&'static str>,
    faults: &mut Faults<'_>,
) -> Vec<String> {
    let Some(items) = value.get_ref().as_array() else {
        faults.add(value.span().start, format!("{field} must be a list of roles"));
        return Vec::new();
    };
    let mut names = Vec::new();
    for item in items {
        match item.get_ref().as_str().and_then(|name| roles.get(name)) {
            None => {
                let reason = format!(
                    "{field} must list host, moderator, participant, viewer, or roles with a table \
                     of this policy, [roles.name]"
                );
                faults.add(item.span().start, reason);
            }
            Some(role) => match refusal(role) {
                Some(reason) => faults.add(item.span().start, reason),
                None => names.push(role.name.clone()),
            },
        }
    }
    names
}

fn cannot_be_given(role: &Role) -> Option<&'static str> {
    role.is_in_charge().then_some(
        "may_give must not list a role with room_admin or can_moderate: nobody can give such a role",
    )
}

fn cannot_invite(role: &Role) -> Option<&'static str> {
    role.is_in_charge().then_some(
        "may_invite must not list a role with room_admin or can_moderate: guests never moderate",
    )
}

/// `may_moderate` is the right of the role whose holders would take `role`.
fn cannot_be_taken(role: &Role, may_moderate: bool) -> Option<&'static str> {
    if role.grants.room_admin {
        return Some(
            "may_become must not list a role with room_admin: LiveKit cannot give that grant during a \
             call",
        );
    }
    (role.can_moderate && !may_moderate)
        .then_some("may_become must not list a role with can_moderate in a role without it")
}

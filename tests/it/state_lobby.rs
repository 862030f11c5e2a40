//! State of the waiting room and of invitations: one suite for every store.

use std::time::SystemTime;

use futures_util::future::join_all;
use roomkey::lobby::Lobby;
use roomkey::state::item::{Change, StoredInvitation, Waiting};
use roomkey::state::{MOST_WAITING, State, Use, Wait};

use crate::support::{FakeDynamoDb, NOW, at, now};

const HOUR: u64 = 3_600;

/// The behavior of every store. Each part uses rooms of its own.
pub(crate) async fn conformance(state: &State) {
    wait_ends_if_the_person_leaves(state).await;
    decisions_have_ends(state).await;
    decision_needs_a_wait(state).await;
    uses_are_counted_by_guest(state).await;
    revocation_ends_an_invitation(state).await;
    invitations_are_listed_until_they_expire(state).await;
}

async fn wait(state: &State, room: &str, person: &str, now: SystemTime) -> Wait {
    state.wait(room, person, "Grace", now).await.unwrap()
}

async fn waiting(state: &State, room: &str, now: SystemTime) -> Vec<(String, u64)> {
    let list = state.waiting(room, now).await.unwrap();
    list.into_iter().map(|(person, waiting)| (person, waiting.since - NOW)).collect()
}

pub(crate) async fn wait_ends_if_the_person_leaves(state: &State) {
    assert_eq!(waiting(state, "w1", now()).await, []);
    assert_eq!(wait(state, "w1", "eve", at(NOW + 2)).await, Wait::Started);
    assert_eq!(wait(state, "w1", "bob", at(NOW + 1)).await, Wait::Started);
    let (bob, eve) = (("bob".to_owned(), 1), ("eve".to_owned(), 2));
    for seconds in [4, 31, 35, 64] {
        assert_eq!(wait(state, "w1", "bob", at(NOW + seconds)).await, Wait::Continued);
        let list = waiting(state, "w1", at(NOW + seconds)).await;
        assert_eq!(list, [bob.clone(), eve.clone()], "{seconds}");
    }
    assert_eq!(waiting(state, "w1", at(NOW + 91)).await, [bob.clone(), eve.clone()]);
    assert_eq!(waiting(state, "w1", at(NOW + 92)).await, [bob], "Eve left");
    assert_eq!(waiting(state, "w1 ", now()).await, [], "another room");
    assert_eq!(wait(state, "w1", "eve", at(NOW + 100)).await, Wait::Started, "a wait of its own");
    state.wait("w1", "bob", "Robert", at(NOW + 101)).await.unwrap();
    let list = state.waiting("w1", at(NOW + 101)).await.unwrap();
    assert_eq!(list[0].1.name, "Robert", "the new name");
}

async fn decisions_have_ends(state: &State) {
    for (room, is_admitted, expected, seconds) in
        [("w2", true, Wait::Admitted, 24 * HOUR), ("w3", false, Wait::Refused, HOUR)]
    {
        wait(state, room, "bob", now()).await;
        assert!(state.decide(room, "bob", is_admitted, now()).await.unwrap());
        assert_eq!(waiting(state, room, now()).await, []);
        assert_eq!(wait(state, room, "bob", at(NOW + seconds - 1)).await, expected);
        let entry = state.read(Some(room), "bob", at(NOW + seconds - 1)).await.unwrap().entry;
        assert_eq!(entry.map(|entry| entry.is_admitted), Some(is_admitted));
        assert_eq!(state.read(Some(room), "bob", at(NOW + seconds)).await.unwrap().entry, None);
        assert_eq!(wait(state, room, "bob", at(NOW + seconds)).await, Wait::Started);
    }
    // The end of an earlier call changes nothing, that of this one does.
    state.decide("w2", "bob", true, at(NOW + 24 * HOUR)).await.unwrap();
    state.end_room("w2", at(NOW + 24 * HOUR - 1), now()).await.unwrap();
    assert_eq!(wait(state, "w2", "bob", at(NOW + 24 * HOUR)).await, Wait::Admitted);
    state.end_room("w2", at(NOW + 24 * HOUR), now()).await.unwrap();
    assert_eq!(wait(state, "w2", "bob", at(NOW + 24 * HOUR)).await, Wait::Started);
}

async fn decision_needs_a_wait(state: &State) {
    assert!(!state.decide("w4", "bob", true, now()).await.unwrap(), "never seen");
    assert_eq!(wait(state, "w4", "bob", now()).await, Wait::Started);
    assert!(!state.decide("w4", "bob", true, at(NOW + 90)).await.unwrap(), "left");
    assert_eq!(wait(state, "w4", "bob", at(NOW + 90)).await, Wait::Started);
    // Two hosts decide: the last decision counts.
    for (is_admitted, expected) in
        [(false, Wait::Refused), (true, Wait::Admitted), (true, Wait::Admitted)]
    {
        assert!(state.decide("w4", "bob", is_admitted, at(NOW + 91)).await.unwrap());
        assert_eq!(wait(state, "w4", "bob", at(NOW + 92)).await, expected);
    }
    let decisions = [true, false].map(|admit| state.decide("w4", "bob", admit, at(NOW + 93)));
    for decision in join_all(decisions).await {
        assert!(decision.unwrap());
    }
    let outcome = wait(state, "w4", "bob", at(NOW + 93)).await;
    assert!(matches!(outcome, Wait::Admitted | Wait::Refused), "{outcome:?}");
}

/// Costs 200 requests.
pub(crate) async fn waiting_people_are_limited(state: &State) {
    // As `State::wait` stores them, with half as many requests.
    let waiting_person = Waiting { name: "Grace".into(), since: NOW, seen_at: NOW };
    let change = Change::Wait(waiting_person);
    for person in 0..MOST_WAITING - 2 {
        let key = format!("guest:waiting:person-{person}");
        state.change("w5", &key, &change, now()).await.unwrap();
    }
    // At the same time, too few enter rather than too many.
    let at_once = ["ada", "bob", "eve", "zoe"].map(|person| wait(state, "w5", person, now()));
    let started = join_all(at_once).await;
    let started = started.iter().filter(|outcome| **outcome == Wait::Started).count();
    assert!(started <= 2, "{started}");
    for person in ["max", "mia"] {
        wait(state, "w5", person, now()).await;
    }
    assert_eq!(waiting(state, "w5", now()).await.len(), MOST_WAITING);
    assert_eq!(wait(state, "w5", "one too many", now()).await, Wait::Full);
    assert_eq!(wait(state, "w5", "person-0", now()).await, Wait::Continued);
    assert!(state.decide("w5", "person-0", false, now()).await.unwrap());
    assert_eq!(wait(state, "w5", "one too many", now()).await, Wait::Started);
}

fn invitation(uses: Option<u64>, seconds: u64) -> StoredInvitation {
    StoredInvitation {
        role: Some("viewer".into()),
        name: Some("Grace".into()),
        lobby: Some(Lobby::UntilHost),
        uses,
        expires_at: NOW + seconds,
        ..StoredInvitation::default()
    }
}

async fn uses_are_counted_by_guest(state: &State) {
    let two = invitation(Some(2), HOUR);
    let use_as =
        async |guest: &str| state.use_invitation("i1", "two", guest, &two, now()).await.unwrap();
    state.add_invitation("i1", "two", two.clone(), now()).await.unwrap();
    let rows = [
        ("ada", Use::Allowed),
        ("ada", Use::Allowed),
        ("bob", Use::Allowed),
        ("eve", Use::UsedUp),
        ("ada", Use::Allowed),
    ];
    for (guest, expected) in rows {
        assert_eq!(use_as(guest).await, expected, "{guest}");
    }
    let stored = state.invitation("i1", "two", now()).await.unwrap().unwrap();
    assert_eq!(stored.guests.len(), 2);
    // Its item is lost: the signed limit still holds.
    let lost = async |guest: &str| {
        state.use_invitation("i1", "lost", guest, &invitation(Some(1), HOUR), now()).await.unwrap()
    };
    assert_eq!((lost("ada").await, lost("bob").await), (Use::Allowed, Use::UsedUp));
    let guests = ["a", "b", "c", "d"];
    let five = invitation(Some(3), HOUR);
    let at_once = guests.map(|guest| state.use_invitation("i1", "three", guest, &five, now()));
    let results = join_all(at_once).await;
    let allowed = results.into_iter().filter(|result| *result.as_ref().unwrap() == Use::Allowed);
    assert_eq!(allowed.count(), 3);
}

async fn revocation_ends_an_invitation(state: &State) {
    for (id, uses, is_stored) in
        [("limited", Some(5), true), ("unlimited", None, true), ("unknown", None, false)]
    {
        let signed = invitation(uses, HOUR);
        let use_as = async |guest: &str| {
            state.use_invitation("i2", id, guest, &signed, now()).await.unwrap()
        };
        if is_stored {
            state.add_invitation("i2", id, signed.clone(), now()).await.unwrap();
        }
        assert_eq!(use_as("ada").await, Use::Allowed, "{id}");
        for _ in 0..2 {
            state.revoke_invitation("i2", id, NOW + 2 * HOUR, now()).await.unwrap();
            assert_eq!((use_as("ada").await, use_as("bob").await), (Use::Revoked, Use::Revoked));
        }
        let stored = state.invitation("i2", id, now()).await.unwrap().unwrap();
        assert!(stored.is_revoked, "{id}");
        assert_eq!(stored.role.is_some(), is_stored, "{id}");
        let elsewhere = state.use_invitation("i3", id, "ada", &signed, now()).await.unwrap();
        assert_eq!(elsewhere, Use::Allowed, "{id} of another room");
    }
}

pub(crate) async fn invitations_are_listed_until_they_expire(state: &State) {
    assert_eq!(state.invitations("i4", now()).await.unwrap(), []);
    let (early, late) = (invitation(None, 60), invitation(Some(1), 120));
    state.add_invitation("i4", "late", late.clone(), now()).await.unwrap();
    state.add_invitation("i4", "early", early.clone(), now()).await.unwrap();
    wait(state, "i4", "bob", now()).await;
    let list = state.invitations("i4", at(NOW + 59)).await.unwrap();
    assert_eq!(list, [("early".to_owned(), early), ("late".to_owned(), late.clone())]);
    let list = state.invitations("i4", at(NOW + 60)).await.unwrap();
    assert_eq!(list, [("late".to_owned(), late)]);
    assert_eq!(state.invitation("i4", "early", at(NOW + 60)).await.unwrap(), None);
}

#[tokio::test]
async fn poll_costs_one_read_and_a_write_each_half_a_minute() {
    let table = FakeDynamoDb::start();
    let state = crate::state::state_in(&table);
    wait(&state, "r", "bob", now()).await;
    let first: Vec<_> = table.requests().into_iter().map(|request| request.operation).collect();
    assert_eq!(first, ["BatchGetItem", "Query", "UpdateItem", "Query"]);
    let before = first.len();
    for seconds in (3..=60).step_by(3) {
        wait(&state, "r", "bob", at(NOW + seconds)).await;
    }
    let polls: Vec<_> = table.requests().into_iter().skip(before).collect();
    let writes = polls.iter().filter(|request| request.operation == "UpdateItem").count();
    assert_eq!((polls.len() - writes, writes), (20, 2));
}

/// Nobody who is refused for lack of a place appears in the list, and a flood of them writes nothing.
#[tokio::test]
async fn refusal_by_a_full_waiting_room_costs_no_write() {
    let table = FakeDynamoDb::start();
    let state = crate::state::state_in(&table);
    waiting_people_are_limited(&state).await;
    let before = table.requests().len();
    assert_eq!(wait(&state, "w5", "another one", now()).await, Wait::Full);
    let requests = table.requests().split_off(before);
    let operations: Vec<_> = requests.into_iter().map(|request| request.operation).collect();
    assert_eq!(operations, ["BatchGetItem", "Query"]);
}

//! What others said of a subject, for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::claims::Subject;
use super::profile::Profile;

/// How long an answer serves. Some providers allow a user five requests a minute.
const TTL: Duration = Duration::from_mins(5);

/// How many subjects are kept; the oldest goes first.
const CAPACITY: usize = 1000;

/// Profiles by subject. All live equally long, so the order of arrival is the order of expiry.
#[derive(Default)]
pub struct KeptProfiles(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    profiles: HashMap<Subject, (Arc<Profile>, SystemTime)>,
    arrivals: VecDeque<Subject>,
}

impl KeptProfiles {
    /// The profile of `subject`, unless it is unknown or too old.
    pub fn get(&self, subject: &Subject, now: SystemTime) -> Option<Arc<Profile>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (profile, since) = kept.profiles.get(subject)?;
        // A clock that was set back makes it too old, not immortal.
        now.duration_since(*since).is_ok_and(|age| age < TTL).then(|| Arc::clone(profile))
    }

    /// Keeps the profile of `subject`.
    pub fn keep(&self, subject: &Subject, profile: &Arc<Profile>, now: SystemTime) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.profiles.insert(subject.clone(), (Arc::clone(profile), now)).is_none() {
            kept.arrivals.push_back(subject.clone());
        }
        if kept.arrivals.len() > CAPACITY
            && let Some(oldest) = kept.arrivals.pop_front()
        {
            kept.profiles.remove(&oldest);
        }
    }
}

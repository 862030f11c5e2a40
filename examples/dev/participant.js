// Facts about a participant of `livekit-client`, from the attributes that roomkey sets.

export const nameOf = ({ name, identity }) => name || identity;

/** Returns the device of a participant, or "". */
export function deviceOf({ identity, attributes }) {
  // The identity of a separate device is that of the person, which is an attribute, followed by a colon and the device.
  const { identity: person } = attributes;
  return person && person !== identity ? identity.slice(person.length + 1) : "";
}

/** Returns the name, with the device if there is one. */
export function fullNameOf(participant) {
  const device = deviceOf(participant);
  return device ? `${nameOf(participant)}, device ${device}` : nameOf(participant);
}

/** Whether a participant has no account. The name is the guest's own choice, unless the invitation has one. */
export const isGuest = ({ attributes }) => attributes.guest === "true";

export const roleOf = ({ attributes }) => attributes.role;

/** Returns the time at which the hand was raised, or `undefined`. */
export function handRaisedAt({ attributes: { hand_raised_at: time } }) {
  return time ? new Date(time) : undefined;
}

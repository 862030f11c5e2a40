// Actions that this page offers to each role. roomkey decides independently, with its policy.

/** Roles that can be given to a participant, and that can be replaced. */
const GIVEN = ["participant", "viewer"];

const NO_RIGHTS = { moderates: false, gives: [], invites: [], ends: false };

const RIGHTS = {
  host: { moderates: true, gives: GIVEN, invites: GIVEN, ends: true },
  moderator: { moderates: true, gives: [], invites: [], ends: false },
};

/** Returns the rights of a role in a call: `{ moderates, gives, invites, ends }`. */
export function rightsOf(role) {
  return Object.hasOwn(RIGHTS, role) ? RIGHTS[role] : NO_RIGHTS;
}

/** Returns whether `role` may mute, remove and ban a participant with the role `other`. */
export function mayModerate(role, other) {
  return rightsOf(role).moderates && (role === "host" || other !== "host");
}

/** Returns the role that `role` may give to a participant with the role `other`, or `undefined`. */
export function roleToGive(role, other) {
  const { gives } = rightsOf(role);
  return gives.includes(other) ? gives.find((given) => given !== other) : undefined;
}

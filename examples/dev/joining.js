// The button "Join" and the focus while a person joins.

const $ = (id) => document.getElementById(id);

/** Disables the button during `join`, and moves the focus to the room. Afterwards, a visible button has the focus. */
export async function whileJoining(join) {
  $("join").disabled = true;
  $("room").focus();
  try {
    await join();
  } finally {
    $("join").disabled = false;
    // The pressed button is hidden now. The focus moves only if it is still in this card.
    if ($("room").contains(document.activeElement) || document.activeElement === document.body) {
      ($("again").checkVisibility() ? $("again") : $("join")).focus();
    }
  }
}

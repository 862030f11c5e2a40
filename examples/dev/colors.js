/** Returns black or white, whichever has the higher WCAG contrast ratio on `color`, which is `#RRGGBB`. */
export function legibleOn(color) {
  const [r, g, b] = [1, 3, 5]
    .map((at) => parseInt(color.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const white = 1.05 / (luminance + 0.05), black = (luminance + 0.05) / 0.05;
  return white > black ? { label: "white", ratio: white } : { label: "black", ratio: black };
}

/** Sets the background of `element` to a presence color, and its text to a legible color. */
export function paint(element, color) {
  element.style.backgroundColor = color;
  element.style.color = legibleOn(color).label;
}

/** Returns the replacement for a picture: the first letters of the first two words of `name`. */
export function initials(name) {
  return name.split(/\s+/).map((word) => [...word][0] ?? "").slice(0, 2).join("");
}

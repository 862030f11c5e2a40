// Appearance and accessibility of the page, as computed by Chromium.
import { mkdirSync } from 'node:fs';

/** Converts `#RRGGBB` to the format of computed styles. */
export function toRgb(color) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return `rgb(${r}, ${g}, ${b})`;
}

/** Saves screenshots to the folder `PAGE_SHOTS`, if it is set: light and dark, wide and narrow. */
export async function shoot({ page }, name) {
  const folder = process.env.PAGE_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.bringToFront();
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[1280, 900], [380, 800]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${width}.png`, fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize({ width: 1280, height: 900 });
}

const NEED_NAMES = new Set([
  'button', 'switch', 'radio', 'checkbox', 'combobox', 'textbox', 'spinbutton', 'DisclosureTriangle', 'link', 'region', 'group',
  'dialog', 'img', 'image', 'heading', 'Video',
]);

async function accessibilityTree({ context, page }) {
  const session = await context.newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  return nodes.filter(({ ignored }) => !ignored);
}

/** Returns the roles of elements that require an accessible name and have none. The page must have each of `expected`. */
export async function namelessParts(visitor, expected = ['button', 'switch', 'radio', 'textbox', 'region', 'Video']) {
  const parts = (await accessibilityTree(visitor)).filter(({ role }) => NEED_NAMES.has(role.value));
  const roles = new Set(parts.map(({ role }) => role.value));
  for (const role of expected) {
    if (!roles.has(role)) throw new Error(`no ${role} among ${[...roles]}`);
  }
  return parts.filter(({ name }) => !name?.value.trim()).map(({ role }) => role.value);
}

/** Returns the name of the focused element, and whether it has a visible outline. */
export async function tabStop(visitor) {
  const focused = (await accessibilityTree(visitor))
    .filter(({ properties = [] }) => properties.some(({ name, value }) => name === 'focused' && value.value === true));
  const visible = await visitor.page.evaluate(() => {
    // A radio button's card has the outline.
    const shown = document.activeElement.closest('.person') ?? document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(shown);
    return outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2;
  });
  return { name: focused.at(-1)?.name?.value.replace(/\s+/g, ' ').trim(), visible };
}

/** Returns each visible text with its WCAG contrast to the background. Disabled buttons are exempt. */
export const contrasts = ({ page }) => page.evaluate(() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if ((channels(backgroundColor)[3] ?? 1) === 1) return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  const seen = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement: element } = texts.currentNode;
    if (!data.trim() || !element.checkVisibility() || element.closest(':disabled, script, .unseen')) continue;
    const [lighter, darker] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => b - a);
    seen.push({ text: data.trim().slice(0, 40), ratio: Math.floor(((lighter + 0.05) / (darker + 0.05)) * 100) / 100 });
  }
  return seen;
});

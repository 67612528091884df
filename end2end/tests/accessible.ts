// What must hold of what a page shows: it is accessible in light and dark, it fits, and it is kept as a picture.
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

import { expect } from './fixtures';

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** Those of the rules for which dark differs from light. */
const BY_COLOUR = ['color-contrast', 'link-in-text-block'];

/** Holds the page as it stands against the rules, its `details` opened; of a message's earlier runs, which are alike, the last. */
export async function isAccessible(page: Page, project: string, name: string): Promise<void> {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await shoot(page, `${project}-${name}-light`);
  await page.evaluate(() => document.querySelectorAll<HTMLDetailsElement>('details:not(li + li > [data-testid=earlier-run])').forEach((details) => (details.open = true)));
  expect.soft(await violations(axe(page).withTags(WCAG)), 'in light').toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  await isStill(page);
  expect.soft(await violations(axe(page).withRules(BY_COLOUR)), 'in dark').toEqual([]);
  await shoot(page, `${project}-${name}-dark`);

  if (project === 'phone') {
    expect.soft(await smallTargets(page), 'smaller than 44 px').toEqual([]);
  }
  const { width, height } = page.viewportSize()!;
  // 320 px are what a desktop zoomed to 400 % has left (WCAG 1.4.10); 768 px is the narrowest with a sidebar.
  for (const tried of [width, project === 'phone' ? 320 : 768]) {
    await page.setViewportSize({ width: tried, height });
    expect.soft(await tooWide(page), `wider than ${tried} px`).toEqual([]);
  }
  await page.setViewportSize({ width, height });
}

/** Without frames, such as that of a message's HTML, the rules need no second page to put results together in: it takes long. */
export function axe(page: Page): AxeBuilder {
  return new AxeBuilder({ page }).setLegacyMode(page.frames().length === 1);
}

/** Waits until no colour is halfway to another: with little motion that takes a moment, too. */
export async function isStill(page: Page): Promise<void> {
  await page.waitForFunction(() => !document.getAnimations().some((animation) => animation instanceof CSSTransition));
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `test-results/screens/${name}.png`, fullPage: true });
}

async function violations(axe: AxeBuilder): Promise<string[]> {
  const found = (await axe.analyze()).violations;
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}

/** What can be touched, and is smaller than a finger. Links within a sentence are as high as its lines (WCAG 2.5.8). */
function smallTargets(page: Page): Promise<string[]> {
  return page.locator('button, .button, select, input:not([type=hidden]), summary, a[href]:not(.skip-link)').evaluateAll((elements) => {
    const isInline = (element: Element) => getComputedStyle(element).display === 'inline';
    const isText = (element: Element) => element.matches('a:not(.button, .icon-button)');
    const isInSentence = (element: Element) => {
      if (!isText(element) || !isInline(element)) return false;
      let block = element.parentElement!;
      while (isInline(block)) block = block.parentElement!;
      return block.textContent!.trim() !== element.textContent!.trim();
    };
    // What ticks a box is its label as well, and the link of a row is the whole row.
    const touched = (element: Element) =>
      (element.matches('[type=checkbox]') && element.closest('label')) ||
      (element.matches('.row-link__target') && element.closest('.row-link')) ||
      element;
    return elements
      .filter((element) => element.checkVisibility() && !isInSentence(element))
      .map((element) => ({ element, box: touched(element).getBoundingClientRect() }))
      .filter(({ element, box }) => box.height < 44 || (box.width < 44 && !isText(element)))
      .map(({ element, box }) => `${Math.round(box.width)} x ${Math.round(box.height)}: ${element.outerHTML.slice(0, 120)}`);
  });
}

/** If the page scrolls sideways: what reaches beyond its edge. */
function tooWide(page: Page): Promise<string[]> {
  return page.evaluate((width) => {
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.body.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > width);
    return [`scrolls to ${document.documentElement.scrollWidth}`, ...wide.map((element) => element.outerHTML.slice(0, 120))];
  }, page.viewportSize()!.width);
}

// `test` fails on any console error, page error or hydration warning, in every page of its context. What breaks the
// Content Security Policy is a console error too.
import { expect, test as base, type Page } from '@playwright/test';

type Fixtures = {
  /** Faults that this test provokes on purpose: `test.use({ expectedFaults: /404/ })`. */
  expectedFaults: RegExp | undefined;
};

export const test = base.extend<Fixtures>({
  expectedFaults: [undefined, { option: true }],

  context: async ({ context, expectedFaults }, use) => {
    const faults: string[] = [];
    const note = (fault: string) => {
      if (!expectedFaults?.test(fault)) faults.push(fault);
    };
    context.on('console', (message) => {
      const text = `${message.text()} (${message.location().url})`;
      if (message.type() === 'error' || (message.type() === 'warning' && /hydrat/i.test(text))) {
        note(`console ${message.type()}: ${text}`);
      }
    });
    context.on('weberror', (error) => note(`page error: ${error.error().stack ?? error.error()}`));

    await use(context);
    expect(faults, 'nothing goes wrong in the browser').toEqual([]);
  },
});

/** Waits until the page answers to clicks and keys; before that, they are lost. */
export async function hydrated(page: Page): Promise<void> {
  const isTakenOver = () => performance.getEntriesByName('taken-over').length > 0;
  // A page of plain forms is left alone until somebody turns to it.
  if (await page.locator('meta[name="page-is-plain"]').count()) await page.keyboard.press('Shift');
  await page.waitForFunction(isTakenOver, undefined, { timeout: 15_000 });
}

export { expect };

// The dashboard follows what happens, and nobody loses by it what they are looking at.
import type { Locator } from '@playwright/test';

import { asksAfterMessage, openLive } from './arrivals';
import { expect, test } from './fixtures';

const ADDRESS = /\/ui\/dashboard$/;

const hrefs = (links: Locator) => links.evaluateAll((links) => links.map((link) => link.getAttribute('href')));

test('the latest messages stay where they are under the pointer and the keyboard', { tag: '@desktop' }, async ({ page, request }) => {
  // What waits for a pointer to have rested goes off by hand.
  await page.addInitScript(() => {
    const { setTimeout, clearTimeout } = window;
    const rests = new Map<number, () => void>();
    let next = 1_000_000;
    Object.assign(window, {
      rests,
      setTimeout: (run: () => void, ms?: number) => {
        if (ms !== 10_000) return setTimeout(run, ms);
        rests.set(++next, run);
        return next;
      },
      clearTimeout: (id: number) => rests.delete(id) || clearTimeout(id),
    });
  });
  await openLive(page, '');
  const links = page.getByTestId('latest').getByTestId('message-row').getByRole('link');
  const received = page.getByTestId('count-received');
  const comes = async () => {
    const before = (await received.textContent())!;
    await asksAfterMessage(page, request, ADDRESS);
    await expect(received, 'what is counted follows').not.toHaveText(before);
  };

  await test.step('under the pointer, until it goes', async () => {
    await links.nth(2).hover();
    const before = await hrefs(links);
    await comes();
    expect(await hrefs(links)).toEqual(before);
    await page.mouse.move(0, 0);
    await expect.poll(() => hrefs(links)).not.toEqual(before);
  });

  await test.step('under a pointer that was left there, until it has rested', async () => {
    await links.nth(2).hover();
    const before = await hrefs(links);
    await comes();
    expect(await hrefs(links)).toEqual(before);
    await expect
      .poll(async () => {
        // Rows that move beneath a pointer may tell it as one that came.
        await page.evaluate('window.rests.forEach((run, id) => window.rests.delete(id) && run())');
        return hrefs(links);
      })
      .not.toEqual(before);
    await page.mouse.move(0, 0);
  });

  await test.step('with the keyboard in them', async () => {
    await links.nth(2).focus();
    const before = await hrefs(links);
    await comes();
    expect(await hrefs(links)).toEqual(before);
    await expect(links.nth(2)).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(page.getByTestId('message')).toBeVisible();
    expect(new URL(page.url()).pathname).toBe(before[2]);
  });
});

test.describe('a busy server', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('takes no dashboard away', async ({ page, request }) => {
    await openLive(page, '');
    const received = page.getByTestId('count-received');
    const before = (await received.textContent())!;
    await received.evaluate((element) => Object.assign(element, { isTheSame: true }));
    await page.route(ADDRESS, (route) => route.fulfill({ status: 503 }));
    await asksAfterMessage(page, request, ADDRESS, 503);
    await page.unroute(ADDRESS);
    await asksAfterMessage(page, request, ADDRESS);
    await expect(received).not.toHaveText(before);
    await expect(page.getByTestId('problem')).toHaveCount(0);
    expect(await received.evaluate((element) => 'isTheSame' in element), 'it was there all the time').toBe(true);
  });
});

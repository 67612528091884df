// An answer that comes when the test says so.
import type { Page } from '@playwright/test';

/** Holds what is asked at this address until the function it gives is called. Counts what was asked. */
export async function hold(page: Page, address: string): Promise<{ asked: () => number; answer: () => void }> {
  let asked = 0;
  let answer = () => {};
  const isAnswered = new Promise<void>((resolve) => (answer = resolve));
  await page.route(address, async (route) => {
    asked += 1;
    await isAnswered;
    await route.continue();
  });
  return { asked: () => asked, answer };
}

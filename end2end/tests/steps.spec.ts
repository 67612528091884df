// The browser takes a page over in steps. Who does not wait for the last of them is heard all the same.
import { expect, test } from './fixtures';

declare global {
  interface Window {
    stopped?: boolean;
  }
}

test.beforeEach(async ({ page }) => {
  // After the first step, the turn of the next never comes by itself.
  await page.addInitScript(() => {
    let turns = 1;
    const Channel = MessageChannel;
    window.MessageChannel = class extends Channel {
      constructor() {
        super();
        if (turns-- > 0) return;
        this.port2.postMessage = () => {
          window.stopped = true;
        };
      }
    };
  });
});

test('a key that is pressed between two steps is heard', async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await page.waitForFunction(() => window.stopped);
  expect(await page.evaluate(() => performance.getEntriesByName('taken-over').length), 'it is not taken over').toBe(0);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible();
  expect(await page.evaluate(() => performance.getEntriesByName('taken-over').length)).toBe(1);
});

test('a row that is chosen between two steps is chosen', async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await page.waitForFunction(() => window.stopped);
  await page.getByTestId('choose').first().check();
  await expect(page.getByTestId('bulk')).toContainText('1 chosen');
});

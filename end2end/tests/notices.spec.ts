// Notices: which of them make room, which stay, and where the keyboard goes on once one is gone.
import type { Page } from '@playwright/test';

import { TENANT, send } from './arrivals';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';

async function open(page: Page, mark: string): Promise<void> {
  await page.goto(`/t/${TENANT}/messages?q=${mark}`);
  await hydrated(page);
}

const notices = (page: Page) => page.getByTestId('toast');

test('what was done in a row can all be undone', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 4);
  await open(page, mark);
  await page.keyboard.press('j');
  for (let i = 1; i <= 4; i += 1) {
    await page.keyboard.press('e');
    await expect(page.getByTestId('undo')).toHaveCount(i);
  }
  await page.keyboard.press('z');
  await expect(notices(page).last()).toContainText('Taken back');
  await expect(page.getByTestId('undo'), 'what only tells makes no room for itself').toHaveCount(3);
  await page.getByTestId('undo').first().click();
  const rows = page.getByTestId('message-row');
  await expect(rows.filter({ hasText: 'Accepted' })).toHaveCount(2);
  await expect(rows.first(), 'the first that was said').not.toContainText('Accepted');
});

test('what is told again stands once, for a time of its own', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, mark);
  const told = notices(page).filter({ hasText: 'Taken back: accepting 1 message.' });
  const acceptAndTakeBack = async () => {
    await page.keyboard.press('e');
    await expect(page.getByTestId('undo')).toHaveCount(1);
    await page.keyboard.press('z');
    await expect(page.getByTestId('undo')).toHaveCount(0);
  };
  await page.keyboard.press('j');
  await acceptAndTakeBack();
  await expect(told).toHaveCount(1);
  await told.evaluate((element) => Object.assign(element, { isFirst: true }));
  await acceptAndTakeBack();
  const isFirst = () => told.last().evaluate((element) => 'isFirst' in element);
  await expect.poll(isFirst, 'it is told anew').toBe(false);
  // At once: the first would go by itself in a while.
  expect(await told.count()).toBe(1);
});

test('a later word on the same message leaves nothing to undo of the one before', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, mark);
  await page.getByTestId('message-row').getByRole('link').click();
  const undo = page.getByTestId('undo');
  const outcome = page.getByTestId('outcome');
  await page.getByTestId('decide-accepted').click();
  await expect(outcome).toContainText('Accepted');
  await expect(undo).toHaveCount(1);
  await page.getByTestId('decide-rejected').click();
  await expect(notices(page).filter({ hasText: 'rejected' }).getByTestId('undo')).toBeVisible();
  await expect(notices(page).filter({ hasText: 'accepted' }), 'it still tells').toBeVisible();
  await expect(undo).toHaveCount(1);
  await undo.click();
  await expect(notices(page).last()).toContainText('Taken back: rejecting 1 message.');
  await expect(outcome).toContainText('Accepted');
});

test('a double click takes one word back, whatever takes its place meanwhile', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, mark);
  const undo = page.getByTestId('undo');
  await page.keyboard.press('j');
  for (let i = 1; i <= 2; i += 1) {
    await page.keyboard.press('e');
    await expect(undo).toHaveCount(i);
  }
  const { answer } = await hold(page, '**/ui/emails/take-back');
  const { x, y, width, height } = (await undo.last().boundingBox())!;
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down({ clickCount: 1 });
  await page.mouse.up({ clickCount: 1 });
  await expect(undo).toHaveCount(1);
  const isThere = async () => Math.abs((await undo.boundingBox())!.y - y) < height / 2;
  await expect.poll(isThere, 'the other has taken its place').toBe(true);
  await page.mouse.down({ clickCount: 2 });
  await page.mouse.up({ clickCount: 2 });
  answer();
  await expect(notices(page).filter({ hasText: 'Taken back' })).toHaveCount(1);
  await expect(undo, 'it still offers').toHaveCount(1);
  await expect(page.getByTestId('message-row').filter({ hasText: 'Accepted' })).toHaveCount(1);
});

test('a notice that comes under a double click is not pressed by it', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, mark);
  await page.getByTestId('message-row').getByRole('link').click();
  await expect(page.getByTestId('message')).toBeVisible();
  // It begins beside the notice, on what stays.
  await page.mouse.move(4, 4);
  await page.mouse.down({ clickCount: 1 });
  await page.mouse.up({ clickCount: 1 });
  await page.keyboard.press('r');
  await expect(page.getByTestId('undo')).toHaveCount(1);
  for (const button of [page.getByTestId('undo'), page.getByRole('button', { name: 'Close this notice' })]) {
    const { x, y, width, height } = (await button.boundingBox())!;
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down({ clickCount: 2 });
    await page.mouse.up({ clickCount: 2 });
  }
  await expect(page.getByTestId('undo'), 'it still offers').toHaveCount(1);
  await page.getByTestId('undo').click();
  await expect(notices(page).filter({ hasText: 'Taken back' })).toHaveCount(1);
});

test('the second of a double click does not reach what lay beneath a notice', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 20);
  await open(page, mark);
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  const close = notices(page).getByRole('button', { name: 'Close this notice' });
  const { x, y, width, height } = (await close.boundingBox())!;
  const point = { x: x + width / 2, y: y + height / 2 };
  await page.mouse.move(point.x, point.y);
  await page.mouse.down({ clickCount: 1 });
  await page.mouse.up({ clickCount: 1 });
  await expect(notices(page)).toHaveCount(0);
  const beneath = ({ x, y }: { x: number; y: number }) => document.elementFromPoint(x, y)?.closest('.row-link__target') != null;
  expect(await page.evaluate(beneath, point), 'a message lies beneath').toBe(true);
  await page.mouse.down({ clickCount: 2 });
  await page.mouse.up({ clickCount: 2 });
  // Answered by the server, after a message would have been.
  await page.keyboard.press('e');
  await expect(notices(page)).toHaveCount(1);
  await expect(page).toHaveURL(new RegExp(`/messages\\?q=${mark}$`));
  await expect(page.getByTestId('message-row')).toHaveCount(20);
  await page.mouse.down({ clickCount: 1 });
  await page.mouse.up({ clickCount: 1 });
  await page.mouse.move(point.x, point.y - 120);
  await page.mouse.down({ clickCount: 1 });
  await page.mouse.up({ clickCount: 1 });
  await expect(page.getByRole('heading', { level: 1 }), 'a click of its own opens one').toContainText(mark);
});

test('a notice that goes gives the keyboard back', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, mark);
  const links = page.getByTestId('message-row').getByRole('link');
  const notice = notices(page).filter({ has: page.getByTestId('undo') });
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  await expect(links.nth(1)).toBeFocused();
  await notice.getByTestId('undo').focus();
  await page.keyboard.press('Enter');
  await expect(notice).toHaveCount(0);
  await expect(links.nth(1), 'once it is undone').toBeFocused();

  const taken = notices(page).filter({ hasText: 'Taken back' });
  await taken.getByRole('button', { name: 'Close this notice' }).focus();
  await page.keyboard.press('Enter');
  await expect(taken).toHaveCount(0);
  await expect(links.nth(1), 'once it is closed').toBeFocused();
});

test.describe('what went wrong', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('is told at once, and stays until it is closed', async ({ page, request }) => {
    const mark = await send(request, 1);
    // Timers as notices have them are counted, and never go off.
    await page.addInitScript(() => {
      const { setTimeout } = window;
      Object.assign(window, {
        noticeTimers: 0,
        setTimeout: (run: () => void, ms?: number) => {
          if (ms !== 6_000 && ms !== 30_000) return setTimeout(run, ms);
          (window as unknown as { noticeTimers: number }).noticeTimers += 1;
          return 0;
        },
      });
    });
    await open(page, mark);
    await page.route('**/ui/emails/decide-many', (route) => route.fulfill({ status: 503 }));
    await page.keyboard.press('j');
    await page.keyboard.press('e');
    const notice = page.locator('[aria-live=assertive]').getByTestId('toast');
    await expect(notice).toBeVisible();
    await expect(page.locator('[aria-live], [role=status]').filter({ has: page.getByTestId('toast') }), 'it is told once').toHaveCount(1);

    await notice.evaluate((element) => Object.assign(element, { isFirst: true }));
    await page.keyboard.press('j');
    await page.keyboard.press('e');
    const isFirst = () => notice.evaluate((element) => 'isFirst' in element);
    await expect.poll(isFirst, 'the same again stands in its place').toBe(false);
    expect(await page.evaluate('window.noticeTimers')).toBe(0);
    await notice.getByRole('button', { name: 'Close this notice' }).click();
    await expect(notice).toHaveCount(0);
  });
});

// Working through messages: chosen, decided together and taken back, by mouse and by keyboard; views; what newly comes;
// what a message holds. In the second tenant, whose counts no other test goes by.
import type { APIRequestContext, Locator, Page, Route } from '@playwright/test';

import { asksAfterMessage, openLive, send, TENANT } from './arrivals';
import { STAR, messageId } from './demo';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';
import { look } from './look';
import { askOnceMore } from './once-more';
import { unfold } from './unfold';

async function open(page: Page, query: string): Promise<void> {
  await page.goto(`/t/${TENANT}/messages?${query}`);
  await hydrated(page);
}

const rows = (page: Page, words: string) => page.getByTestId('message-row').filter({ hasText: words });

/** Gives all that a status says from now on, each time that it says something. */
async function hear(page: Page, testid: string): Promise<() => Promise<string[]>> {
  const said = await page.getByTestId(testid).evaluateHandle((status) => {
    const said: string[] = [];
    const note = () => {
      const words = status.textContent!.trim();
      if (words) said.push(words);
    };
    new MutationObserver(note).observe(status, { characterData: true, childList: true, subtree: true });
    return said;
  });
  return () => said.jsonValue();
}

/** Waits until the first message that is opened knows what stands beside it. */
const knowsWays = (page: Page) => expect(page.getByTestId('beside-j')).toHaveCount(1);

test('chosen messages are decided together, and that is taken back', async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}`);
  await page.getByTestId('choose').nth(0).check();
  await page.getByTestId('choose').nth(1).check();
  const bar = page.getByTestId('bulk');
  await expect(bar).toContainText('2 chosen');
  await bar.getByTestId('bulk-reject').click();
  await expect(page.getByTestId('toast')).toContainText('2 messages rejected.');
  await expect(rows(page, 'Rejected')).toHaveCount(2);
  await expect(bar).toBeHidden();
  await page.getByTestId('undo').click();
  await expect(rows(page, 'Rejected')).toHaveCount(0);
  await expect(page.getByTestId('toast').filter({ hasText: 'Taken back' })).toBeVisible();
});

test('what is done to the chosen stands in one line, also where something was given up', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  // Nothing was given up of it: the list is asked for as if no filter said so.
  await page.route('**/ui/emails/list', async (route) => {
    const form = new URLSearchParams(route.request().postData() ?? '');
    form.delete('filter[delivery]');
    await route.continue({ postData: form.toString() });
  });
  await unfold(page);
  await page.getByLabel('Deliveries').selectOption('failed');
  await expect(page).toHaveURL(/delivery=failed/);
  await expect(rows(page, mark)).toHaveCount(1);
  await page.getByTestId('choose').check();
  const bar = page.getByTestId('bulk');
  await expect(bar.getByTestId('bulk-send-again')).toBeVisible();
  expect((await bar.boundingBox())!.height).toBeLessThan(60);
});

test('the intent of chosen messages is set by a button, not by the first step of its choice', async ({ page, request, isMobile }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}`);
  await page.getByTestId('choose').nth(0).check();
  const bar = page.getByTestId('bulk');
  const set = bar.getByTestId('bulk-set-intent');
  await expect(set).toBeDisabled();
  await bar.getByTestId('bulk-intent').selectOption('none');
  await expect(set).toBeEnabled();
  await expect(bar, 'nothing is said yet').toContainText('1 chosen');
  if (isMobile) expect((await set.boundingBox())!.height).toBeGreaterThanOrEqual(44);
  await set.click();
  await expect(page.getByTestId('toast')).toContainText('1 message without an intent now.');
  await expect(bar).toBeHidden();
  const links = page.getByTestId('message-row').getByRole('link');
  await expect(links.nth(1), 'the keyboard goes on in the list').toBeFocused();
});

test('what was ticked is decided by a key, and reading goes on beneath it', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 4);
  await open(page, `q=${mark}`);
  await page.getByTestId('choose').nth(1).click();
  await page.keyboard.press('e');
  await expect(page.getByTestId('toast')).toContainText('1 message accepted.');
  await expect(page.getByTestId('message-row').getByRole('link').nth(2)).toBeFocused();
});

test('at the list’s end, what was decided out of it leads to what stands before it', async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}&decision=review`);
  const links = page.getByTestId('message-row').getByRole('link');
  for (let i = 0; i < 3; i += 1) await page.keyboard.press('j');
  await expect(links.nth(2)).toBeFocused();
  await page.keyboard.press('e');
  await expect(links).toHaveCount(2);
  await expect(links.nth(1)).toBeFocused();
});

test('who decided a message out of its list comes back to what followed it', async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}&decision=review`);
  const title = page.getByRole('heading', { level: 1 });
  const links = page.getByTestId('message-row').getByRole('link');
  await links.nth(1).click();
  await expect(title).toHaveText(`${mark} 2`);
  await page.getByTestId('decide-accepted').click();
  await expect(page.getByTestId('toast')).toContainText('1 message accepted.');
  await page.keyboard.press('u');
  await expect(title).toHaveText('Messages');
  await expect(links).toHaveCount(2);
  await expect(links.filter({ hasText: `${mark} 1` })).toBeFocused();
});

test.describe('a word that could not be said', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('leaves its note to be sent again', async ({ page, request }) => {
    const mark = await send(request, 1);
    await open(page, `q=${mark}`);
    await rows(page, mark).getByRole('link').click();
    const note = page.getByLabel('Note to the decision');
    await note.fill('as agreed');
    await page.route('**/ui/emails/decide-many', (route) => route.fulfill({ status: 503 }), { times: 1 });
    await page.getByTestId('decide-accepted').click();
    await expect(page.locator('.toast.tone-bad')).toHaveCount(1);
    await expect(page.getByTestId('news')).toHaveText('');
    await expect(note).toHaveValue('as agreed');
    await page.getByTestId('decide-accepted').click();
    await expect(page.getByTestId('outcome')).toContainText('as agreed');
    await expect(note).toHaveValue('');
  });

  test('leaves one at its message, though a key said it', async ({ page, request }) => {
    const mark = await send(request, 2);
    await open(page, `q=${mark}`);
    const title = page.getByRole('heading', { level: 1 });
    await page.getByRole('link', { name: `${mark} 2` }).click();
    await expect(title).toHaveText(`${mark} 2`);
    await knowsWays(page);
    const note = page.getByLabel('Note to the decision');
    await note.fill('as agreed');
    await note.press('Escape');
    await page.route('**/ui/emails/decide-many', (route) => route.fulfill({ status: 503 }), { times: 1 });
    await page.keyboard.press('e');
    await expect(page.locator('.toast.tone-bad')).toHaveCount(1);
    await expect(page.getByTestId('news')).toHaveText('');
    await expect(title).toHaveText(`${mark} 2`);
    await expect(note).toHaveValue('as agreed');
    await page.keyboard.press('e');
    await expect(title).toHaveText(`${mark} 1`);
  });

  test('leaves what was chosen to be tried again', async ({ page, request }) => {
    const mark = await send(request, 2);
    await open(page, `q=${mark}`);
    const bar = page.getByTestId('bulk');
    const refuse = () => page.route('**/ui/emails/decide-many', (route) => route.fulfill({ status: 503 }), { times: 1 });
    await page.getByTestId('choose').nth(0).check();
    await page.getByTestId('choose').nth(1).check();

    await refuse();
    await bar.getByTestId('bulk-accept').click();
    await expect(page.locator('.toast.tone-bad')).toHaveCount(1);
    await expect(bar, 'by a button').toContainText('2 chosen');

    await refuse();
    await page.locator('#main').focus();
    const refused = page.waitForResponse('**/ui/emails/decide-many');
    await page.keyboard.press('e');
    await refused;
    await expect(bar, 'by a key').toContainText('2 chosen');

    await bar.getByTestId('bulk-accept').click();
    await expect(page.getByTestId('toast').filter({ hasText: '2 messages accepted.' })).toBeVisible();
    await expect(bar).toBeHidden();
  });
});

test.describe('a session that has ended', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 401/ });

  test('takes neither the message nor its note', async ({ page, context, request }) => {
    const mark = await send(request, 1);
    await open(page, `q=${mark}`);
    await rows(page, mark).getByRole('link').click();
    const note = page.getByLabel('Note to the decision');
    await note.fill('as agreed');
    const cookies = await context.cookies();
    await context.clearCookies();
    await page.getByTestId('decide-accepted').click();
    const [bar, refusal] = [page.getByTestId('stale'), page.locator('.toast.tone-bad')];
    for (const told of [bar, refusal]) {
      await expect(told).toContainText('You are signed out. Sign in again.');
      await expect(told.getByTestId('way-out'), 'in a tab of its own').toHaveAttribute('target', '_blank');
    }
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${mark} 1`);
    await expect(page.getByTestId('ended'), 'it is told once').toHaveCount(0);
    await expect(note).toHaveValue('as agreed');
    await context.addCookies(cookies);
    await bar.getByRole('link', { name: 'Try again' }).click();
    await expect(bar).toHaveCount(0);
    await expect(page.getByTestId('ended'), 'nor afterwards').toHaveCount(0);
    await page.getByTestId('decide-accepted').click();
    await expect(page.getByTestId('outcome')).toContainText('as agreed');
  });
});

test.describe('a connection that breaks off', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /ERR_FAILED/ });

  test('takes no message away', async ({ page, request }) => {
    const mark = await send(request, 1);
    await open(page, `q=${mark}`);
    await rows(page, mark).getByRole('link').click();
    await expect(page.getByTestId('message')).toBeVisible();
    const note = page.getByLabel('Note to the decision');
    await note.fill('as agreed');
    await page.route('**/ui/emails/**', (route) => route.abort());
    await page.getByTestId('decide-accepted').click();
    const bar = page.getByTestId('stale');
    await expect(bar).toContainText('The server cannot be reached.');
    await expect(bar).toContainText('What stands here is as it was before.');
    await expect(page.getByTestId('problem')).toHaveCount(0);
    await expect(page.getByTestId('message')).toBeVisible();
    await expect(note).toHaveValue('as agreed');
    await bar.getByRole('link', { name: 'Try again' }).click();
    await expect(bar, 'still').toBeVisible();
    await page.unroute('**/ui/emails/**');
    await bar.getByRole('link', { name: 'Try again' }).press('Enter');
    await expect(bar).toHaveCount(0);
    await expect(page.getByTestId('message')).toBeVisible();
    await page.getByTestId('decide-accepted').click();
    await expect(page.getByTestId('outcome')).toContainText('as agreed');
  });
});

test.describe('a word that could not be taken back', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('can still be', async ({ page, request }) => {
    const mark = await send(request, 1);
    await open(page, `q=${mark}`);
    const refuse = () => page.route('**/ui/emails/take-back', (route) => route.fulfill({ status: 503 }), { times: 1 });
    const refusal = page.locator('.toast.tone-bad');
    await page.keyboard.press('j');
    await page.keyboard.press('e');
    await expect(rows(page, 'Accepted')).toHaveCount(1);

    await refuse();
    await page.getByTestId('undo').click();
    await expect(refusal, 'by the button').toHaveCount(1);
    await expect(page.getByTestId('undo')).toHaveCount(1);
    await refusal.getByRole('button', { name: 'Close this notice' }).click();

    await refuse();
    await page.locator('#main').focus();
    await page.keyboard.press('z');
    await expect(refusal, 'by its key').toHaveCount(1);
    await expect(page.getByTestId('undo')).toHaveCount(1);
    await page.keyboard.press('z');
    await expect(page.getByTestId('toast').filter({ hasText: 'Taken back: accepting 1 message.' })).toBeVisible();
    await expect(rows(page, 'Accepted')).toHaveCount(0);
  });

  test('of all that it was said of can still be of the others', async ({ page, request }) => {
    const mark = await send(request, 2);
    await open(page, `q=${mark}`);
    const breakOff = async (route: Route) => {
      const { ids, ...others } = route.request().postDataJSON();
      const answer = await route.fetch({ postData: { ...others, ids: ids.slice(0, 1) } });
      const problem = { type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'Too much is going on.' };
      await route.fulfill({ json: { ...(await answer.json()), left: ids.slice(1), problem } });
    };
    await page.keyboard.press('*');
    await page.keyboard.press('e');
    await expect(rows(page, 'Accepted')).toHaveCount(2);
    await page.route('**/ui/emails/take-back', breakOff, { times: 1 });
    await page.getByTestId('undo').click();
    await expect(page.locator('.toast.tone-bad')).toContainText('Too much is going on.');
    await expect(rows(page, 'Accepted')).toHaveCount(1);
    await page.getByTestId('undo').click();
    await expect(rows(page, 'Accepted')).toHaveCount(0);
  });
});

test('from the rows, Tab leads to what is done to the chosen, and their count is told', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  const told = page.getByTestId('bulk-said');
  await expect(told, 'what is told of is there before').toHaveText('');
  await page.getByTestId('choose').focus();
  await page.keyboard.press('Space');
  await expect(told).toHaveText('1 chosen');
  await page.keyboard.press('Tab');
  await expect(page.getByTestId('message-row').getByRole('link')).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.getByTestId('bulk-accept')).toBeFocused();
});

test('who comes back to the list is where they were', async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}`);
  const last = page.getByTestId('message-row').getByRole('link').nth(2);
  const title = page.getByRole('heading', { level: 1 });
  const ways: Record<string, () => Promise<unknown>> = {
    'by its key': () => page.keyboard.press('u'),
    'by the link': () => page.getByRole('navigation', { name: 'Other messages' }).getByRole('link', { name: 'Messages' }).click(),
    'by the browser’s button': () => page.goBack(),
  };
  for (const [way, goBack] of Object.entries(ways)) {
    await last.click();
    await expect(title).toHaveText(`${mark} 1`);
    await goBack();
    await expect(title).toHaveText('Messages');
    await expect(last, way).toBeFocused();
  }
  await page.reload();
  await hydrated(page);
  await expect(last, 'a page that is loaded anew moves nothing').not.toBeFocused();
});

test('what is chosen is so still where one comes back from a message', async ({ page, request }) => {
  const mark = await send(request, 4);
  await open(page, `q=${mark}&decision=review`);
  const [boxes, bar] = [page.getByTestId('choose'), page.getByTestId('bulk')];
  const ticked = boxes.and(page.locator(':checked'));
  const title = page.getByRole('heading', { level: 1 });
  const read = async () => {
    await rows(page, `${mark} 3`).getByRole('link').click();
    await expect(title).toHaveText(`${mark} 3`);
  };
  for (const i of [0, 1, 2]) await boxes.nth(i).check();
  const ways: Record<string, () => Promise<unknown>> = {
    'by its key': () => page.keyboard.press('u'),
    'by the link': () => page.getByRole('navigation', { name: 'Other messages' }).getByRole('link', { name: 'Messages' }).click(),
    'by the browser’s button': () => page.goBack(),
  };
  for (const [way, goBack] of Object.entries(ways)) {
    await read();
    await goBack();
    await expect(bar, way).toContainText('3 chosen');
    await expect(ticked, way).toHaveCount(3);
  }

  await test.step('but for what left the list meanwhile', async () => {
    await read();
    const [theirs] = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}+4`)).json();
    const said = await request.post(`/api/emails/${theirs.email_id}/decision?tenant_id=${TENANT}`, { data: { decision: 'accepted' } });
    expect(said.status()).toBe(200);
    await page.goBack();
    await expect(boxes).toHaveCount(3);
    await expect(bar).toContainText('2 chosen');
    await expect(ticked).toHaveCount(2);
  });

  await test.step('and not once another list was looked at', async () => {
    await unfold(page);
    await page.getByRole('link', { name: 'Clear' }).click();
    await expect(boxes).not.toHaveCount(3);
    await expect(bar).toHaveCount(0);
    await page.goBack();
    await expect(boxes).toHaveCount(3);
    expect(await bar.count()).toBe(0);
  });
});

test('a message that was decided by itself is chosen no more', async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}`);
  const title = page.getByRole('heading', { level: 1 });
  const box = (number: number) => rows(page, `${mark} ${number}`).getByTestId('choose');
  await box(2).check();
  await box(1).check();
  await rows(page, `${mark} 2`).getByRole('link').click();
  await expect(title).toHaveText(`${mark} 2`);
  await page.getByTestId('decide-rejected').click();
  await expect(page.getByTestId('toast')).toContainText('1 message rejected.');
  await page.keyboard.press('u');
  await expect(title).toHaveText('Messages');
  await expect(page.getByTestId('bulk')).toContainText('1 chosen');
  await expect(box(1)).toBeChecked();
  await expect(box(2), 'else it would be decided once more').not.toBeChecked();
});

test('what is chosen in one tenant is so no more once another was entered', { tag: '@desktop' }, async ({ page }) => {
  const sidebar = page.getByTestId('sidebar');
  const follow = (name: string) => sidebar.getByRole('link', { name, exact: true }).click();
  const enter = async (name: string) => {
    await follow('Switch tenant');
    await page.getByTestId('tenant-link').filter({ hasText: name }).click();
    await expect(page.getByTestId('tenant-name')).toHaveText(name);
    await expect(page.getByTestId('over-time')).toBeVisible();
  };
  const [boxes, bar] = [page.getByTestId('choose'), page.getByTestId('bulk')];
  await open(page, '');
  await boxes.first().check();
  await expect(bar).toContainText('1 chosen');
  await follow('Dashboard');
  await expect(page.getByTestId('over-time')).toBeVisible();
  await follow('Messages');
  await expect(bar, 'another page of the tenant ends nothing').toContainText('1 chosen');
  await enter('Acme Corporation');
  await enter('Globex Inc.');
  await follow('Messages');
  await expect(boxes.first()).toBeVisible();
  expect(await bar.count()).toBe(0);
});

test('where letters are twice as large, the bar of what is chosen leaves three quarters of the screen', { tag: '@phone' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await page.evaluate(() => (document.documentElement.style.fontSize = '200%'));
  await page.getByTestId('choose').check();
  const bar = page.getByTestId('bulk');
  await expect(bar).toContainText('1 chosen');
  await expect(bar.getByTestId('bulk-intent')).toHaveCSS('font-size', '32px');
  expect((await bar.boundingBox())!.height).toBeLessThanOrEqual(page.viewportSize()!.height / 4);

  await bar.getByTestId('bulk-intent').selectOption('none');
  const all = ['bulk-accept', 'bulk-reject', 'bulk-rerun', 'bulk-intent', 'bulk-set-intent', 'bulk-none', 'bulk-all'];
  await bar.getByTestId(all[0]).focus();
  for (const [i, name] of all.entries()) {
    if (i > 0) await page.keyboard.press('Tab');
    const target = bar.getByTestId(name);
    await expect(target, 'by the keyboard').toBeFocused();
    await expect(target, `${name} is scrolled to`).toBeInViewport({ ratio: 0.95 });
    const { width, height } = (await target.boundingBox())!;
    expect.soft(Math.min(width, height), name).toBeGreaterThanOrEqual(44);
  }
  await look(page, 'phone-messages-chosen-large');
});

test('a message is shown in another way where one reads it', async ({ page, request }) => {
  const mark = await send(request, 1);
  await page.setViewportSize({ width: 390, height: 500 });
  await open(page, `q=${mark}`);
  await page.getByTestId('message-row').getByRole('link').click();
  const tab = page.getByTestId('view-source');
  await tab.scrollIntoViewIfNeeded();
  const place = () => page.evaluate(() => window.scrollY);
  expect(await place()).toBeGreaterThan(0);
  await tab.click();
  await expect(page.getByTestId('source')).toContainText(mark);
  expect(await place(), 'the page has not gone to its start').toBeGreaterThan(0);
});

test('a notice stays while somebody reads it', { tag: '@desktop' }, async ({ page, request }) => {
  // Timers of half a minute, as a notice has that offers to undo, go off by hand.
  await page.addInitScript(() => {
    const { setTimeout, clearTimeout } = window;
    const timers = new Map<number, () => void>();
    let next = 1_000_000;
    Object.assign(window, {
      timers,
      setTimeout: (run: () => void, ms?: number) => {
        if (ms !== 30_000) return setTimeout(run, ms);
        timers.set(++next, run);
        return next;
      },
      clearTimeout: (id: number) => timers.delete(id) || clearTimeout(id),
    });
  });
  const timers = <T>(look: (timers: Map<number, () => void>) => T) =>
    page.evaluate(`(${look})(window.timers)`) as Promise<T>;
  const running = (count: number, when: string) =>
    expect.poll(() => timers((timers) => timers.size), { message: when }).toBe(count);

  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  const notice = page.getByTestId('toast').filter({ hasText: '1 message accepted.' });
  await expect(notice).toBeVisible();
  await running(1, 'its time runs');
  await notice.hover();
  await running(0, 'but not under the pointer');
  await notice.getByTestId('undo').focus();
  await page.mouse.move(0, 0);
  await expect(notice.getByTestId('undo')).toBeFocused();
  await running(0, 'nor with the keyboard in it');
  await page.locator('#main').focus();
  await running(1, 'it begins anew');
  await timers((timers) => timers.forEach((run) => run()));
  await expect(notice).toHaveCount(0);
});

test.describe('intents that cannot be had', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('are told of in the place of their choice', async ({ page, request }) => {
    const mark = await send(request, 1);
    await open(page, `q=${mark}`);
    await page.route('**/ui/intents/list', (route) => route.fulfill({ status: 503 }));
    await page.getByTestId('message-row').getByRole('link').click();
    await expect(page.getByTestId('no-intents')).toContainText('The intents could not be had');
    await expect(page.getByTestId('correct')).toHaveCount(0);
    await expect(page.getByTestId('no-intents')).toHaveRole('alert');
    await page.unroute('**/ui/intents/list');
    await page.getByTestId('intents-again').press('Enter');
    await expect(page.getByTestId('correct'), 'once they are there').toBeVisible();
    await expect(page.getByTestId('correct-intent'), 'the keyboard is at what was missing').toBeFocused();
    await expect(page.getByTestId('no-intents')).toHaveCount(0);
  });

  test('are told of in the bar of what is chosen', async ({ page, request }) => {
    const mark = await send(request, 1);
    await open(page, `q=${mark}`);
    await page.route('**/ui/intents/list', (route) => route.fulfill({ status: 503 }));
    await page.getByTestId('choose').check();
    await expect(page.getByTestId('bulk-no-intents')).toContainText('The intents could not be had');
    await expect(page.getByTestId('bulk-intent')).toHaveCount(0);
    await expect(page.getByTestId('bulk-accept')).toBeVisible();
  });
});

test.describe('a history that cannot be had', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('is told of in its place', async ({ page, request }) => {
    const mark = await send(request, 1);
    await open(page, `q=${mark}`);
    await page.route('**/ui/emails/history', (route) => route.fulfill({ status: 503 }));
    await page.getByTestId('message-row').getByRole('link').click();
    await expect(page.getByTestId('no-history')).toContainText('What was done with it could not be had');
    await expect(page.getByTestId('message'), 'the message is there').toBeVisible();
  });
});

test('a message leaves the view that it no longer belongs to', async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}&decision=review`);
  await expect(page.getByTestId('message-row')).toHaveCount(2);
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  await expect(page.getByTestId('message-row')).toHaveCount(1);
  await expect(page.getByTestId('message-row').getByRole('link'), 'reading goes on at the next').toBeFocused();
  await page.keyboard.press('x');
  await expect(page.getByTestId('bulk')).toContainText('1 chosen');
  await page.keyboard.press('#');
  await expect(page.getByText('No message fits')).toBeVisible();
});

test('a message that somebody else decided says that it left the list', async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}&decision=review`);
  await expect(page.getByTestId('message-row')).toHaveCount(2);
  const [theirs] = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}+2`)).json();
  await expect(async () => {
    const answer = await request.post(`/api/emails/${theirs.email_id}/decision?tenant_id=${TENANT}`, { data: { decision: 'accepted' } });
    expect(answer.status()).toBe(200);
    await expect(rows(page, 'Left this list')).toHaveCount(1, { timeout: 3_000 });
  }).toPass();
  await expect(rows(page, 'Left this list')).toContainText(`${mark} 2`);
  await expect(rows(page, 'Left this list'), 'and how it stands now').toContainText('Accepted');
  await expect(page.getByTestId('message-row'), 'the list has not jumped').toHaveCount(2);
  await page.reload();
  await hydrated(page);
  await expect(page.getByTestId('message-row')).toHaveCount(1);
});

test('a message that a correction takes out of the list says what became of it', async ({ page, request }) => {
  const [mark, intent] = [await send(request, 2), await anIntent(request)];
  await open(page, `q=${mark}&intent=none`);
  const row = rows(page, `${mark} 2`);
  const bar = page.getByTestId('bulk');
  await row.getByTestId('choose').check();
  await bar.getByTestId('bulk-intent').selectOption(intent);
  // It is decided before the list is asked for anew.
  const { asked, answer } = await hold(page, '**/ui/emails/list');
  await bar.getByTestId('bulk-set-intent').click();
  await expect(page.getByTestId('toast')).toContainText(`1 message moved to ${intent}.`);
  await expect.poll(asked).toBeGreaterThan(0);
  const decided = async (query: string) => {
    const found = await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}&status=done${query}`);
    return (await found.json()).length;
  };
  await expect.poll(() => decided('&without_intent=true'), { timeout: 15_000 }).toBe(1);
  await expect.poll(() => decided(''), { timeout: 15_000 }).toBe(2);
  answer();
  await expect(row).toContainText('Left this list');
  await expect(row, 'with its new intent').toContainText(intent);
  await expect(row).toContainText(/Accepted|Rejected|Review/);
  await expect(page.getByTestId('message-row')).toHaveCount(2);
  await page.keyboard.press('*');
  await expect(bar, 'nothing is to be said of it here').toContainText('1 chosen');
  await page.keyboard.press('e');
  await expect(rows(page, `${mark} 1`)).toContainText('Accepted');
  await expect(row, 'it is told once').toHaveCount(0);
});

test('what left the list while a word was on its way is chosen no more', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}&decision=review`);
  const links = page.getByTestId('message-row').getByRole('link');
  const bar = page.getByTestId('bulk');
  const { asked, answer } = await hold(page, '**/ui/emails/decide-many');
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  await expect(links.nth(1)).toBeFocused();
  await expect.poll(asked).toBe(1);
  await page.keyboard.press('j');
  await expect(links.nth(2)).toBeFocused();
  await page.keyboard.press('x');
  await expect(bar).toContainText('1 chosen');
  const theirs = (await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}`)).json()).at(-1);
  const said = await request.post(`/api/emails/${theirs.email_id}/decision?tenant_id=${TENANT}`, { data: { decision: 'accepted' } });
  expect(said.status()).toBe(200);
  answer();
  await expect(links).toHaveCount(1);
  await expect(bar, 'the next word would be said of what nobody sees').toBeHidden();
});

test('a word that takes its time is told of, and its rows are busy', async ({ page, request }, { project }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}`);
  const told = page.getByTestId('words-under-way');
  const messages = page.getByTestId('message-row');
  const place = () => messages.first().evaluate((row) => Math.round(row.getBoundingClientRect().top + scrollY));
  await expect(told, 'what is told of is there before').toHaveText('');
  await expect(told).toHaveRole('status');
  const before = await place();
  const { answer } = await hold(page, '**/ui/emails/decide-many');
  await page.getByTestId('choose').nth(0).check();
  await page.getByTestId('choose').nth(1).check();
  await page.getByTestId('bulk-accept').click();
  await expect(told).toHaveText('Accepting 2 messages');
  await expect(messages.and(page.locator('[aria-busy=true]'))).toHaveCount(2);
  expect(await place(), 'the list has not jumped').toBe(before);
  await look(page, `${project.name}-messages-under-way`);
  answer();
  await expect(told).toHaveText('');
  await expect(messages.and(page.locator('[aria-busy=true]'))).toHaveCount(0);
  await expect(rows(page, 'Accepted')).toHaveCount(2);
});

test('a word that is on its way is told of where one is back, too', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}`);
  const told = page.getByTestId('words-under-way');
  const messages = page.getByTestId('message-row');
  const { answer } = await hold(page, '**/ui/emails/decide-many');
  await page.getByTestId('choose').nth(0).check();
  await page.getByTestId('choose').nth(1).check();
  await page.getByTestId('bulk-accept').click();
  await expect(told).toHaveText('Accepting 2 messages');
  await messages.first().getByRole('link').click();
  await expect(page.getByTestId('message')).toBeVisible();
  await page.goBack();
  await expect(told).toHaveText('Accepting 2 messages');
  await expect(messages.and(page.locator('[aria-busy=true]'))).toHaveCount(2);
  answer();
  await expect(told).toHaveText('');
  await expect(messages.and(page.locator('[aria-busy=true]'))).toHaveCount(0);
  await expect(rows(page, 'Accepted')).toHaveCount(2);
});

test('a word in one tenant is none of another\'s list', { tag: '@desktop' }, async ({ page, request }) => {
  test.slow();
  const mark = await send(request, 1);
  const other = `words${Math.random().toString(36).slice(2, 8)}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: other, name: 'Words' } })).status()).toBe(201);
  try {
    for (const subject of ['one', 'two']) {
      const data = `From: ann@customer.example\r\nSubject: ${subject}\r\n\r\nHello.\r\n`;
      const headers = { 'content-type': 'message/rfc822' };
      expect((await request.post(`/api/emails?tenant_id=${other}`, { headers, data })).status()).toBe(202);
    }
    const found = async () => (await request.get(`/api/emails?tenant_id=${other}&decision=review`)).json();
    await expect.poll(async () => (await found()).length, { timeout: 15_000 }).toBe(2);
    const [theirs] = await found();

    await open(page, `q=${mark}`);
    const { asked, answer } = await hold(page, '**/ui/emails/decide-many');
    await page.keyboard.press('j');
    await page.keyboard.press('e');
    await expect.poll(asked).toBe(1);
    const stream = page.waitForResponse((response) => response.url().includes(`/ui/changes?tenant_id=${other}`) && response.ok());
    await page.evaluate((address) => {
      const link = Object.assign(document.createElement('a'), { href: address });
      document.body.append(link);
      link.click();
      link.remove();
    }, `/t/${other}/messages?decision=review`);
    const messages = page.getByTestId('message-row');
    await expect(messages).toHaveCount(2);
    await stream;
    await expect(page.getByTestId('words-under-way')).toHaveText('');
    await request.post(`/api/emails/${theirs.email_id}/decision?tenant_id=${other}`, { data: { decision: 'accepted' } });
    await expect(rows(page, 'Left this list'), 'it hears of news').toHaveCount(1);
    answer();
    await expect(page.getByTestId('toast').filter({ hasText: '1 message accepted.' })).toBeVisible();
    await askOnceMore(page);
    await expect(messages, 'nobody said a word here').toHaveCount(2);
  } finally {
    await request.delete(`/api/tenants/${other}`);
  }
});

test('what the browser would tick on the way back is not chosen', { tag: '@desktop' }, async ({ page, request }) => {
  await send(request, 3);
  await page.goto(`/t/${TENANT}/messages`);
  await hydrated(page);
  const boxes = page.getByTestId('choose');
  await boxes.nth(0).check();
  await boxes.nth(2).check();
  await expect(page.getByTestId('bulk')).toContainText('2 chosen');
  await page.goto('/account');
  const mark = await send(request, 1);
  await page.goBack();
  await hydrated(page);
  await expect(page.getByTestId('message-row').first()).toContainText(mark);
  await expect(page.getByTestId('bulk')).toHaveCount(0);
  expect(await boxes.evaluateAll((all) => all.filter((box) => (box as HTMLInputElement).checked).length)).toBe(0);
});

test('a range is chosen, then the page, then all that fit', async ({ page, request }) => {
  test.slow();
  const mark = await send(request, 53);
  await open(page, `q=${mark}&decision=review`);
  const boxes = page.getByTestId('choose');
  const bar = page.getByTestId('bulk');
  await expect(boxes).toHaveCount(50);
  await boxes.nth(1).click();
  await boxes.nth(4).click({ modifiers: ['Shift'] });
  await expect(bar).toContainText('4 chosen');
  await boxes.nth(3).click({ modifiers: ['Shift'] });
  await expect(bar, 'a range is left out again').toContainText('2 chosen');
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('Shift+X');
  await expect(bar).toContainText('3 chosen');
  await page.keyboard.press('*');
  await expect(bar).toContainText('50 chosen');
  await bar.getByTestId('bulk-all').click();
  await expect(bar).toContainText('53 chosen');
  await expect(bar.getByTestId('bulk-all'), 'there is nothing more to choose').toHaveText('All on this page');
  // On the page that is not shown.
  const oldest = (await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}&limit=100`)).json()).at(-1);
  const theirs = await request.post(`/api/emails/${oldest.email_id}/decision?tenant_id=${TENANT}`, { data: { decision: 'rejected' } });
  expect(theirs.status()).toBe(200);
  await bar.getByTestId('bulk-accept').click();
  await expect(page.getByTestId('toast').last()).toContainText('52 messages accepted. 1 did not belong to the list any more.', { timeout: 15_000 });
  await page.keyboard.press('z');
  await expect(page.getByTestId('toast').last()).toContainText('Taken back: accepting 52 messages.', { timeout: 15_000 });
  const left = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}&decision=accepted&limit=100`)).json();
  expect(left).toHaveLength(0);

  await test.step('from a later page, too, with what is newer', async () => {
    await open(page, `q=${mark}&decision=review`);
    await page.getByTestId('older').click();
    await expect(boxes).toHaveCount(2);
    await page.keyboard.press('*');
    await expect(bar).toContainText('2 chosen');
    await bar.getByTestId('bulk-all').click();
    await expect(bar).toContainText('52 chosen');
  });
});

test('the keyboard stays at its row when several come back before it', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 4);
  await open(page, `q=${mark}&decision=review`);
  const links = page.getByTestId('message-row').getByRole('link');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('Shift+X');
  await expect(page.getByTestId('bulk')).toContainText('3 chosen');
  await page.keyboard.press('e');
  await expect(links).toHaveCount(1);
  await expect(links.first()).toBeFocused();
  await page.keyboard.press('z');
  await expect(links).toHaveCount(4);
  await expect(links.nth(3)).toBeFocused();
});

test('chosen cards are tinted, and one that was tapped is no other', { tag: '@phone' }, async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}`);
  const boxes = page.getByTestId('choose');
  const ground = (at: number) =>
    page.getByTestId('message-row').nth(at).evaluate((card) => getComputedStyle(card).backgroundColor);
  await boxes.nth(0).check();
  await boxes.nth(1).check();
  await expect(page.getByTestId('bulk')).toContainText('2 chosen');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await ground(0), 'as the one that was tapped last').toBe(await ground(1));
    expect(await ground(0)).not.toBe(await ground(2));
  }
  await boxes.nth(1).uncheck();
  await expect(page.getByTestId('bulk')).toContainText('1 chosen');
  expect(await ground(1)).toBe(await ground(2));
});

test('whom a message went to and asks to answer stands beside it', { tag: '@desktop' }, async ({ page, request }) => {
  const raw = (subject: string) =>
    'From: Ann <ann@customer.example>\r\nReply-To: ann@elsewhere.example\r\nTo: service@globex.example\r\n' +
    `Cc: boss@customer.example\r\nSubject: ${subject}\r\n\r\nHello.\r\n`;
  const envelope = page.getByRole('region', { name: 'Envelope', exact: true });
  await open(page, `q=${await send(request, 1, raw)}`);
  await page.getByTestId('message-row').getByRole('link').click();
  await expect(envelope).toContainText('Reply-Toann@elsewhere.example');
  await expect(envelope).toContainText('Ccboss@customer.example');

  const own = (subject: string) => raw(subject).replace('ann@elsewhere', 'ann@customer').replace(/Cc: .*\r\n/, '');
  await open(page, `q=${await send(request, 1, own)}`);
  await page.getByTestId('message-row').getByRole('link').click();
  await expect(envelope).toContainText('ann@customer.example');
  for (const name of ['Reply-To', 'Cc']) await expect(envelope.getByText(name, { exact: true })).toHaveCount(0);
});

test('a name and its address stand in two lines', async ({ page, request }) => {
  const raw = (subject: string) =>
    'From: Priya Nair <priya.nair@northwind.example>\r\nTo: service@globex.example\r\n' +
    `Subject: ${subject}\r\n\r\nHello.\r\n`;
  await open(page, `q=${await send(request, 1, raw)}`);
  await page.getByTestId('message-row').getByRole('link').click();
  const parts = page.getByRole('region', { name: 'Envelope', exact: true }).locator('dd bdi');
  await expect(parts).toHaveText(['Priya Nair', 'priya.nair@northwind.example', 'service@globex.example']);
  expect((await top(parts.nth(1))) - (await top(parts.nth(0)))).toBeGreaterThan(10);
});

test('from a message one goes on through the list that one came from', async ({ page, request }, { project }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}&decision=review`);
  const title = page.getByRole('heading', { level: 1 });
  await page.getByRole('link', { name: `${mark} 3` }).click();
  await expect(title).toHaveText(`${mark} 3`);
  await expect(page.getByTestId('beside-k')).toHaveAttribute('aria-disabled', 'true');
  const older = page.getByTestId('beside-j');
  await expect(older).toHaveAttribute('href', /messages/);
  await look(page, `${project.name}-message-beside`);
  await page.getByPlaceholder('Note (optional)').fill('of the first alone');
  await page.keyboard.press('Escape');
  await page.keyboard.press('e');
  await expect(title, 'a key that decides goes on').toHaveText(`${mark} 2`);
  await expect(page.getByTestId('toast'), 'and is told of').toContainText('1 message accepted.');
  await expect(page.getByPlaceholder('Note (optional)')).toHaveValue('');
  await page.getByTestId('view-source').click();
  await expect(page.getByTestId('source')).toContainText(`${mark} 2`);
  await older.click();
  await expect(title).toHaveText(`${mark} 1`);
  await expect(page.getByTestId('source'), 'the next is shown as the one before').toContainText(`${mark} 1`);
  await expect(older).toHaveAttribute('aria-disabled', 'true');
  await expect(page.getByTestId('beside-k')).toHaveAttribute('href', /messages/);
  await page.keyboard.press('k');
  await expect(title).toHaveText(`${mark} 2`);
  await expect(page.getByTestId('beside-k'), 'the first was decided').toHaveAttribute('aria-disabled', 'true');
  await page.keyboard.press('u');
  await expect(page).toHaveURL(new RegExp(`q=${mark}`));
  await expect(page.getByTestId('message-row')).toHaveCount(2);
});

test('a key that decides a message goes on once that is done, to where it is taken back', async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}&decision=review`);
  const title = page.getByRole('heading', { level: 1 });
  await page.getByRole('link', { name: `${mark} 2` }).click();
  await expect(title).toHaveText(`${mark} 2`);
  await knowsWays(page);
  const { asked, answer } = await hold(page, '**/ui/emails/decide-many');
  await page.keyboard.press('#');
  await expect(page.getByTestId('news')).toHaveText('Saving the decision.');
  await page.keyboard.press('#');
  await expect(title, 'not before that').toHaveText(`${mark} 2`);
  const known = page.waitForResponse(/\/ui\/emails\/neighbours$/);
  answer();
  await expect(title).toHaveText(`${mark} 1`);
  await (await known).finished();
  await page.keyboard.press('z');
  await expect(page.getByTestId('toast').last()).toContainText('Taken back: rejecting 1 message.');
  await expect(title, 'one stays where one reads').toHaveText(`${mark} 1`);
  expect(asked(), 'who says the same twice means it once').toBe(1);
  await page.keyboard.press('e');
  await expect(title, 'after the last, the list').toHaveText('Messages');
  await expect(page).toHaveURL(new RegExp(`q=${mark}`));
  await expect(rows(page, `${mark} 2`), 'what was taken back is to be decided').toHaveCount(1);
  await expect(page.getByTestId('message-row')).toHaveCount(1);
});

test('a key is meant for the message that one sees', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}&decision=review`);
  const title = page.getByRole('heading', { level: 1 });
  await page.getByRole('link', { name: `${mark} 2` }).click();
  await expect(title).toHaveText(`${mark} 2`);
  await knowsWays(page);
  let said = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/ui/emails/decide-many')) said += 1;
  });
  const [, { email_id: next }] = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}`)).json();
  const { asked, answer } = await hold(page, '**/ui/intents/list');
  const got = page.waitForResponse(
    (answer) => answer.url().endsWith('/ui/emails/get') && (answer.request().postData() ?? '').includes(next),
  );
  await page.keyboard.press('e');
  await (await got).finished();
  await expect.poll(asked).toBe(1);
  await page.evaluate(() => new Promise(requestAnimationFrame));
  await expect(title, 'it is there, and is not shown yet').toHaveText('Message');
  await page.keyboard.press('e');
  await page.keyboard.press('#');
  answer();
  await expect(title).toHaveText(`${mark} 1`);
  await expect(page.getByTestId('news')).toHaveText('');
  expect(said, 'of the one before alone').toBe(1);
  await page.keyboard.press('#');
  await expect(page.getByTestId('toast').last()).toContainText('1 message rejected.');
});

test('one stays at a message where it is not known what follows', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}&decision=review`);
  const title = page.getByRole('heading', { level: 1 });
  const { answer } = await hold(page, '**/ui/emails/neighbours');
  await page.getByRole('link', { name: `${mark} 2` }).click();
  await expect(title).toHaveText(`${mark} 2`);
  await page.keyboard.press('#');
  await expect(page.getByTestId('toast')).toContainText('1 message rejected.');
  await expect(page.getByTestId('outcome')).toContainText('Rejected');
  answer();
  await expect(page.getByTestId('beside-j')).toHaveAttribute('href', /messages/);
  await expect(title).toHaveText(`${mark} 2`);
});

test('who takes a key back while it is on its way stays, and who says another thing goes on after that', { tag: '@desktop' }, async ({
  page,
  request,
}) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}&decision=review`);
  const title = page.getByRole('heading', { level: 1 });
  await page.getByRole('link', { name: `${mark} 2` }).click();
  await expect(title).toHaveText(`${mark} 2`);
  await knowsWays(page);
  const unsay = async (route: Route) => {
    await page.keyboard.press('z');
    await route.continue();
  };
  await page.route('**/ui/emails/decide-many', unsay, { times: 1 });
  await page.keyboard.press('#');
  await expect(page.getByTestId('toast').last()).toContainText('Taken back: rejecting 1 message.');
  await expect(page.getByTestId('outcome')).toContainText('Review');
  await expect(title).toHaveText(`${mark} 2`);

  const { asked, answer } = await hold(page, '**/ui/emails/decide-many');
  await page.keyboard.press('e');
  await expect(page.getByTestId('news')).toHaveText('Saving the decision.');
  await page.keyboard.press('#');
  answer();
  await expect(title).toHaveText(`${mark} 1`);
  await expect(page.getByTestId('toast').filter({ hasText: '1 message rejected.' })).toBeVisible();
  expect(asked()).toBe(2);
});

test('one’s last word is taken back from the history, once its notice is gone', async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await rows(page, mark).getByRole('link').click();
  const outcome = page.getByTestId('outcome');
  const takeBack = page.getByTestId('history-entry').filter({ hasText: 'Decided: rejected' }).getByTestId('take-back');
  const isTakenBack = async () => {
    await expect(page.getByTestId('toast').last()).toContainText('Taken back: rejecting 1 message.');
    await expect(outcome).toContainText('Review');
    await expect(page.getByTestId('take-back')).toHaveCount(0);
  };
  await page.getByTestId('decide-rejected').click();
  await expect(outcome).toContainText('Rejected');
  await page.reload();
  await hydrated(page);
  await expect(page.getByTestId('undo')).toHaveCount(0);
  await takeBack.click();
  await isTakenBack();
  await test.step('while its notice is there, which offers it no more then', async () => {
    await page.getByTestId('decide-rejected').click();
    await expect(page.getByTestId('undo')).toHaveCount(1);
    await takeBack.click();
    await expect(page.getByTestId('undo')).toHaveCount(0);
    await isTakenBack();
  });
});

test('a message that is loaded anew is still one of its list', async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}&decision=review`);
  const title = page.getByRole('heading', { level: 1 });
  await page.getByRole('link', { name: `${mark} 2` }).click();
  await expect(title).toHaveText(`${mark} 2`);
  await page.reload();
  await hydrated(page);
  const back = page.getByRole('navigation', { name: 'Other messages' }).getByRole('link', { name: 'Messages' });
  const list = new RegExp(`/messages\\?decision=review&q=${mark}$`);
  await expect(back).toHaveAttribute('href', list);
  await page.keyboard.press('j');
  await expect(title).toHaveText(`${mark} 1`);
  await expect(page.getByTestId('beside-k')).toHaveAttribute('href', /messages/);
  await expect(page.getByTestId('beside-j'), 'the list ends here').toHaveAttribute('aria-disabled', 'true');
  await page.keyboard.press('u');
  await expect(page).toHaveURL(list);
  await expect(page.getByTestId('message-row')).toHaveCount(3);
});

test('the ways from a message are its own, not those of the one that was left', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}`);
  const title = page.getByRole('heading', { level: 1 });
  const [newer, older] = [page.getByTestId('beside-k'), page.getByTestId('beside-j')];
  await page.getByRole('link', { name: `${mark} 2` }).click();
  await expect(title).toHaveText(`${mark} 2`);
  await expect(older).toHaveAttribute('href', /messages/);
  const { answer } = await hold(page, '**/ui/emails/neighbours');
  await older.click();
  await expect(title).toHaveText(`${mark} 1`);
  await expect(newer).toHaveAttribute('aria-disabled', 'true');
  await expect(older, 'it would lead to the one that is shown').toHaveAttribute('aria-disabled', 'true');
  answer();
  await expect(newer).toHaveAttribute('href', /messages/);
  await newer.click();
  await expect(title).toHaveText(`${mark} 2`);
});

test.describe('a busy moment', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('takes no way from a message', async ({ page, request }) => {
    const mark = await send(request, 2);
    const [newest] = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}`)).json();
    await openLive(page, `/messages/${newest.email_id}`);
    const older = page.getByTestId('beside-j');
    await expect(older).toHaveAttribute('href', /messages/);
    await page.route('**/ui/emails/neighbours', (route) => route.fulfill({ status: 503 }));
    await asksAfterMessage(page, request, /\/ui\/emails\/neighbours$/, 503);
    await askOnceMore(page);
    expect(await older.getAttribute('href')).toContain('/messages/');
  });
});

test('z takes back what was said last, though its answer is still on its way', async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}`);
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  await expect(rows(page, 'Accepted')).toHaveCount(1);
  await page.route('**/ui/emails/decide-many', async (route) => {
    await page.keyboard.press('z');
    await route.continue();
  });
  await page.keyboard.press('#');
  await expect(page.getByTestId('toast').last()).toContainText('Taken back: rejecting 1 message.');
  await expect(rows(page, 'Rejected')).toHaveCount(0);
  await expect(rows(page, 'Accepted'), 'what was said before it stays').toHaveCount(1);
});

test('z takes back that a message was run again, and nothing that was said before it', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}`);
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  await expect(rows(page, 'Accepted')).toHaveCount(1);
  await page.keyboard.press('r');
  await expect(page.getByTestId('toast').last()).toContainText('1 message run again.');
  await page.keyboard.press('z');
  await expect(page.getByTestId('toast').last()).toContainText('Taken back: running 1 message again.');
  await expect(rows(page, 'Accepted'), 'what was said before it stays').toHaveCount(1);
  await rows(page, `${mark} 1`).getByRole('link').click();
  await expect(page.getByTestId('history-entry').first()).toContainText('Took back that they ran it again');
});

test('what newly comes waits above the list until it is asked for', async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, '');
  await expect(page.getByTestId('message-row').first()).toContainText(mark);
  const later = await send(request, 2);
  const fresh = page.getByTestId('fresh');
  await expect(fresh).toContainText('2 new messages');
  await expect(page.getByTestId('message-row').first(), 'the list has not jumped').toContainText(mark);
  await fresh.getByRole('button').click();
  await expect(page.getByTestId('message-row').first()).toContainText(later);
  await expect(page.getByTestId('message-row').first().getByRole('link'), 'the keyboard is at what came').toBeFocused();
  await expect(fresh).toHaveText('');
});

test('where more came than a page holds, none of it is left out', { tag: '@desktop' }, async ({ page, request }) => {
  test.slow();
  const word = `w${Math.random().toString(36).slice(2, 10)}`;
  const letter = (subject: string) =>
    `From: ann@customer.example\r\nTo: service@globex.example\r\nSubject: ${subject} ${word}\r\n\r\nHello.\r\n`;
  const first = await send(request, 1, letter);
  await openLive(page, `/messages?q=${word}`);
  const messages = page.getByTestId('message-row');
  await expect(messages).toHaveCount(1);
  // All of them have come when the page hears of any.
  const { answer } = await hold(page, '**/ui/emails/list');
  const later = await send(request, 51, letter);
  answer();
  const fresh = page.getByTestId('fresh');
  await expect(fresh).toContainText('50+ new messages');
  await fresh.getByRole('button').click();
  await expect(messages).toHaveCount(50);
  await expect(messages.first()).toContainText(`${later} 51 `);
  await expect(messages.last()).toContainText(`${later} 2 `);
  await page.getByTestId('older').click();
  await expect(messages).toHaveCount(2);
  await expect(messages.first()).toContainText(`${later} 1 `);
  await expect(messages.last()).toContainText(first);
});

test('messages are imported from files, and are in the list', async ({ page }, { project }) => {
  const mark = `m${Math.random().toString(36).slice(2, 10)}`;
  const letter = (i: number) => `From: ann@customer.example\nTo: service@globex.example\nSubject: ${mark} ${i}\n\nHello.\n`;
  // As a program writes the time that speaks another language.
  const entry = (message: string) => `From ann lun. 23 nov. 2026 10:00\n${message}\n`;
  const mbox = [letter(1), letter(2), ''].map(entry).join('');
  await open(page, `q=${mark}`);
  await expect(page.getByText('No message fits')).toBeVisible();
  await page.getByTestId('import').click();
  const dialog = page.getByRole('dialog', { name: 'Import messages' });
  const outcome = dialog.getByTestId('upload-outcome');
  const send = async (...files: [name: string, text: string][]) => {
    const chosen = files.map(([name, text]) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(text) }));
    await dialog.getByLabel('Files').setInputFiles(chosen);
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
  };

  await test.step('a file of many', async () => {
    // By how it begins: some programs give it no ending.
    await send(['Inbox', mbox]);
    await expect(outcome).toContainText('Inbox: 2 messages are stored. 1 was refused:');
    await expect(outcome.getByRole('listitem')).toHaveText('Message 3: It is empty');
    await look(page, `${project.name}-messages-import`);
  });

  await test.step('several files, one of them with what is here already', async () => {
    await send(['three.eml', letter(3)], ['old.mbox', entry(letter(1))]);
    await expect(outcome).toHaveText(['three.eml: 1 message is stored.', 'old.mbox: no new message is stored. 1 was here already.']);
  });

  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  const fresh = page.getByTestId('fresh');
  await expect(async () => {
    if (await fresh.getByRole('button').isVisible()) await fresh.getByRole('button').click();
    await expect(page.getByTestId('message-row')).toHaveCount(3, { timeout: 1_000 });
  }).toPass();
});

test.describe('a file without messages', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 400/ });

  test('is refused in words', async ({ page }) => {
    await open(page, '');
    await page.getByTestId('import').click();
    const dialog = page.getByRole('dialog', { name: 'Import messages' });
    await dialog.getByLabel('Files').setInputFiles({ name: 'notes.mbox', mimeType: 'text/plain', buffer: Buffer.from('Dear diary\n') });
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(dialog.getByTestId('upload-outcome')).toContainText('notes.mbox was not taken in to its end: holds no message');
  });
});

test.describe('an import that outlasts its page', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 413/ });

  test('is asked about where the tab is closed, and told of on the next page', async ({ page, request }) => {
    const mark = await send(request, 1);
    await open(page, `q=${mark}`);
    let answer = () => {};
    const isAnswered = new Promise<void>((resolve) => (answer = resolve));
    await page.route('**/api/emails/import*', async (route) => {
      await isAnswered;
      const problem = { type: 'about:blank', title: 'Content Too Large', status: 413, detail: 'It is too large.' };
      await route.fulfill({ status: 413, contentType: 'application/problem+json', body: JSON.stringify(problem) });
    });
    const asked: string[] = [];
    page.on('dialog', async (dialog) => {
      asked.push(dialog.type());
      await dialog.dismiss();
    });
    await page.getByTestId('import').click();
    const dialog = page.getByRole('dialog', { name: 'Import messages' });
    await dialog.getByLabel('Files').setInputFiles({ name: 'all.mbox', mimeType: 'text/plain', buffer: Buffer.from('From ann\n') });
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(dialog.getByTestId('uploading')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
    await page.getByTestId('message-row').getByRole('link').click();
    await expect(page.getByRole('heading', { level: 1 })).toContainText(mark);
    await page.close({ runBeforeUnload: true });
    await expect.poll(() => asked).toEqual(['beforeunload']);

    answer();
    const notice = page.locator('[aria-live=assertive]').getByTestId('toast');
    await expect(notice).toContainText('all.mbox was not taken in to its end: It is too large.');
    const closed = page.waitForEvent('close');
    await page.close({ runBeforeUnload: true });
    await closed;
  });
});

test('a view is saved by name and found again, and what is done to it can be taken back', async ({ page }) => {
  const view = page.getByTestId('view').filter({ hasText: 'My reviews' });
  const notice = page.getByTestId('toast').last();
  const save = async (query: string) => {
    await open(page, query);
    await page.getByText('Save this view').click();
    await page.getByTestId('view-name').fill('My reviews');
    await page.getByTestId('save-view').click();
  };
  const leads = (to: RegExp) => expect(view.getByRole('link')).toHaveAttribute('href', to);
  await save('decision=review');
  await expect(view).toBeVisible();
  await expect(notice).toContainText('The view My reviews is saved.');
  await open(page, '');
  await view.getByRole('link').click();
  await expect(page).toHaveURL(/decision=review/);

  const remove = view.getByRole('button', { name: 'Delete the view My reviews' });
  await remove.click();
  await expect(view).toBeHidden();
  await expect(notice).toContainText('The view My reviews is deleted.');
  await page.getByTestId('undo').click();
  await leads(/decision=review/);

  await save('decision=rejected');
  await expect(notice).toContainText('The view My reviews is replaced.');
  await leads(/decision=rejected/);
  await page.getByTestId('undo').click();
  await leads(/decision=review/);
  await remove.click();
  await expect(view).toBeHidden();
});

test('a view that is shared says so, and who takes it from everyone is told', async ({ page }) => {
  const view = page.getByTestId('view').filter({ hasText: 'For all' });
  const notice = page.getByTestId('toast').last();
  const save = async (query: string, isShared: boolean) => {
    await open(page, query);
    await page.getByText('Save this view').click();
    await page.getByTestId('view-name').fill('For all');
    await page.getByTestId('share-view').setChecked(isShared);
    await page.getByTestId('save-view').click();
  };
  await save('decision=accepted&could_not_ask=true', true);
  await expect(notice).toContainText('The view For all is saved for everyone.');
  await expect(view).toContainText('Shared: For all');
  await save('decision=rejected&could_not_ask=true', false);
  await expect(notice).toContainText('The view For all is replaced, and yours alone now.');
  await expect(view).not.toContainText('Shared');
  await page.getByTestId('undo').click();
  await expect(view).toContainText('Shared: For all');
  await view.getByRole('button', { name: 'Delete the view For all' }).click();
  await expect(view).toHaveCount(0);
});

test('a view of one’s own is given to everyone, and kept to oneself again', { tag: '@desktop' }, async ({ page }) => {
  const view = page.getByTestId('view').filter({ hasText: 'Given' });
  const [notice, share] = [page.getByTestId('toast').last(), page.getByTestId('share')];
  await open(page, 'decision=accepted&delivery=delivered');
  await page.getByText('Save this view').click();
  await page.getByTestId('view-name').fill('Given');
  await page.getByTestId('save-view').click();
  await expect(view).toBeVisible();
  await expect(share).toHaveText('Share this view: Given');
  await share.press('Enter');
  await expect(notice).toContainText('The view Given is everyone\'s now.');
  await expect(view).toContainText('Shared: Given');
  await expect(share).toHaveText('Stop sharing this view: Given');
  await expect(share, 'the keyboard is where it was').toBeFocused();
  await share.press('Enter');
  await expect(notice).toContainText('The view Given is yours alone now.');
  await expect(view).not.toContainText('Shared');
  await page.getByTestId('undo').last().click();
  await expect(view).toContainText('Shared: Given');
  await view.getByRole('button', { name: 'Delete the view Given' }).click();
  await expect(view).toHaveCount(0);
  await expect(share).toHaveCount(0);
});

test('another’s view is deleted once that is confirmed, and is not made one’s own', { tag: '@desktop' }, async ({ page, request }) => {
  const made = await request.post(`/api/api-keys?tenant_id=${TENANT}`, { data: { name: 'Shares a view', role: 'operator' } });
  expect(made.status()).toBe(201);
  const { key, key_id: id } = await made.json();
  const headers = { authorization: `Bearer ${key}`, cookie: '' };
  const form = { tenant_id: TENANT, name: 'Of another', query: '?decision=rejected&delivery=delivered', is_shared: 'true' };
  const saved = await request.post('/ui/saved-filters/save', { headers, form });
  expect(saved.status()).toBe(200);
  const view = page.getByTestId('view').filter({ hasText: 'Of another' });
  await open(page, 'decision=rejected&delivery=delivered');
  await expect(view).toContainText('Shared: Of another');
  await expect(page.getByText('Save this view'), 'under a name of one’s own').toBeVisible();
  await expect(page.getByTestId('share')).toHaveCount(0);
  await view.getByTestId('delete-anothers').click();
  await expect(view.getByText('Delete the view Of another for everyone?')).toBeVisible();
  await view.getByTestId('delete-for-good').click();
  await expect(view).toHaveCount(0);
  await expect(page.getByTestId('toast').last()).toContainText('The view is deleted.');
  await expect(page.getByTestId('undo')).toHaveCount(0);
  const revoked = await request.delete(`/api/api-keys/${id}?tenant_id=${TENANT}`);
  expect(revoked.status()).toBe(204);
});

test.describe('a view that cannot be deleted', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('says so, and is there to be tried again', async ({ page }) => {
    await open(page, 'decision=accepted');
    await page.getByText('Save this view').click();
    await page.getByTestId('view-name').fill('Kept');
    await page.getByTestId('save-view').click();
    const view = page.getByTestId('view').filter({ hasText: 'Kept' });
    await page.route('**/ui/saved-filters/delete', (route) => route.fulfill({ status: 503 }), { times: 1 });
    await view.getByRole('button').click();
    await expect(page.locator('.toast.tone-bad')).toBeVisible();
    await expect(async () => {
      await view.getByRole('button').click({ timeout: 1_000 });
      await expect(view).toBeHidden({ timeout: 1_000 });
    }).toPass();
  });
});

test.describe('a view that cannot be put back', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('can be tried again', async ({ page }) => {
    await open(page, 'status=waiting');
    await page.getByText('Save this view').click();
    await page.getByTestId('view-name').fill('Put back');
    await page.getByTestId('save-view').click();
    const view = page.getByTestId('view').filter({ hasText: 'Put back' });
    const remove = view.getByRole('button', { name: 'Delete the view Put back' });
    await remove.click();
    await expect(view).toBeHidden();
    await page.route('**/ui/saved-filters/save', (route) => route.fulfill({ status: 503 }), { times: 1 });
    await page.getByTestId('undo').click();
    await expect(page.locator('.toast.tone-bad')).toBeVisible();
    await page.getByTestId('undo').click();
    await expect(view).toBeVisible();
    await remove.click();
    await expect(view).toBeHidden();
  });
});

const RICH = (subject: string) =>
  `From: ann@customer.example\r\nTo: service@globex.example\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\n` +
  'Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/html\r\n\r\n' +
  '<h1>Rich</h1><script>document.title = "run"</script><img src="https://tracker.example/p.gif" onerror="alert(1)">\r\n' +
  '--m\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=list.csv\r\n\r\na,b\r\n--m--\r\n';

test.describe('a frame that runs nothing', () => {
  // Not even what the test itself would run in it.
  test.use({ expectedFaults: /Blocked script execution/ });

  test('HTML is shown in a frame that can do nothing, and loads nothing unasked', async ({ page, request }) => {
    const mark = await send(request, 1, RICH);
    const asked: string[] = [];
    await page.route('https://tracker.example/**', (route) => {
      asked.push(route.request().url());
      return route.fulfill({ status: 200, contentType: 'image/gif', body: '' });
    });
    await open(page, `q=${mark}`);
    await page.getByTestId('message-row').getByRole('link').click();
    await page.getByTestId('view-formatted').click();
    const frame = page.frameLocator('[data-testid=html]');
    await expect(frame.getByRole('heading', { name: 'Rich' })).toBeVisible();
    await expect(page.getByTestId('images-blocked')).toContainText('1 picture');
    expect(asked).toEqual([]);
    expect(await page.title()).not.toBe('run');
    await page.getByTestId('show-images').click();
    await expect.poll(() => asked.length).toBeGreaterThan(0);
    await expect(page.getByTestId('attachment')).toContainText('list.csv');
    const download = page.waitForEvent('download');
    await page.getByTestId('attachment').click();
    expect((await download).suggestedFilename()).toBe('list.csv');
    await page.getByTestId('view-source').click();
    await expect(page.getByTestId('source')).toContainText('boundary=m');
  });

  test('fits a narrow frame, and runs as its letters do', { tag: '@phone' }, async ({ page, request }) => {
    const mark = await send(
      request,
      1,
      (subject) =>
        `From: ann@customer.example\r\nTo: service@globex.example\r\nSubject: ${subject}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n` +
        '<table width="640" style="width:640px"><tr><td width="320">فاتورة</td><td width="320" style="padding:0 24px">فاتورة 1042</td></tr></table>\r\n',
    );
    await open(page, `q=${mark}`);
    await page.getByTestId('message-row').getByRole('link').click();
    await page.getByTestId('view-formatted').click();
    const cells = page.frameLocator('[data-testid=html]').getByRole('cell');
    await expect(cells).toHaveCount(2);
    const frame = (await page.getByTestId('html').boundingBox())!;
    const [first, second] = [(await cells.nth(0).boundingBox())!, (await cells.nth(1).boundingBox())!];
    for (const { x, width } of [first, second]) {
      expect(x).toBeGreaterThanOrEqual(frame.x);
      expect(x + width).toBeLessThanOrEqual(frame.x + frame.width);
    }
    expect(first.x, 'from the right').toBeGreaterThan(second.x);
  });

  test('stays as it is while its message is decided', async ({ page, request }) => {
    const mark = await send(request, 1, RICH);
    await open(page, `q=${mark}`);
    await page.getByTestId('message-row').getByRole('link').click();
    await page.getByTestId('view-formatted').click();
    const frame = page.getByTestId('html');
    await frame.evaluate((element) => Object.assign(element, { isTheSame: true }));
    await page.getByTestId('decide-accepted').click();
    await expect(page.getByTestId('outcome')).toContainText('Accepted');
    await expect(page.getByTestId('history-entry').filter({ hasText: 'Decided: accepted' })).toBeVisible();
    expect(await frame.evaluate((element) => 'isTheSame' in element), 'it was not built anew').toBe(true);
  });
});

test('a message is worked by keys, and its history tells of it', async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('message')).toBeVisible();
  await knowsWays(page);
  await page.keyboard.press('e');
  await expect(page.getByRole('heading', { level: 1 }), 'it was the last of its list').toHaveText('Messages');
  await expect(rows(page, 'Accepted')).toHaveCount(1);
  await expect(rows(page, mark).getByRole('link')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('outcome')).toContainText('Accepted');
  await page.getByTestId('undo').click();
  await expect(page.getByTestId('outcome')).toContainText('Review');
  let said = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/ui/emails/correct-many')) said += 1;
  });
  await page.keyboard.press('n');
  const choice = page.getByTestId('correct-intent');
  await expect(choice, 'it has none: which it has is all that there is to say').toBeFocused();
  await choice.selectOption('');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('classification')).toContainText('a person said that none fits');
  expect(said, 'by Enter alone').toBe(1);
  await expect(page.locator('#main'), 'where the keys are the page’s').toBeFocused();
  const history = page.getByTestId('history-entry');
  await expect(history.filter({ hasText: 'Said that it has no intent' })).toBeVisible();
  await expect(history.filter({ hasText: 'Took their word on the decision back' })).toBeVisible();
  await page.keyboard.press('u');
  await expect(page, 'the list is as it was narrowed').toHaveURL(new RegExp(`/messages\\?q=${mark}$`));
  await expect(page.getByTestId('message-row')).toHaveCount(1);
});

/** An intent of the tenant's. */
async function anIntent(request: APIRequestContext): Promise<string> {
  const intents = await (await request.get(`/api/intents?tenant_id=${TENANT}`)).json();
  return intents.find((intent: { is_active: boolean }) => intent.is_active).name;
}

const isTakenBack = (page: Page) =>
  expect(page.getByTestId('toast').filter({ hasText: 'Taken back: setting the intent of 1 message.' })).toBeVisible();

test('the intent of a message is chosen by keys, and set by Enter', async ({ page, request }) => {
  const [mark, intent] = [await send(request, 1), await anIntent(request)];
  await open(page, `q=${mark}`);
  await rows(page, mark).getByRole('link').click();
  const choice = page.getByTestId('correct-intent');
  await expect(choice).toBeVisible();
  await page.keyboard.press('i');
  await expect(choice).toBeFocused();
  await choice.selectOption(intent);
  await page.keyboard.press('Enter');
  await expect(page.locator('#main'), 'the next key is the page’s').toBeFocused();
  await expect(page.getByTestId('classification')).toContainText(`${intent}: a person chose it.`);
  await expect(page.getByTestId('history-entry').filter({ hasText: `Said that its intent is ${intent}` })).toBeVisible();

  await test.step('what it has is what it has not', async () => {
    await page.keyboard.press('n');
    await expect(page.getByTestId('classification')).toContainText('a person said that none fits');
    await expect(page.locator('#main'), 'here, too').toBeFocused();
    await page.keyboard.press('z');
    await isTakenBack(page);
  });
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: 'Keyboard' });
  await expect(help).toContainText('Choose the intent');
});

test('the choice keeps the intent that was set, and to set it again says nothing', async ({ page, request }) => {
  const [mark, intent] = [await send(request, 1), await anIntent(request)];
  await open(page, `q=${mark}`);
  await rows(page, mark).getByRole('link').click();
  const [choice, set] = [page.getByTestId('correct-intent'), page.getByTestId('correct')];
  let said = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/ui/emails/correct-many')) said += 1;
  });
  // While it is decided anew it has no intent.
  const address = /\/ui\/emails\/get$/;
  let isBeingDecided = true;
  await page.route(address, async (route) => {
    if (!isBeingDecided) return route.continue();
    const found = await (await route.fetch()).json();
    await route.fulfill({ json: { ...found, status: 'queued', intent: null, decision: null } });
  });
  await choice.selectOption(intent);
  const value = await choice.inputValue();
  await expect(set).toHaveAttribute('aria-disabled', 'false');
  await set.click();
  await expect(page.getByTestId('message')).toHaveAttribute('data-status', 'queued');
  await expect(choice).toHaveValue(value);
  await expect(set).toHaveAttribute('aria-disabled', 'true');
  isBeingDecided = false;
  await asksAfterMessage(page, request, address);
  await expect(page.getByTestId('classification')).toContainText(`${intent}: a person chose it.`);
  await expect(choice).toHaveValue(value);
  await expect(set).toHaveAttribute('aria-disabled', 'true');
  await set.dispatchEvent('click');
  await choice.selectOption('');
  await expect(set, 'another changes something').toHaveAttribute('aria-disabled', 'false');
  expect(said).toBe(1);
});

test('the intent of a row is chosen by keys, and Escape in the choice lets go of no row', async ({ page, request }) => {
  const [mark, intent] = [await send(request, 2), await anIntent(request)];
  await open(page, `q=${mark}`);
  const links = page.getByTestId('message-row').getByRole('link');
  const bar = page.getByTestId('bulk');
  const choice = page.getByTestId('bulk-intent');
  await page.keyboard.press('j');
  await page.keyboard.press('i');
  await expect(choice).toBeFocused();
  await expect(bar).toContainText('1 chosen');
  await page.keyboard.press('Escape');
  await expect(links.first(), 'where the keys are the list’s').toBeFocused();
  await expect(bar, 'it was chosen for that alone').toHaveCount(0);
  await page.keyboard.press('n');
  await expect(choice, 'it has none: which it has is all that there is to say').toBeFocused();
  await choice.selectOption(intent);
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('toast')).toContainText(`1 message moved to ${intent}.`);
  await expect(bar).toBeHidden();
  await expect(links.nth(1), 'reading goes on at the next').toBeFocused();
  await expect(rows(page, intent)).toHaveCount(1);
  await page.keyboard.press('z');
  await isTakenBack(page);
  await expect(rows(page, intent)).toHaveCount(0);
});

test('a key after i and Escape is of the row that one is at', async ({ page, request }) => {
  const mark = await send(request, 3);
  await open(page, `q=${mark}`);
  const links = page.getByTestId('message-row').getByRole('link');
  const [bar, choice] = [page.getByTestId('bulk'), page.getByTestId('bulk-intent')];
  await page.keyboard.press('j');
  await page.keyboard.press('i');
  await expect(choice).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(links.first()).toBeFocused();
  await expect(page.getByTestId('bulk-said')).toHaveText('Nothing chosen.');
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  await expect(page.getByTestId('toast')).toContainText(`1 message accepted. “${mark} 2”`);
  await expect(rows(page, 'Accepted')).toHaveCount(1);
  await expect(rows(page, 'Accepted')).toContainText(`${mark} 2`);

  await expect(links.nth(2)).toBeFocused();
  await page.keyboard.press('x');
  await expect(bar).toContainText('1 chosen');
  await page.keyboard.press('i');
  await expect(choice).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(links.nth(2)).toBeFocused();
  await expect(bar, 'what was chosen before stays').toContainText('1 chosen');
});

test('which page one has come to is said, once it is there', async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}&decision=review`);
  const arrival = page.getByTestId('arrival');
  await expect(arrival, 'the first is read as every page is').toHaveText('');
  const heard = await hear(page, 'arrival');
  const said = [2, 1].map((number) => `${mark} ${number}, ann@customer.example, Review`);
  await page.getByRole('link', { name: `${mark} 2` }).click();
  await expect(arrival).toHaveText(said[0]);
  await knowsWays(page);
  await page.keyboard.press('j');
  await expect(arrival).toHaveText(said[1]);
  await page.keyboard.press('u');
  await expect(arrival).toHaveText('Messages');
  await page.keyboard.press('g');
  await page.keyboard.press('i');
  await expect(arrival).toHaveText('Intents');
  expect(await heard(), 'and once each').toEqual([...said, 'Messages', 'Intents']);
});

test('that a message is run again is said once, and then what it came to', async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await rows(page, mark).getByRole('link').click();
  await expect(page.getByTestId('message')).toBeVisible();
  const heard = await hear(page, 'told');
  await page.keyboard.press('r');
  await expect(page.getByTestId('told')).toHaveText(/^(For review|Review): /);
  const [deciding, ...outcome] = await heard();
  expect(deciding).toBe('Being decided. The outcome will show here.');
  expect(outcome).toEqual([(await page.getByTestId('told').textContent())!.trim()]);
});

const top = async (of: Locator) => (await of.boundingBox())!.y;

test('what a message says stands before what its rules said', async ({ page, request, isMobile }) => {
  await page.goto(`/t/acme_corp/messages/${await messageId(request, STAR)}`);
  await hydrated(page);
  const heading = page.getByRole('heading', { name: 'Message', exact: true });
  const text = page.getByTestId('body');
  expect(await top(heading), 'it begins on the first screen').toBeLessThan(page.viewportSize()!.height);
  expect(await top(page.getByTestId('outcome')), 'the decision comes first').toBeLessThan(await top(heading));
  expect(await top(text)).toBeLessThan(await top(page.getByTestId('extracted')));
  expect(await top(page.getByTestId('extracted'))).toBeLessThan(await top(page.getByTestId('verdicts')));
  if (isMobile) expect(await top(text)).toBeLessThan(await top(page.getByTestId('classification')));
});

test('of a message that waits no more is said than that it does', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  const [{ email_id }] = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}`)).json();
  const found = await (await request.get(`/api/emails/${email_id}?tenant_id=${TENANT}`)).json();
  const waiting = { ...found, status: 'queued', decision: null, explanation: 'Order service could not be asked.', verdicts: [] };
  await page.route('**/ui/emails/get', (route) => route.fulfill({ json: waiting }));
  await rows(page, mark).getByRole('link').click();
  await expect(page.getByTestId('explanation')).toHaveText('Order service could not be asked.');
  const said = page.getByRole('region', { name: 'Rules', exact: true }).getByRole('paragraph');
  await expect(said).toHaveText(['It still waits', 'It is tried again by itself.']);
});

/** In lines of its own. */
const height = (of: Locator) =>
  of.evaluate((element) => element.getBoundingClientRect().height / parseFloat(getComputedStyle(element).lineHeight));

test('a long subject is cut in the list and in the heading, and can be read whole', async ({ page, request, isMobile }) => {
  const long = Array(60).fill('a stranger writes at length').join('\r\n ');
  const mark = await send(
    request,
    1,
    (subject) => `From: ann@customer.example\r\nTo: service@globex.example\r\nSubject: ${subject} ${long}\r\n\r\nHello.\r\n`,
  );
  await open(page, `q=${mark}`);
  const link = rows(page, mark).getByRole('link');
  expect(Math.round(await height(link))).toBe(isMobile ? 2 : 1);
  await expect(link, 'the pointer finds it whole').toHaveAttribute('title', /at length$/m);
  await expect(link, 'it is not read twice').toHaveAttribute('aria-description', 'Review, from ann@customer.example');
  await link.click();
  const heading = page.getByRole('heading', { level: 1 });
  await expect(heading).toContainText(mark);
  expect(Math.round(await height(heading))).toBe(3);
  await page.getByTestId('whole-subject').locator('summary').press('Enter');
  await expect.poll(() => height(heading), 'without a mouse').toBeGreaterThan(6);
});

test('a row says who wrote by their name and what, and uses its line for that', async ({ page, request, isMobile }) => {
  const mark = await send(
    request,
    1,
    (subject) => `From: Ann Example <ann@customer.example>\r\nTo: service@globex.example\r\nSubject: ${subject}\r\n\r\nHello.\r\n`,
  );
  await open(page, `q=${mark}`);
  const row = rows(page, mark);
  const name = row.getByText('Ann Example', { exact: true });
  const address = row.getByText('ann@customer.example', { exact: true });
  await expect(address).toBeVisible();
  const below = (await top(address)) - (await top(name));
  if (isMobile) expect(Math.abs(below), 'in one line of its card').toBeLessThan(4);
  else expect(below).toBeGreaterThan(4);
  await expect(row.locator('.hint.clamped'), 'that it has no intent, the row says already').toHaveText('Hello.');
  if (isMobile) return;
  const used = await row.locator('.hint.clamped').evaluate((line) => {
    line.textContent = `Rejected: ${'x'.repeat(300)}`;
    const range = document.createRange();
    range.selectNodeContents(line);
    return range.getClientRects()[0].width / line.getBoundingClientRect().width;
  });
  expect(used, 'by a long word, too').toBeGreaterThan(0.9);
});

test('who wrote, and when, stands below the subject where the envelope is far below', async ({ page, request, isMobile }) => {
  const mark = await send(
    request,
    1,
    (subject) => `From: Ann Example <ann@customer.example>\r\nTo: service@globex.example\r\nSubject: ${subject}\r\n\r\nHello.\r\n`,
  );
  await open(page, `q=${mark}`);
  await rows(page, mark).getByRole('link').click();
  const line = page.getByTestId('from-line');
  await expect(line).toContainText(/^From Ann Example · \d{4}-\d\d-\d\d/);
  await expect(line).toBeVisible({ visible: isMobile });
  if (isMobile) expect(await top(line)).toBeLessThan(await top(page.getByTestId('outcome')));
});

/** Letters that turn text around, as their bytes are written in a message. */
const TURNED = '\u202e';

test('a stranger’s letters run as they do, and turn nothing of ours around', async ({ page, request }) => {
  const mark = await send(
    request,
    1,
    (subject) =>
      `From: "Bank ${TURNED}" <ann@customer.example>\r\nTo: service@globex.example\r\nSubject: فاتورة ${TURNED}${subject}\r\n` +
      'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n' +
      '--m\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nفاتورة 1042\r\n' +
      "--m\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename*=UTF-8''bill%E2%80%AEfdp.exe\r\n\r\nx\r\n--m--\r\n",
  );
  await open(page, `q=${mark}`);
  const row = rows(page, mark);
  const runs = (of: Locator) => of.evaluate((element) => getComputedStyle(element).direction);
  await expect(row.getByText('Bank', { exact: true })).toBeVisible();
  expect(await row.evaluate((element) => element.outerHTML)).not.toContain(TURNED);
  expect(await runs(row.getByRole('link'))).toBe('rtl');
  expect(await runs(row.getByText('ann@customer.example', { exact: true }))).toBe('ltr');

  await row.getByRole('link').click();
  const heading = page.getByRole('heading', { level: 1 });
  await expect(heading).toContainText(mark);
  expect(await heading.textContent()).not.toContain(TURNED);
  expect(await page.title()).not.toContain(TURNED);
  for (const text of [heading, page.getByTestId('body')]) expect(await runs(text)).toBe('rtl');
  const envelope = page.getByRole('region', { name: 'Envelope', exact: true });
  await expect(envelope).toContainText('Bank ann@customer.example');
  const file = page.getByTestId('attachment');
  await expect(file).toContainText('billfdp.exe');
  const download = page.waitForEvent('download');
  await file.click();
  expect((await download).suggestedFilename()).toBe('billfdp.exe');
});

test('what narrows the list stays under the finger, though a view can be saved now', async ({ page }) => {
  await open(page, '');
  await unfold(page);
  const decision = page.getByLabel('Decision');
  const before = await top(decision);
  await decision.selectOption('review');
  await expect(page.getByText('Save this view')).toBeVisible();
  expect(await top(decision)).toBe(before);
});

test('a key says what a button would: with the note, once, and the note is gone then', async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await page.getByTestId('message-row').getByRole('link').click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(mark);
  const { asked, answer } = await hold(page, '**/ui/emails/decide-many');
  const note = page.getByLabel('Note to the decision');
  await note.fill('as agreed by phone');
  await note.press('Escape');
  await expect(note).not.toBeFocused();
  await knowsWays(page);
  await page.keyboard.press('e');
  await expect(page.getByTestId('news')).toHaveText('Saving the decision.');
  await expect(note).toHaveValue('as agreed by phone');
  await page.keyboard.press('e');
  answer();
  await expect(page.getByTestId('toast')).toContainText('1 message accepted.');
  await expect(page.getByRole('heading', { level: 1 }), 'it was the last of its list').toHaveText('Messages');
  await rows(page, mark).getByRole('link').click();
  await expect(page.getByTestId('outcome')).toContainText('as agreed by phone');
  await expect(note, 'it is not the next decision’s').toHaveValue('');
  await expect(page.getByTestId('news')).toHaveText('');
  expect(asked()).toBe(1);
});

test('a note stays with its message until it goes with a decision, and comes back with it', async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  const read = () => rows(page, mark).getByRole('link').click();
  const note = page.getByLabel('Note to the decision');
  await read();
  await note.fill('as agreed by phone');
  await page.getByTestId('view-source').click();
  await expect(page.getByTestId('source')).toBeVisible();
  await expect(note, 'in another view').toHaveValue('as agreed by phone');
  await page.locator('#main').focus();
  await page.keyboard.press('u');
  await read();
  await expect(note, 'after the list was looked at').toHaveValue('as agreed by phone');

  await page.getByTestId('decide-accepted').click();
  await expect(page.getByTestId('outcome')).toContainText('Accepted');
  await expect(note).toHaveValue('');
  await page.getByTestId('undo').click();
  await expect(page.getByTestId('outcome')).toContainText('Review');
  await expect(note, 'with the decision that is taken back').toHaveValue('as agreed by phone');

  await test.step('though it is taken back from the list', async () => {
    await page.getByTestId('decide-rejected').click();
    await expect(note).toHaveValue('');
    await page.locator('#main').focus();
    await page.keyboard.press('u');
    await page.getByTestId('undo').first().click();
    await expect(rows(page, 'Review')).toHaveCount(1);
    await read();
    await expect(note).toHaveValue('as agreed by phone');
  });
});

test('what was said of a message is taken back on another page', async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('message')).toBeVisible();
  await knowsWays(page);
  await page.keyboard.press('#');
  await expect(page.getByTestId('toast')).toContainText('1 message rejected.');
  await expect(page.getByRole('heading', { level: 1, name: 'Messages' }), 'it was the last of its list').toBeVisible();
  await page.getByTestId('undo').click();
  await expect(page.getByTestId('toast').filter({ hasText: 'Taken back' })).toBeVisible();
  await open(page, `q=${mark}`);
  await expect(rows(page, 'Review')).toHaveCount(1);
});

test('what a button said of a message is taken back, though the message was left before its answer', async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await rows(page, mark).getByRole('link').click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(mark);
  const { answer } = await hold(page, '**/ui/emails/decide-many');
  await page.getByLabel('Note to the decision').fill('as agreed');
  await page.getByTestId('decide-rejected').dblclick();
  await expect(page.getByTestId('news')).toHaveText('Saving the decision.');
  await page.getByRole('navigation', { name: 'Other messages' }).getByRole('link', { name: 'Messages' }).click();
  await expect(rows(page, mark)).toHaveCount(1);
  await page.keyboard.press('j');
  await expect(rows(page, mark).getByRole('link'), 'the keys are the list’s').toBeFocused();
  answer();
  await expect(page.getByTestId('toast')).toContainText('1 message rejected.');
  await expect(rows(page, mark)).toContainText('Rejected');
  await page.getByTestId('toast').getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByTestId('toast').last()).toContainText('Taken back');
  await expect(rows(page, mark)).not.toContainText('Rejected');
});

test('a second word is said, though its message was left before the first was answered', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}`);
  const title = page.getByRole('heading', { level: 1 });
  await page.getByRole('link', { name: `${mark} 2` }).click();
  await expect(title).toHaveText(`${mark} 2`);
  await expect(page.getByTestId('beside-j')).toHaveAttribute('href', /messages/);
  const { asked, answer } = await hold(page, '**/ui/emails/decide-many');
  await page.keyboard.press('e');
  await expect(page.getByTestId('news')).toHaveText('Saving the decision.');
  await page.keyboard.press('#');
  await page.keyboard.press('j');
  await expect(title).toHaveText(`${mark} 1`);
  answer();
  await expect(page.getByTestId('toast').filter({ hasText: '1 message accepted.' })).toBeVisible();
  await expect(page.getByTestId('toast').filter({ hasText: '1 message rejected.' })).toBeVisible();
  await expect(title, 'where one has gone by oneself, one stays').toHaveText(`${mark} 1`);
  await expect.poll(asked).toBe(2);
  const found = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}&decision=rejected`)).json();
  expect(found.map((email: { subject: string }) => email.subject)).toEqual([`${mark} 2`]);
});

test('z takes back what waits for its turn, and leaves what is being said', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await rows(page, mark).getByRole('link').click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(mark);
  const { asked, answer } = await hold(page, '**/ui/emails/decide-many');
  await page.keyboard.press('e');
  await expect(page.getByTestId('news')).toHaveText('Saving the decision.');
  await page.keyboard.press('#');
  await page.keyboard.press('z');
  answer();
  await expect(page.getByTestId('toast')).toHaveText(/1 message accepted\./);
  await expect(page.getByTestId('outcome')).toContainText('Accepted');
  await expect(page.getByTestId('news')).toHaveText('');
  expect(asked(), 'what was unwanted before its turn is not said').toBe(1);
});

test('who comes back to a message speaks after what they said of it before', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}`);
  const title = page.getByRole('heading', { level: 1 });
  const news = page.getByTestId('news');
  await page.getByRole('link', { name: `${mark} 2` }).click();
  await expect(title).toHaveText(`${mark} 2`);
  await expect(page.getByTestId('beside-j')).toHaveAttribute('href', /messages/);
  const { asked, answer } = await hold(page, '**/ui/emails/decide-many');
  await page.keyboard.press('e');
  await expect(news).toHaveText('Saving the decision.');
  await page.keyboard.press('#');
  await page.keyboard.press('j');
  await expect(title).toHaveText(`${mark} 1`);
  await expect(news, 'nothing is said of this one').toHaveText('');
  await expect(page.getByTestId('beside-k')).toHaveAttribute('href', /messages/);
  await page.keyboard.press('k');
  await expect(title).toHaveText(`${mark} 2`);
  await expect(news, 'it is still on its way').toHaveText('Saving the decision.');
  await page.keyboard.press('e');
  answer();
  await expect(page.getByTestId('toast')).toHaveText(/1 message accepted\./);
  await expect(news).toHaveText('');
  await expect(page.getByTestId('outcome')).toContainText('Accepted');
  expect(asked()).toBe(1);
});

test('what was asked for before is not put over what is shown', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  await openLive(page, `/messages?q=${mark}`);
  await page.getByTestId('message-row').getByRole('link').click();
  await expect(page.getByTestId('message')).toHaveAttribute('data-status', 'done');
  let isAsked = false;
  let release = () => {};
  const isReleased = new Promise<void>((resolve) => (release = resolve));
  const answerLate = async (route: Route) => {
    const response = await route.fetch();
    isAsked = true;
    await isReleased;
    await route.fulfill({ response });
  };
  await page.route('**/ui/emails/get', answerLate, { times: 1 });
  await expect(async () => {
    await send(request, 1);
    await expect.poll(() => isAsked, { timeout: 3_000 }).toBe(true);
  }).toPass();

  const [here] = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}`)).json();
  const said = await request.post(`/api/emails/${here.email_id}/decision?tenant_id=${TENANT}`, { data: { decision: 'accepted' } });
  expect(said.status()).toBe(200);
  const outcome = page.getByTestId('outcome');
  await expect(outcome).toContainText('Accepted');
  // The history is asked for after it; then it is taken over, or not.
  const isAnswered = page.waitForResponse(/\/ui\/emails\/history$/);
  release();
  await (await isAnswered).finished();
  await askOnceMore(page);
  expect(await outcome.innerText()).toContain('Accepted');
});

test('who reads a message keeps their place while others come', async ({ page, request }) => {
  const mark = await send(request, 1);
  await open(page, `q=${mark}`);
  await page.getByTestId('message-row').getByRole('link').click();
  await expect(page.getByTestId('message')).toHaveAttribute('data-status', 'done');
  await page.getByTestId('view-formatted').click();
  const content = page.getByTestId('no-html');
  await content.evaluate((element) => Object.assign(element, { isTheSame: true }));
  // Twice: what it made of the first answer is there when it asks again.
  for (let i = 0; i < 2; i += 1) {
    await expect(async () => {
      const asked = page.waitForResponse(/\/ui\/emails\/get$/, { timeout: 3_000 });
      await Promise.all([asked, send(request, 1)]);
    }).toPass();
  }
  expect(await content.evaluate((element) => 'isTheSame' in element), 'it was not built anew').toBe(true);
});

test('⌘K goes anywhere, ? tells the keys, and the theme is kept', async ({ page }) => {
  await open(page, '');
  await page.keyboard.press('Control+k');
  const input = page.getByTestId('palette-input');
  await expect(input).toBeFocused();
  const before = (await input.getAttribute('aria-activedescendant'))!;
  await input.fill('intents');
  await expect(page.getByTestId('palette-entry').first()).toHaveAttribute('aria-selected', 'true');
  await expect(input, 'another entry is another’s id').not.toHaveAttribute('aria-activedescendant', before);
  const active = await input.getAttribute('aria-activedescendant');
  await expect(page.locator(`[id="${active}"]`)).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByTestId('palette-said')).toHaveText(/^\d+ results$/);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1, name: 'Intents' })).toBeVisible();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeHidden();
  await page.keyboard.press('g');
  await page.keyboard.press('m');
  await expect(page.getByRole('heading', { level: 1, name: 'Messages' })).toBeVisible();
});

test('the theme is chosen, and the server writes the next page in it', async ({ page, isMobile }) => {
  await open(page, '');
  if (isMobile || (await page.getByTestId('menu').isVisible())) await page.getByTestId('menu').click();
  await page.locator('[data-theme-choice=dark]').click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  const answer = await page.request.get(`/t/${TENANT}/messages`);
  expect(await answer.text()).toContain('data-theme="dark"');
});

test('what a trial comes to is told in a line, and its steps are there to be read', { tag: '@desktop' }, async ({ page }) => {
  await page.goto(`/t/${TENANT}/try`);
  await hydrated(page);
  const told = page.getByTestId('trial-said');
  await expect(told).toHaveText('');
  await page.getByTestId('try').click();
  const steps = page.getByTestId('steps');
  await expect(steps).toBeVisible();
  await expect(told).toHaveText(/^It would (be accepted|be rejected|go to a person)\.$/);
  await expect(page.locator('[aria-live], [role=status]').filter({ has: steps })).toHaveCount(0);
});

test('the dashboard shows what happened, and follows it', async ({ page, request }) => {
  await page.goto(`/t/${TENANT}`);
  await hydrated(page);
  await expect(page.getByTestId('over-time').getByRole('img')).toHaveAccessibleName(/^Messages in the last 24 hours/);
  const received = page.getByTestId('count-received');
  const before = Number(/\d+/.exec(await received.innerText())?.[0]);
  await send(request, 1);
  await expect(received).toContainText(String(before + 1));
  await page.getByTestId('period-week').click();
  await expect(page.getByTestId('over-time').getByRole('img')).toHaveAccessibleName(/^Messages in the last 7 days/);
  for (const part of ['busiest', 'failing', 'health']) await expect(page.getByTestId(part)).toBeVisible();
});

test('a message keeps its intent as a choice, though that takes no more messages', { tag: '@desktop' }, async ({ page, request }) => {
  const tenant = 'made_inactive';
  const of = `tenant_id=${tenant}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Made inactive' } })).status()).toBe(201);
  try {
    const intent = { name: 'Orders', match: { any: [{ field: 'subject', op: 'contains', value: 'order' }] } };
    const made = await request.post(`/api/intents?${of}`, { data: intent });
    expect(made.status()).toBe(201);
    const { intent_id } = await made.json();
    const sent = await request.post(`/api/emails?${of}`, {
      headers: { 'content-type': 'message/rfc822' },
      data: 'From: ann@customer.example\r\nTo: m@acme.example\r\nSubject: My order\r\n\r\nHello.\r\n',
    });
    expect(sent.status()).toBe(202);
    const done = async () => (await request.get(`/api/emails?${of}&status=done`)).json();
    await expect.poll(async () => (await done()).length, { timeout: 30_000 }).toBe(1);
    const closed = await request.put(`/api/intents/${intent_id}?${of}`, {
      data: { ...intent, is_active: false },
      headers: { 'if-match': '*' },
    });
    expect(closed.status(), await closed.text()).toBe(200);
    await page.goto(`/t/${tenant}/messages/${(await done())[0].email_id}`);
    await hydrated(page);
    await expect(page.getByTestId('correct-intent')).toHaveValue(String(intent_id));
    await expect(page.getByTestId('correct-intent').locator('option:checked')).toHaveText('Orders (inactive)');
  } finally {
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('how much of another list fits is said, also where that is as much as before', { tag: '@desktop' }, async ({ page }) => {
  for (const one of ['datasource', 'intent', 'route']) {
    await test.step(one, async () => {
      await page.goto(`/t/acme_corp/${one}s?q=zeppelin`);
      await hydrated(page);
      const heard = await hear(page, 'list-said');
      const search = page.getByRole('searchbox', { name: 'Search' });
      const none = `No ${one} fits.`;
      for (const [words, said] of [['airship', [none]], ['balloon', [none, none]]] as const) {
        await search.fill(words);
        await search.press('Enter');
        await expect.poll(heard).toEqual(said);
      }
      await page.getByTestId('empty').getByRole('link').click();
      await expect(page.getByTestId(one).first()).toBeVisible();
      await expect(page.getByTestId('list-said')).toHaveText(`${await page.getByTestId(one).count()} found`);
    });
  }
});

test('a page that is headed as the one before is said, too', { tag: '@desktop' }, async ({ page, request }) => {
  const arrival = page.getByTestId('arrival');
  await test.step('the same page of another tenant', async () => {
    await page.goto('/t/acme_corp');
    await hydrated(page);
    await page.keyboard.press('ControlOrMeta+k');
    await page.getByTestId('palette-input').fill('Globex Inc.');
    await page.getByTestId('palette-entry').filter({ hasText: 'Switch tenant' }).click();
    await expect(page.getByTestId('tenant-name')).toHaveText('Globex Inc.');
    await expect(arrival).toHaveText('Dashboard');
  });
  await test.step('a message of the same subject', async () => {
    const head = 'From: ann@customer.example\r\nTo: service@globex.example';
    const mark = await send(request, 2, (subject) => `${head}\r\nSubject: ${subject.split(' ')[0]}\r\n\r\nHello, ${subject}.\r\n`);
    await open(page, `q=${mark}&decision=review`);
    const heard = await hear(page, 'arrival');
    const said = `${mark}, ann@customer.example, Review`;
    await rows(page, mark).first().getByRole('link').click();
    await expect(arrival).toHaveText(said);
    await knowsWays(page);
    await page.keyboard.press('j');
    await expect.poll(heard).toEqual([said, said]);
  });
});

test('that nothing is chosen is said to who unchose it, not beside what a word says', async ({ page, request }) => {
  const mark = await send(request, 2);
  await open(page, `q=${mark}`);
  const told = page.getByTestId('bulk-said');
  const heard = await hear(page, 'bulk-said');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await expect(told).toHaveText('1 chosen');
  await page.keyboard.press('e');
  await expect(page.getByTestId('toast')).toContainText('1 message accepted.');
  await expect(told).toHaveText('');
  await expect(page.getByTestId('message-row').getByRole('link').nth(1)).toBeFocused();
  await page.keyboard.press('x');
  await expect(told).toHaveText('1 chosen');
  await page.keyboard.press('x');
  await expect(told).toHaveText('Nothing chosen.');
  expect(await heard()).toEqual(['1 chosen', '1 chosen', 'Nothing chosen.']);
});

test.describe('a run that is refused', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('is not said to go on, though one before it was done', async ({ page, request }) => {
    const mark = await send(request, 1);
    await open(page, `q=${mark}`);
    await rows(page, mark).getByRole('link').click();
    await expect(page.getByTestId('message')).toBeVisible();
    const told = page.getByTestId('told');
    await page.keyboard.press('r');
    await expect(told).toHaveText(/^(For review|Review): /);
    const heard = await hear(page, 'told');
    await page.route('**/ui/emails/reprocess-many', (route) => route.fulfill({ status: 503 }));
    for (let times = 1; times <= 2; times += 1) {
      await page.keyboard.press('r');
      const deciding = Array.from({ length: times }, () => 'Being decided. The outcome will show here.');
      await expect.poll(heard, 'each is heard').toEqual(deciding);
      await expect(told).toHaveText('');
    }
  });
});

// What a page does by itself: it hears of changes, again after a server refused it or its stream ended, and says where
// nobody is there.
import type { APIRequestContext, Page, Request, Route } from '@playwright/test';

import { send } from './arrivals';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';

const TENANT = 'globex_inc';

async function open(page: Page): Promise<void> {
  const stream = page.waitForResponse(
    (answer) => answer.url().includes('/ui/changes') && answer.request().method() === 'GET' && answer.ok(),
  );
  await page.goto(`/t/${TENANT}/messages`);
  await hydrated(page);
  await stream;
}

/** What the page asks after a change. A server that has just begun to listen may not hear the first. */
async function asksAfterChange(page: Page, request: APIRequestContext): Promise<Request> {
  let asked: Request | undefined;
  await expect(async () => {
    const next = page.waitForRequest(/\/ui\/emails\/list/, { timeout: 3_000 });
    // The same message twice would be one.
    const mark = Math.random().toString(36).slice(2);
    const data = `From: ann@customer.example\r\nTo: service@globex.example\r\nSubject: live ${mark}\r\n\r\nHello.\r\n`;
    const headers = { 'content-type': 'message/rfc822' };
    const answer = await request.post(`/api/emails?tenant_id=${TENANT}`, { headers, data });
    expect(answer.status()).toBe(202);
    asked = await next;
  }).toPass();
  return asked!;
}

test('a page that nobody touches says so in what it asks by itself', { tag: '@desktop' }, async ({ page, request }) => {
  await open(page);
  const header = async () => (await asksAfterChange(page, request)).headers()['x-unattended'];
  await page.keyboard.press('Shift');
  expect(await header()).toBeUndefined();
  await page.evaluate(() => {
    const now = Date.now;
    Date.now = () => now() + 120_000;
  });
  expect(await header()).toBe('1');
  await page.keyboard.press('Shift');
  expect(await header()).toBeUndefined();
});

test('a page on which somebody works keeps its session, and one that was left does not', { tag: '@desktop' }, async ({ page }) => {
  // From the start: the page's own watch runs by it.
  await page.clock.install();
  await page.goto(`/t/${TENANT}/messages`);
  // Such a clock knows no marks: it answers once it answers to a key.
  const first = page.getByTestId('message-row').first().getByRole('link');
  await expect(async () => {
    await page.keyboard.press('k');
    await expect(first).toBeFocused({ timeout: 500 });
  }).toPass();
  let asked = 0;
  page.on('request', (request) => {
    if (request.url().includes('/ui/signed_in_as')) asked += 1;
  });
  for (let minute = 0; minute < 4; minute += 1) {
    await page.keyboard.press('Shift');
    await page.clock.runFor(60_000);
  }
  await expect.poll(() => asked).toBe(1);
  await page.clock.runFor(300_000);
  await expect.poll(() => asked, 'once more, for what was done last').toBe(2);
  await page.clock.runFor(1_800_000);
  expect(asked, 'nobody is there').toBe(2);
});

test('a page that did not hear for a while asks once it hears again', { tag: '@desktop' }, async ({ page }) => {
  let [asked, askedByFirst, streams] = [0, 0, 0];
  page.on('request', (request) => {
    if (request.url().includes('/ui/emails/list')) asked += 1;
  });
  // Each ends at once, as one does that has had its time. Nothing comes over it.
  await page.route('**/ui/changes?*', (route) => {
    streams += 1;
    if (streams === 2) askedByFirst = asked;
    const body = `retry: ${streams === 1 ? 1_000 : 600_000}\n\n`;
    return route.fulfill({ status: 200, contentType: 'text/event-stream', body });
  });
  await page.goto(`/t/${TENANT}/messages`);
  await hydrated(page);
  await expect.poll(() => streams).toBe(2);
  await expect.poll(() => asked).toBe(1);
  expect(askedByFirst, 'the page had just been made').toBe(0);
});

test('what changed before a page heard of changes is asked for once it hears', { tag: '@desktop' }, async ({ page, request }) => {
  const { asked, answer } = await hold(page, '**/ui/changes?*');
  await page.goto(`/t/${TENANT}/messages`);
  await hydrated(page);
  await expect.poll(asked).toBe(1);
  const mark = await send(request, 1);
  const listed = page.waitForResponse('**/ui/emails/list');
  answer();
  expect(await (await listed).text()).toContain(mark);
});

test.describe('a reader who may not look any more', () => {
  test.use({ expectedFaults: /40[14]/ });

  for (const [status, words, link] of [
    [401, 'You were signed out.', '/sign-in?next=%2Ft%2Fglobex_inc%2Fmessages%3Fq%3Dlate'],
    [404, 'You may not look at this tenant any more.', '/tenants'],
  ] as const) {
    test(`is told so (${status})`, { tag: '@desktop' }, async ({ page }) => {
      await page.route('**/ui/changes?*', (route) => route.fulfill({ status }));
      await page.goto(`/t/${TENANT}/messages?q=late`);
      await hydrated(page);
      const ended = page.getByTestId('ended');
      await expect(ended).toContainText(words);
      await expect(ended.getByRole('link')).toHaveAttribute('href', link);
    });
  }
});

test.describe('a busy server', () => {
  test.use({ expectedFaults: /503/ });

  test('is asked again by a page whose stream it refused', { tag: '@desktop' }, async ({ page, request }) => {
    const refused: string[] = [];
    const refuse = async (route: Route) => {
      refused.push(route.request().method());
      await route.fulfill({ status: 503 });
    };
    await page.route('**/ui/changes?*', refuse, { times: 2 });
    await open(page);
    expect(refused, 'the stream, and the question about it').toEqual(['GET', 'HEAD']);
    await asksAfterChange(page, request);
  });
});

test('what a page is told of a message stands there without being asked for again', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  const [{ email_id }] = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}`)).json();
  const stream = page.waitForResponse((answer) => answer.url().includes('/ui/changes') && answer.request().method() === 'GET' && answer.ok());
  await page.goto(`/t/${TENANT}/messages/${email_id}`);
  await hydrated(page);
  await stream;
  let isTold = false;
  await page.route('**/ui/emails/get', async (route) => {
    // Nothing more is answered.
    if (isTold) return;
    const response = await route.fetch();
    isTold = (await response.text()).includes('"accepted"');
    await route.fulfill({ response });
  });
  const data = { decision: 'accepted' };
  const decided = await request.post(`/api/emails/${email_id}/decision?tenant_id=${TENANT}`, { data });
  expect(decided.ok()).toBe(true);
  await expect(page.getByTestId('outcome')).toContainText('Accepted');
});

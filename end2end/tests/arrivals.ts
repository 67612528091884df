// Messages that come in while a page is looked at. In the second tenant, whose counts no other test goes by.
import type { APIRequestContext, Page } from '@playwright/test';

import { expect, hydrated } from './fixtures';

export const TENANT = 'globex_inc';

/** Hands messages in under a subject of their own, and waits until each is decided. Gives what their subjects begin with. */
export async function send(request: APIRequestContext, count: number, raw?: (subject: string) => string): Promise<string> {
  const mark = `a${Math.random().toString(36).slice(2, 10)}`;
  for (let i = 1; i <= count; i += 1) {
    const subject = `${mark} ${i}`;
    const data = raw?.(subject) ?? `From: ann@customer.example\r\nTo: service@globex.example\r\nSubject: ${subject}\r\n\r\nHello.\r\n`;
    const answer = await request.post(`/api/emails?tenant_id=${TENANT}`, { headers: { 'content-type': 'message/rfc822' }, data });
    expect(answer.status()).toBe(202);
  }
  const done = async () => {
    const found = await (await request.get(`/api/emails?tenant_id=${TENANT}&q=${mark}&status=done`)).json();
    return found.length;
  };
  await expect.poll(done, { timeout: 30_000 }).toBe(count);
  return mark;
}

/** Opens a page of the tenant, and waits until it hears of changes. */
export async function openLive(page: Page, path: string): Promise<void> {
  const stream = page.waitForResponse(
    (answer) => answer.url().includes('/ui/changes') && answer.request().method() === 'GET' && answer.ok(),
  );
  await page.goto(`/t/${TENANT}${path}`);
  await hydrated(page);
  await stream;
}

/** Hands messages in until the page has asked at this address for what changed, and was answered so. A server that has just begun
 * to listen may not hear the first. */
export async function asksAfterMessage(page: Page, request: APIRequestContext, address: RegExp, status = 200): Promise<void> {
  await expect(async () => {
    const isIt = (url: string, of: number) => address.test(url) && of === status;
    const answered = page.waitForResponse((answer) => isIt(answer.url(), answer.status()), { timeout: 5_000 });
    await Promise.all([answered, send(request, 1)]);
  }).toPass();
}

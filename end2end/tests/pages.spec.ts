// What must hold of every page: it is accessible in light and dark, it fits, and it is kept as a picture.
import type { APIRequestContext } from '@playwright/test';

import { isAccessible } from './accessible';
import { TENANT, send } from './arrivals';
import { STAR, invite, messageId, named, only } from './demo';
import { expect, hydrated, test } from './fixtures';

const PAGES: Record<string, (request: APIRequestContext) => string | Promise<string>> = {
  'sign-in': () => '/sign-in?error=used',
  forgot: () => '/forgot?done=mailed',
  reset: () => '/reset/abc?error=weak',
  account: () => '/account',
  invitation: async (request) => (await invite(request, 'pages@acme.example')).pathname,
  'tenant-selector': () => '/',
  tenants: () => '/tenants',
  dashboard: () => '/t/acme_corp',
  messages: () => '/t/acme_corp/messages?decision=rejected',
  'messages-none': () => '/t/acme_corp/messages?q=zeppelin',
  message: async (request) => `/t/acme_corp/messages/${await messageId(request, STAR)}`,
  'message-asked-of-http': async (request) => `/t/acme_corp/messages/${await messageId(request, 'refund')}`,
  'message-without-intent': async (request) => `/t/globex_inc/messages/${await messageId(request, 'Automatic reply', 'globex_inc')}`,
  intents: () => '/t/acme_corp/intents',
  intent: async (request) => `/t/acme_corp/intents/${await only(request, 'intents', 'q=Supplier+invoice', 'intent_id')}`,
  'intent-new': () => '/t/acme_corp/intents/new',
  'intent-edit': async (request) => `/t/acme_corp/intents/${await only(request, 'intents', 'q=Order+enquiry', 'intent_id')}/edit`,
  'intent-version': async (request) =>
    `/t/acme_corp/intents/${await only(request, 'intents', 'q=Order+enquiry', 'intent_id')}/versions/1`,
  examples: async (request) => `/t/acme_corp/intents/${await only(request, 'intents', 'q=Order+enquiry', 'intent_id')}/examples`,
  rules: () => '/t/acme_corp/rules',
  routes: () => '/t/acme_corp/routes',
  'route-new': () => '/t/acme_corp/routes/new',
  'route-edit': async (request) => `/t/acme_corp/routes/${await named(request, 'routes', 'Hold doubtful invoices', 'route_id')}`,
  datasources: () => '/t/acme_corp/datasources',
  datasource: async (request) => `/t/acme_corp/datasources/${await named(request, 'datasources', 'Shop database', 'datasource_id')}`,
  'datasource-new': () => '/t/acme_corp/datasources/new',
  configs: () => '/t/acme_corp/configs',
  config: async (request) => `/t/acme_corp/configs/${await named(request, 'datasource-configs', 'order_api', 'config_id')}`,
  'config-edit': async (request) => `/t/acme_corp/configs/${await named(request, 'datasource-configs', 'order_api', 'config_id')}/edit`,
  files: () => '/t/acme_corp/files',
  file: () => '/t/acme_corp/files/look?path=shop.sqlite',
  mailboxes: () => '/t/acme_corp/mailboxes',
  'mailbox-new': () => '/t/acme_corp/mailboxes/new',
  'mailbox-edit': async (request) => `/t/acme_corp/mailboxes/${await named(request, 'mailboxes', 'Customer Service', 'mailbox_id')}`,
  members: () => '/t/acme_corp/members',
  keys: () => '/t/acme_corp/keys',
  audit: () => '/t/acme_corp/audit',
  settings: () => '/t/acme_corp/settings',
  try: async (request) => `/t/acme_corp/try?intent=${await only(request, 'intents', 'q=Order+enquiry', 'intent_id')}`,
  'not-found': () => '/t/acme_corp/messages/nonsense',
  'no-such-page': () => '/no/such/page',
};

test.use({ expectedFaults: /status of 404/ });

for (const [name, address] of Object.entries(PAGES)) {
  test(`${name} is accessible and fits`, async ({ page, request }, { project }) => {
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    await page.goto(await address(request));
    await hydrated(page);
    await expect(page.getByTestId('loading')).toHaveCount(0);
    await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
    await expect(page).toHaveTitle(/.+ · FlowEngine$/);
    await isAccessible(page, project.name, name);
  });
}

for (const name of ['messages', 'message', 'intent-edit', 'keys', 'audit']) {
  test(`${name} fits where letters are twice as large`, { tag: '@phone' }, async ({ page, request }) => {
    await page.goto(await PAGES[name](request));
    await hydrated(page);
    await expect(page.getByTestId('loading')).toHaveCount(0);
    await page.evaluate(() => (document.documentElement.style.fontSize = '200%'));
    const { width } = page.viewportSize()!;
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    const field = page.locator('main :is(input[type=text], input[type=search], select, textarea)').first();
    await expect(field).toHaveCSS('font-size', '32px');
    if (name !== 'messages') return;
    // Nothing stands over another: a mark and a time in one line.
    const overlaps = await page.getByTestId('message-row').evaluateAll((rows) =>
      rows.filter((row) => {
        const [mark, time] = [row.querySelector('.badge')!, row.querySelector('time')!].map((part) => part.getBoundingClientRect());
        return mark.right > time.left && mark.bottom > time.top && mark.top < time.bottom;
      }).length,
    );
    expect(overlaps).toBe(0);
  });
}

test('nothing is made of what only computers read', { tag: '@phone' }, async ({ page }) => {
  await page.goto('/t/acme_corp/mailboxes/new');
  await hydrated(page);
  await page.getByTestId('mailbox-kind').selectOption('imap');
  for (const field of ['imap-host', 'imap-username', 'imap-folder', 'imap-port']) {
    for (const [attribute, value] of [['autocapitalize', 'none'], ['autocorrect', 'off'], ['spellcheck', 'false']]) {
      await expect(page.getByTestId(field)).toHaveAttribute(attribute, value);
    }
  }
  await expect(page.getByTestId('imap-port')).toHaveAttribute('inputmode', 'numeric');
  await expect(page.getByTestId('mailbox-name'), 'a name for people').not.toHaveAttribute('autocapitalize', 'none');
});

test.describe('a message as its sender laid it out', { tag: '@desktop' }, () => {
  // Not even what the test itself would run in it.
  test.use({ expectedFaults: /Blocked script execution/ });

  test('runs the way that it says, whatever letters come first', async ({ page, request }) => {
    for (const [around, way] of [
      ['<html dir="rtl"><body>', 'rtl'],
      ['<html><body dir="RTL">', 'rtl'],
      ['<html><body>', 'ltr'],
    ]) {
      const mark = await send(
        request,
        1,
        (subject) =>
          `From: ann@customer.example\r\nTo: service@globex.example\r\nSubject: ${subject}\r\n` +
          `Content-Type: text/html; charset=utf-8\r\n\r\n${around}<p>Acme: فاتورة 1042</p></body></html>\r\n`,
      );
      await page.goto(`/t/${TENANT}/messages/${await messageId(request, mark, TENANT)}?view=html`);
      await expect(page.frameLocator('[data-testid=html]').locator('body'), around).toHaveCSS('direction', way);
    }
  });
});

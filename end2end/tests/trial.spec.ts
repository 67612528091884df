// A draft is tried on a message: each step is shown, and a change of the draft changes it.
import { STAR, invite, messageId, only } from './demo';
import { expect, hydrated, test } from './fixtures';

test('a draft is tried on a pasted message and on a stored one', async ({ page, request }, { project }) => {
  const intent = await only(request, 'intents', 'q=Order+enquiry', 'intent_id');
  await page.goto(`/t/acme_corp/intents/${intent}`);
  await hydrated(page);
  await page.getByTestId('try-changes').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Try it');

  const draft = page.getByTestId('draft');
  const steps = page.getByTestId('steps');
  await test.step('as it is saved', async () => {
    await expect(draft).toHaveValue(/"name": "Order enquiry"/);
    await page.getByTestId('try').click();
    await expect(steps.getByTestId('extraction').filter({ hasText: 'order_number' })).toContainText('1042');
    await expect(steps.getByTestId('verdict').first()).toBeVisible();
    await expect(steps.getByTestId('explanation')).toContainText('ann@customer.example');
    await page.screenshot({ path: `test-results/screens/${project.name}-try-steps.png`, fullPage: true });
  });

  await test.step('with another pattern', async () => {
    const saved = JSON.parse(await draft.inputValue());
    saved.intent.extractors[0].pattern = 'parcel (\\d+)';
    await draft.fill(JSON.stringify(saved));
    await page.getByTestId('try').click();
    await expect(steps.getByTestId('extraction').first()).toContainText('the pattern is not found');
  });

  await test.step('with a fault', async () => {
    await draft.fill('{"intent": {"name": ""}}');
    await page.getByTestId('try').click();
    await expect(page.getByTestId('action-problem')).toContainText('intent.name');
  });

  await test.step('on a stored message', async () => {
    await page.goto(`/t/acme_corp/messages/${await messageId(request, STAR)}`);
    await hydrated(page);
    await page.getByTestId('try-changes').click();
    await expect(page.getByTestId('trial')).toContainText(STAR);
    await page.getByTestId('try').click();
    await expect(steps.getByTestId('outcome')).toContainText('Rejected');
  });
});

test('another intent’s outcome is not shown as the draft’s', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/try');
  await hydrated(page);
  const words = page.getByTestId('not-the-drafts');
  const told = page.getByTestId('trial-said');
  const tryIt = async (value: string) => {
    const intent = { name: 'Parcels of zeppelins', match: { any: [{ field: 'subject', op: 'contains', value }] }, priority: 1 };
    await page.getByTestId('draft').fill(JSON.stringify({ intent }));
    await page.getByTestId('try').click();
  };
  await page.getByText('Draft of an intent and its rules').click();
  await tryIt('zeppelin');
  await expect(words).toHaveText(/^This message does not get Parcels of zeppelins.*\. It gets Order enquiry, which comes to:$/);
  await expect(told).toHaveText(/which comes to: It would /);
  await tryIt('order');
  await expect(told, 'its own').toHaveText(/^It would /);
  await expect(words).toHaveCount(0);
});

test('what is tried again does not wait for what was tried before', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/try');
  await hydrated(page);
  // The first is never answered.
  await page.route('**/ui/emails/try', () => {}, { times: 1 });
  const isAsked = page.waitForRequest('**/ui/emails/try');
  await page.getByTestId('try').click();
  await isAsked;
  const raw = page.getByTestId('raw');
  await raw.fill((await raw.inputValue()).replace('1042', '1043'));
  await page.getByTestId('try').click();
  await expect(page.getByTestId('steps').getByTestId('outcome')).toBeVisible();
  await expect(page.getByTestId('try')).toHaveAttribute('aria-busy', 'false');
});

test('an operator tries a message, and is offered no draft, which the server would refuse', { tag: '@desktop' }, async ({ browser, request }) => {
  const link = await invite(request, 'otto@acme.example');
  const context = await browser.newContext({ storageState: { cookies: [], origins: [] } });
  const page = await context.newPage();
  await page.goto(link.href);
  await page.getByLabel('Your name, for a new account').fill('Otto');
  await page.getByLabel('Password', { exact: true }).fill('mellow otter paints fences');
  await page.getByRole('button', { name: 'Accept' }).click();
  await expect(page.getByTestId('tenants')).toContainText('Acme Corporation');
  await page.goto(`/t/acme_corp/messages/${await messageId(request, STAR)}`);
  await page.getByTestId('try-changes').click();
  await expect(page.getByTestId('trial')).toContainText(STAR);
  await expect(page.getByTestId('draft')).toHaveCount(0);
  await hydrated(page);
  await page.getByTestId('try').click();
  await expect(page.getByTestId('steps').getByTestId('outcome')).toContainText('Rejected');
  await context.close();
});

test.use({ expectedFaults: /status of 422/ });

// What is wrong is told where it is seen, and what is told of it leads there.
import type { APIRequestContext, Locator, Page } from '@playwright/test';

import { named } from './demo';
import { expect, hydrated, test } from './fixtures';

// What the server refuses, browsers note.
test.use({ expectedFaults: /status of (409|422)/ });

/** The editor of an intent that is made for it, with the look-up of its one rule unfolded. */
async function ruleOf(page: Page, request: APIRequestContext, name: string): Promise<{ rule: Locator; intent_id: number }> {
  const datasource_id = Number(await named(request, 'datasources', 'Shop database', 'datasource_id'));
  const made = await request.post('/api/intents/with-rules?tenant_id=acme_corp', {
    data: {
      intent: { name: `${name} ${Date.now()}`, priority: 900, match: { any: [{ field: 'subject', op: 'contains', value: name }] } },
      validation_rules: [
        {
          field_name: 'sender_email',
          rule_type: 'exists',
          datasource_id,
          conditions: { query: 'SELECT * FROM customers WHERE email = ?', params: ['{{sender_email}}'] },
        },
      ],
    },
  });
  expect(made.status(), await made.text()).toBe(201);
  const { intent_id } = (await made.json()).intent;
  await page.goto(`/t/acme_corp/intents/${intent_id}/edit`);
  await hydrated(page);
  const rule = page.getByTestId('edit-rule');
  await rule.getByTestId('rule-toggle').click();
  return { rule, intent_id };
}

test('a field that no message has is told at its rule', { tag: '@desktop' }, async ({ page, request }) => {
  const { rule, intent_id } = await ruleOf(page, request, 'Misspelt');
  await rule.getByLabel('Value 1', { exact: true }).fill('{{sender_emial}}');
  await page.getByTestId('try-draft').click();
  await expect(page.getByTestId('not-tried')).toContainText('It is marked at its field.');
  const told = rule.getByText("'{{sender_emial}}' is neither a field of a message").locator('visible=true');
  await expect(told, 'though its part of the form is closed').toHaveCount(1);

  await page.getByTestId('save').click();
  const faults = page.getByTestId('faults');
  await expect(faults).toBeFocused();
  const name = 'Members that have no field here';
  await faults.getByRole('button', { name }).click();
  await expect(rule.getByLabel(name), 'what is told leads into what is closed').toBeFocused();

  await rule.getByLabel('Value 1', { exact: true }).fill('{{sender_email}}');
  await rule.getByLabel(name).fill('{"nonsense": 1}');
  await page.getByTestId('try-draft').click();
  await expect(rule.getByText(/^nonsense /).first(), 'and which member it is').toBeVisible();
  const removed = await request.delete(`/api/intents/${intent_id}?tenant_id=acme_corp`, { headers: { 'if-match': '*' } });
  expect(removed.status()).toBe(204);
});

test('a number that the browser would round is told, and not sent', { tag: '@desktop' }, async ({ page, request }) => {
  const { rule, intent_id } = await ruleOf(page, request, 'Rounded');
  await rule.getByText('More, as JSON', { exact: true }).click();
  await rule.getByLabel('Members that have no field here').fill('{"expected": 12345678901234567890123}');
  await page.getByTestId('save').click();
  await expect(page.getByTestId('faults')).toBeFocused();
  await expect(rule.getByText(/^expected has more digits than a number keeps/).first()).toBeVisible();
  const removed = await request.delete(`/api/intents/${intent_id}?tenant_id=acme_corp`, { headers: { 'if-match': '*' } });
  expect(removed.status()).toBe(204);
});

test('values that a query lacks are told by their name on the screen', { tag: '@desktop' }, async ({ page, request }) => {
  const { rule, intent_id } = await ruleOf(page, request, 'Valueless');
  await rule.getByRole('button', { name: 'Remove value 1' }).click();
  await rule.getByTestId('rule-toggle').click();
  await page.getByTestId('save').click();
  const faults = page.getByTestId('faults');
  await expect(faults).toBeFocused();
  await faults.getByRole('button', { name: 'Values of the query' }).click();
  await expect(rule.locator('.field__fault').filter({ hasText: 'the query takes 1' }), 'it leads to the line').toBeFocused();
  await expect(faults).not.toContainText('validation_rules');
  const removed = await request.delete(`/api/intents/${intent_id}?tenant_id=acme_corp`, { headers: { 'if-match': '*' } });
  expect(removed.status()).toBe(204);
});

test('a fault keeps its words where its rule is closed, and goes where its field is written in', { tag: '@desktop' }, async ({ page, request }) => {
  const { rule, intent_id } = await ruleOf(page, request, 'Folded');
  // Judged anew, it may be told anew.
  await page.route('**/ui/emails/try-draft', () => {});
  const query = rule.getByLabel('Query (SQL)');
  await query.fill('DELETE FROM customers');
  await page.getByTestId('save').click();
  const faults = page.getByTestId('faults');
  await expect(faults).toBeFocused();
  await expect(faults, 'what gets the focus is no alert beside').not.toHaveAttribute('role');
  const lead = faults.getByRole('button', { name: 'Rule 1: Query (SQL)' });
  await expect(lead).toBeVisible();
  await rule.getByTestId('rule-toggle').click();
  await expect(query).toBeHidden();
  await expect(lead).toBeVisible();
  await expect(faults).not.toContainText('conditions');
  await lead.click();
  await expect(query, 'it opens what it leads into').toBeFocused();
  await expect(query).toHaveAttribute('aria-invalid', 'true');
  await query.pressSequentially(' ');
  await expect(query).not.toHaveAttribute('aria-invalid', 'true');
  await expect(faults, 'what was told at the head stays').toBeVisible();
  const removed = await request.delete(`/api/intents/${intent_id}?tenant_id=acme_corp`, { headers: { 'if-match': '*' } });
  expect(removed.status()).toBe(204);
});

test('an address that is none is told at the addresses, by its line', async ({ page }) => {
  await page.goto('/t/acme_corp/routes/new');
  await hydrated(page);
  await page.getByTestId('route-name').fill('Hand it on');
  await page.getByTestId('accepted').check();
  await page.getByTestId('route-kind').selectOption('forward');
  const to = page.getByTestId('route-to');
  await to.fill('team@acme.example\nnonsense');
  await page.getByTestId('save').click();
  await expect(to).toHaveAttribute('aria-invalid', 'true');
  await expect(page.locator('.field__fault')).toHaveText("line 2 'nonsense' is no mail address");
  await page.getByTestId('faults').getByRole('button', { name: 'To', exact: true }).click();
  await expect(to).toBeFocused();
});

test('a role that is refused is told in sight, and stands in its row no more', async ({ page, browser, request, baseURL }, { project }) => {
  const tenant = `refused_role_${project.name}`;
  const of = `tenant_id=${tenant}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Refused' } })).status()).toBe(201);
  const guest = await browser.newContext({ storageState: { cookies: [], origins: [] }, baseURL });
  try {
    const invited = await request.post(`/api/members?${of}`, { data: { email: `${tenant}@acme.example`, role: 'viewer' } });
    expect(invited.status()).toBe(201);
    const theirs = await guest.newPage();
    await theirs.goto(new URL((await invited.json()).link).pathname);
    await theirs.getByLabel('Your name, for a new account').fill('Vera');
    await theirs.getByLabel('Password').fill('mellow otter paints fences');
    await theirs.getByRole('button', { name: 'Accept' }).click();
    await expect(theirs.getByTestId('tenants')).toContainText('Refused');

    await page.goto(`/t/${tenant}/members`);
    await hydrated(page);
    const refusal = { status: 409, json: { type: 'about:blank', title: 'Conflict', status: 409, detail: 'Somebody is at it.' } };
    await page.route('**/ui/members/set-role', (route) => route.fulfill(refusal));
    const role = page.getByTestId('member').getByRole('combobox');
    await role.selectOption('editor');
    await page.getByTestId('set-role').click();
    await expect(page.getByTestId('toast')).toContainText('Somebody is at it.');
    await expect(page.getByTestId('toast')).toBeInViewport();
    await expect(role).toHaveValue('viewer');
  } finally {
    await guest.close();
    await request.delete(`/api/tenants/${tenant}`);
  }
});

// An intent is made, tried, changed and taken away on the screen.
import type { APIRequestContext, Locator, Page } from '@playwright/test';

import { isAccessible } from './accessible';
import { only } from './demo';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';

// Faults of a draft are provoked here, by saving and by trying.
test.use({ expectedFaults: /status of (422|409|412|404|401|503)/ });

const TENANT = 'tenant_id=acme_corp';

/** Presses Tab, or Shift+Tab, until the keyboard is where it should be. */
async function tabTo(page: Page, to: Locator, key = 'Tab'): Promise<void> {
  for (let i = 0; i < 120; i += 1) {
    if (await to.evaluate((element) => element === document.activeElement).catch(() => false)) return;
    await page.keyboard.press(key);
  }
  throw new Error('It cannot be reached by the keyboard.');
}

/** Makes an intent with two rules; its id. */
async function make(request: APIRequestContext, name: string): Promise<number> {
  const rule = (pattern: string) => ({ field_name: 'subject', rule_type: 'regex', conditions: { pattern } });
  const answer = await request.post(`/api/intents/with-rules?${TENANT}`, {
    data: {
      intent: { name, priority: 900, match: { any: [{ field: 'subject', op: 'contains', value: name }] } },
      validation_rules: [
        { ...rule('first'), priority: 1 },
        { ...rule('second'), priority: 2 },
      ],
    },
  });
  expect(answer.status()).toBe(201);
  return (await answer.json()).intent.intent_id;
}

const remove = (request: APIRequestContext, id: number) => request.delete(`/api/intents/${id}?${TENANT}`);

test('an intent is made and tried by the keyboard alone', { tag: '@desktop' }, async ({ page, request }) => {
  await page.goto('/t/acme_corp/intents');
  await hydrated(page);
  await tabTo(page, page.getByTestId('new-intent'));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('New intent');

  await tabTo(page, page.getByTestId('name'));
  await page.keyboard.type('Gift vouchers');
  const any = page.getByTestId('match-any');
  await tabTo(page, any.getByRole('button', { name: 'Add a condition' }));
  await page.keyboard.press('Enter');
  await tabTo(page, any.getByLabel('Value of condition 1'));
  await page.keyboard.type('voucher');

  await tabTo(page, page.getByRole('button', { name: 'Add a rule' }));
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('rule-toggle')).toBeFocused();
  await tabTo(page, page.getByTestId('rule-type'));
  await page.keyboard.type('must match');
  await expect(page.getByTestId('rule-toggle')).toContainText('The sender email must match a pattern');
  await tabTo(page, page.getByTestId('pattern'));
  await page.keyboard.type('@customer\\.example$');

  await tabTo(page, page.getByTestId('try-raw'));
  await page.keyboard.press('Control+A');
  await page.keyboard.type('From: ann@customer.example\nTo: a@acme.example\nSubject: A voucher\n\nPlease.\n');
  await page.keyboard.press('Control+Enter');
  const steps = page.getByTestId('steps');
  await expect(steps.getByTestId('outcome')).toContainText('Accepted');
  await expect(steps.getByTestId('verdict')).toHaveAttribute('data-verdict', 'pass');
  await expect(page.getByTestId('try-said'), 'a line is told, not each step').toHaveText('It would be accepted.');
  await expect(page.locator('[aria-live], [role=status]').filter({ has: steps })).toHaveCount(0);

  await tabTo(page, page.getByTestId('pattern'), 'Shift+Tab');
  await page.keyboard.press('End');
  await page.keyboard.type('x');
  await expect(steps.getByTestId('outcome'), 'a change is tried by itself').toContainText('Rejected');
  await page.keyboard.press('Backspace');
  await expect(steps.getByTestId('outcome')).toContainText('Accepted');

  await page.keyboard.press('Control+S');
  await expect(page.getByTestId('toast')).toContainText('Gift vouchers is saved.');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Gift vouchers');
  await expect(page.getByTestId('rule')).toHaveCount(1);
  await remove(request, Number(await only(request, 'intents', 'q=Gift+vouchers', 'intent_id')));
});

test('rules are ordered, faults stand at their fields, and nothing unsaved is lost', async ({ page, request }, { project }) => {
  const name = `Ordered ${project.name}`;
  const id = await make(request, name);
  await page.goto(`/t/acme_corp/intents/${id}`);
  await hydrated(page);
  await page.getByTestId('edit-intent').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Edit ${name}`);
  const state = page.getByTestId('save-bar').getByRole('status');
  await expect(state, 'nothing is changed yet').toHaveText('');
  const rules = page.getByTestId('edit-rule');

  await page.getByRole('button', { name: 'Move rule 2 up' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Move rule 1 up' }), 'the keyboard stays with it').toBeFocused();
  await expect(state).toHaveText('Not saved yet');
  await rules.first().getByTestId('rule-toggle').click();
  const pattern = rules.first().getByTestId('pattern');
  await expect(pattern).toHaveValue('second');

  await pattern.fill('(');
  await page.getByTestId('save').click();
  await expect(page.getByTestId('faults')).toBeFocused();
  await expect(pattern).toHaveAttribute('aria-invalid', 'true');
  await page.getByTestId('faults').getByRole('button', { name: 'Pattern' }).click();
  await expect(pattern, 'what is told leads to its field').toBeFocused();
  await rules.nth(1).getByTestId('rule-toggle').click();
  await isAccessible(page, project.name, 'intent-edit-faults');

  page.once('dialog', (dialog) => dialog.dismiss());
  await page.getByRole('link', { name: 'Back, without saving' }).click();
  await expect(page.getByTestId('editor'), 'who stays keeps all').toBeVisible();

  await test.step('the browser’s back button and the palette ask, too', async () => {
    const address = page.url();
    const leave = async (how: () => Promise<unknown>) => {
      const asked = page.waitForEvent('dialog');
      const left = how();
      await (await asked).dismiss();
      await left;
      await expect(page.getByTestId('editor')).toBeVisible();
      await expect(page).toHaveURL(address);
    };
    await leave(() => page.evaluate(() => history.back()));
    await page.keyboard.press('ControlOrMeta+k');
    await page.getByTestId('palette-input').fill('Datasources');
    await leave(() => page.keyboard.press('Enter'));
    await expect(pattern).toHaveValue('(');
  });

  await pattern.fill('second, again');
  await page.getByTestId('save').click();
  await expect(page.getByTestId('toast')).toContainText(`${name} is saved.`);
  const stored = await (await request.get(`/api/intents/${id}/validation-rules?${TENANT}`)).json();
  expect(stored.map((rule: { priority: number; conditions: object }) => [rule.priority, rule.conditions])).toEqual([
    [10, { pattern: 'second, again' }],
    [20, { pattern: 'first' }],
  ]);

  await test.step('an edit of what was changed since is refused', async () => {
    await page.getByTestId('edit-intent').click();
    await page.getByTestId('name').fill(`${name} by me`);
    const changed = await request.put(`/api/intents/${id}?${TENANT}`, { data: { name } });
    expect(changed.status()).toBe(200);
    await page.getByTestId('save').click();
    await expect(page.getByTestId('faults')).toContainText('It was changed since you read it');
    const theirs = page.getByTestId('way-out');
    await expect(theirs).toContainText('Open theirs');
    await expect(theirs).toHaveAttribute('target', '_blank');
    await expect(theirs).toHaveAttribute('href', `/t/acme_corp/intents/${id}/edit`);
    page.once('dialog', (dialog) => dialog.accept());
    await page.getByRole('link', { name: 'Back, without saving' }).click();
  });

  await test.step('an earlier version comes back', async () => {
    await page.getByTestId('version').getByRole('link', { name: 'Version 1', exact: true }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name}, version 1`);
    await page.getByTestId('go-back').click();
    await rules.first().getByTestId('rule-toggle').click();
    await expect(rules.first().getByTestId('pattern')).toHaveValue('first');
    await page.getByTestId('save').click();
    // The notice of the first time may still be there.
    await expect(page).toHaveURL(new RegExp(`/intents/${id}$`));
    await expect(page.getByTestId('toast').last()).toContainText(`${name} is saved.`);
  });

  await test.step('it is deleted, with what goes with it', async () => {
    const made = await request.post(`/api/routes?${TENANT}`, {
      data: { name: `${name} label`, intent_id: id, kind: 'label', decisions: ['accepted'], settings: { label: name } },
    });
    expect(made.status()).toBe(201);
    await page.reload();
    await hydrated(page);
    await page.getByTestId('delete-intent').click();
    await expect(page.getByTestId('goes-with-it')).toContainText(
      'With it go its 2 rules, its 1 route. What is still under way for its routes is called off.',
    );
    await page.getByTestId('confirm-delete').click();
    await expect(page).toHaveURL(/\/t\/acme_corp\/intents$/);
    await expect(page.getByTestId('intent').filter({ hasText: name })).toHaveCount(0);
    await expect(page.getByTestId('toast').last()).toContainText('The intent is deleted.');
    const { route_id: route } = await made.json();
    expect((await request.get(`/api/routes/${route}?${TENANT}`)).status(), 'its route went with it').toBe(404);
  });
});

test('a rule that asks a database is opened, tried on a stored message, and put in another place by the pointer', { tag: '@desktop' }, async ({ page, request }, { project }) => {
  const id = await only(request, 'intents', 'q=Order+enquiry', 'intent_id');
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  const rules = page.getByTestId('edit-rule');
  await rules.first().getByTestId('rule-toggle').click();
  await expect(rules.first().getByTestId('query')).not.toHaveValue('');
  const value = rules.first().getByLabel('Value 1', { exact: true });
  const before = await value.inputValue();
  await value.focus();
  await page.keyboard.press('End');
  await rules.first().getByText('Insert a field of the message').click();
  await rules.first().getByRole('button', { name: '{{subject}}' }).click();
  await expect(value).toHaveValue(`${before}{{subject}}`);
  await value.fill(before);
  await expect(page.getByTestId('save-bar').getByRole('status')).toHaveText('');

  await page.getByTestId('try-draft').click();
  await expect(page.getByTestId('steps').getByTestId('verdict').first()).toBeVisible();
  await isAccessible(page, project.name, 'intent-edit-tried');

  await rules.first().getByTestId('rule-toggle').click();
  const first = await rules.first().getByTestId('rule-toggle').innerText();
  await rules.first().getByTestId('grip').dragTo(rules.nth(1));
  await expect(rules.nth(1).getByTestId('rule-toggle')).toHaveText(first.replace('1.', '2.'));
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('link', { name: 'Cancel' }).click();
  await expect(page.getByTestId('edit-intent')).toBeVisible();
});

test('a draft is tried on a file, and run over the messages of before', async ({ page, request }, { project }) => {
  const id = await only(request, 'intents', 'q=Order+enquiry', 'intent_id');
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  await page.getByTestId('try-message').selectOption('');
  await page.getByTestId('try-file').setInputFiles({
    name: 'order.eml',
    mimeType: 'message/rfc822',
    buffer: Buffer.from('From: a@b.example\r\nSubject: Where is my order 1042?\r\n\r\nPlease tell me.\r\n'),
  });
  await expect(page.getByTestId('try-panel')).toContainText('order.eml');
  await expect(page.getByTestId('steps').getByTestId('verdict').first(), 'it is tried by itself').toBeVisible();

  const backtest = page.getByTestId('backtest');
  await page.getByRole('textbox', { name: 'Value of condition 1' }).first().fill('no message says this');
  await backtest.getByTestId('start-backtest').click();
  await expect(page.getByTestId('backtest-standing')).toHaveAttribute('data-status', 'done', { timeout: 20_000 });
  await expect(page.getByTestId('backtest-standing')).toContainText('would be decided otherwise');
  await expect(page.getByTestId('backtest-said')).toContainText('would be decided otherwise');
  await isAccessible(page, project.name, 'intent-edit-backtest');
  const outdated = page.getByTestId('backtest-outdated');
  await expect(outdated).toHaveCount(0);
  const condition = page.getByRole('textbox', { name: 'Value of condition 1' }).first();
  await condition.fill('no message says this either');
  await expect(outdated, 'what was found is of the draft before').toBeVisible();
  await condition.fill('no message says this');
  await expect(outdated).toHaveCount(0);

  const change = backtest.getByTestId('change').first();
  const subject = (await change.getByRole('link').innerText()).split('\n')[0];
  await change.getByTestId('change-steps').click();
  await expect(page.getByRole('heading', { name: 'Try it' })).toBeFocused();
  await expect(page.getByTestId('try-message').locator('option:checked')).toContainText(subject);
  await expect(page.getByTestId('steps'), 'on the draft, which finds no intent').toContainText('No intent was found');
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('link', { name: 'Cancel' }).click();
});

test('what is added is not told to be empty until somebody wants to know', { tag: '@desktop' }, async ({ page, request }) => {
  const id = await make(request, `Unhurried ${Date.now()}`);
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  const [steps, outdated, notTried] = ['steps', 'try-outdated', 'not-tried'].map((part) => page.getByTestId(part));
  await page.getByTestId('try-draft').click();
  await expect(steps).toBeVisible();

  const any = page.getByTestId('match-any');
  await any.getByRole('button', { name: 'Add a condition' }).click();
  await expect(outdated, 'it is tried by itself, and nothing came of it').toBeVisible();
  const value = any.getByLabel('Value of condition 2');
  await expect(value).not.toHaveAttribute('aria-invalid', 'true');
  await expect(notTried).toHaveCount(0);

  await page.getByTestId('try-draft').click();
  await expect(notTried).toContainText('something in the draft is wrong');
  await expect(value).toHaveAttribute('aria-invalid', 'true');
  await value.fill('voucher');
  await expect(outdated, 'a change is tried by itself').toHaveCount(0);
  await expect(notTried).toHaveCount(0);
  await expect(value).not.toHaveAttribute('aria-invalid', 'true');

  await page.getByRole('button', { name: 'Add a rule' }).click();
  await expect(outdated).toBeVisible();
  await expect(notTried).toHaveCount(0);
  await page.getByTestId('rule-type').selectOption('regex');
  await page.getByTestId('pattern').fill('(');
  await expect(notTried, 'what is written is told').toBeVisible();
  await expect(page.getByTestId('pattern')).toHaveAttribute('aria-invalid', 'true');
  await remove(request, id);
});

test('an older run does not speak over a later refusal', { tag: '@desktop' }, async ({ page, request }) => {
  const id = await make(request, `Impatient ${Date.now()}`);
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  const button = page.getByTestId('try-draft');
  await button.click();
  await expect(page.getByTestId('steps')).toBeVisible();

  let release = () => {};
  const held = new Promise<void>((done) => (release = done));
  await page.route(/\/ui\/emails\/try-draft/, async (route) => {
    await held;
    await route.continue();
  });
  const sent = page.waitForRequest(/\/ui\/emails\/try-draft/);
  await button.click();
  await sent;
  await expect(button).toHaveAttribute('aria-busy', 'true');
  await page.getByRole('spinbutton', { name: 'Priority' }).fill('');
  await button.click();
  const notTried = page.getByTestId('not-tried');
  await expect(notTried).toContainText('something in the draft is wrong');
  await expect(button).toHaveAttribute('aria-busy', 'false');
  await expect(page.getByTestId('try-outdated')).toBeVisible();

  const answer = page.waitForResponse(/\/ui\/emails\/try-draft/);
  release();
  await (await answer).finished();
  // Until it would be shown.
  await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
  await expect(notTried).toBeVisible();
  await expect(page.getByTestId('try-outdated')).toBeVisible();
  await remove(request, id);
});

test('a rule that was removed comes back as it was', async ({ page, request }, { project }) => {
  const name = `Regretted ${project.name}`;
  const id = await make(request, name);
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  const rules = page.getByTestId('edit-rule');
  const state = page.getByTestId('save-bar').getByRole('status');
  await rules.first().getByTestId('rule-toggle').click();
  await expect(rules.first().getByTestId('pattern')).toHaveValue('first');
  await page.getByRole('button', { name: 'Remove rule 1' }).click();
  await expect(rules).toHaveCount(1);
  await expect(state).toHaveText('Not saved yet');
  const told = page.getByTestId('toast').filter({ hasText: 'Rule 1 is removed.' });
  await page.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }));
  const [notice, bar] = await Promise.all([told.boundingBox(), page.getByTestId('save-bar').boundingBox()]);
  expect(notice!.y + notice!.height, 'it covers no bar').toBeLessThanOrEqual(bar!.y);
  await told.getByTestId('undo').click();
  await expect(rules).toHaveCount(2);
  await expect(rules.first().getByTestId('pattern'), 'in its place').toHaveValue('first');
  await expect(rules.first().getByTestId('rule-toggle')).toBeFocused();
  await expect(state, 'nothing is changed').toHaveText('');

  await test.step('two of them, in the order in which they went', async () => {
    for (const left of [1, 0]) {
      await page.getByRole('button', { name: 'Remove rule 1' }).click();
      await expect(rules).toHaveCount(left);
    }
    await expect(told).toHaveCount(2);
    for (const back of [1, 2]) {
      await told.getByTestId('undo').first().click();
      await expect(rules).toHaveCount(back);
    }
    await expect(rules.first().getByTestId('pattern'), 'each in its place').toHaveValue('first');
    await expect(state).toHaveText('');
  });

  await rules.first().getByTestId('pattern').fill('first of all');
  await page.getByTestId('save').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  const stored = await (await request.get(`/api/intents/${id}/validation-rules?${TENANT}`)).json();
  expect(stored.map((rule: { conditions: object }) => rule.conditions)).toEqual([
    { pattern: 'first of all' },
    { pattern: 'second' },
  ]);

  await test.step('nothing offers to put it back where nobody edits any more', async () => {
    await page.getByTestId('edit-intent').click();
    await page.getByRole('button', { name: 'Remove rule 2' }).click();
    const offer = page.getByTestId('toast').filter({ hasText: 'Rule 2 is removed.' });
    await expect(offer).toBeVisible();
    await page.getByTestId('save').click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
    await expect(offer).toHaveCount(0);
  });
  await remove(request, id);
});

test('a condition or a field that was removed comes back', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/intents/new');
  await hydrated(page);
  const any = page.getByTestId('match-any');
  for (const [i, word] of ['voucher', 'coupon'].entries()) {
    await any.getByRole('button', { name: 'Add a condition' }).click();
    await any.getByLabel(`Value of condition ${i + 1}`).fill(word);
  }
  await any.getByRole('button', { name: 'Remove condition 1' }).click();
  await expect(any.getByLabel('Value of condition 1')).toHaveValue('coupon');
  await page.getByTestId('toast').filter({ hasText: 'Condition 1 is removed.' }).getByTestId('undo').click();
  await expect(any.getByLabel('Value of condition 1'), 'in its place').toHaveValue('voucher');
  await expect(any.getByLabel('Value of condition 2')).toHaveValue('coupon');

  const field = page.getByLabel('Name of field 1');
  await page.getByRole('button', { name: 'Take a field' }).click();
  await field.fill('voucher_number');
  await page.getByRole('button', { name: 'Remove field voucher_number' }).click();
  await expect(field).toHaveCount(0);
  await expect(page.getByTestId('toast').filter({ hasText: 'Field voucher_number is removed.' })).toBeVisible();
  await page.keyboard.press('z');
  await expect(field).toHaveValue('voucher_number');
});

test('what is tried again and comes out the same is said again', { tag: '@desktop' }, async ({ page, request }) => {
  const id = await make(request, `Repeated ${Date.now()}`);
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  const said = page.getByTestId('try-said');
  await page.getByTestId('try-draft').click();
  await expect(said).not.toBeEmpty();
  const words = (await said.textContent())!;
  const { answer } = await hold(page, '**/ui/emails/try-draft');
  await page.getByTestId('try-draft').click();
  await expect(said).toBeEmpty();
  answer();
  await expect(said).toHaveText(words);
  await remove(request, id);
});

test('a backtest that could not be asked for once goes on, and keeps the keyboard', { tag: '@desktop' }, async ({ page, request }) => {
  const id = await only(request, 'intents', 'q=Order+enquiry', 'intent_id');
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  let isBusy = true;
  const refusal = { status: 503, json: { type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'Busy' } };
  await page.route(/\/ui\/backtests\/get/, (route) => (isBusy ? route.fulfill(refusal) : route.continue()));
  const backtest = page.getByTestId('backtest');
  const start = backtest.getByTestId('start-backtest');
  await start.focus();
  await page.keyboard.press('Enter');
  await expect(backtest.getByText('Busy')).toBeVisible();
  isBusy = false;
  await expect(page.getByTestId('backtest-standing')).toHaveAttribute('data-status', 'done', { timeout: 20_000 });
  await expect(backtest.getByText('Busy')).toHaveCount(0);
  await expect(start).toBeFocused();
  await expect(start).toHaveAttribute('aria-disabled', 'false');
});

test('all that a backtest found is shown, a hundred more at a time', { tag: '@desktop' }, async ({ page, request }) => {
  test.slow();
  const tenant = 'found_by_a_backtest';
  const of = `tenant_id=${tenant}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Found by a backtest' } })).status()).toBe(201);
  try {
    const match = { any: [{ field: 'subject', op: 'contains', value: 'parcel' }] };
    const made = await request.post(`/api/intents?${of}`, { data: { name: 'Parcels', match } });
    expect(made.status()).toBe(201);
    const { intent_id } = await made.json();
    const entry = (_: unknown, i: number) =>
      `From ann Mon Nov 23 10:00:00 2026\nFrom: ann@customer.example\nTo: desk@example.com\nSubject: parcel ${i}\n\nHello.\n\n`;
    const imported = await request.post(`/api/emails/import?${of}`, {
      data: Array.from({ length: 203 }, entry).join(''),
      headers: { 'Content-Type': 'application/mbox' },
    });
    expect(imported.status()).toBe(200);
    const accepted = async () => (await (await request.get(`/api/emails?${of}&decision=accepted&limit=1000`)).json()).length;
    await expect.poll(accepted, { timeout: 30_000 }).toBe(203);

    await page.goto(`/t/${tenant}/intents/${intent_id}/edit`);
    await hydrated(page);
    await page.getByRole('textbox', { name: 'Value of condition 1' }).first().fill('no message says this');
    const backtest = page.getByTestId('backtest');
    await backtest.getByLabel('Run it over').selectOption('500');
    await backtest.getByTestId('start-backtest').click();
    await expect(page.getByTestId('backtest-standing')).toHaveAttribute('data-status', 'done', { timeout: 30_000 });
    await expect(page.getByTestId('backtest-standing')).toContainText('203 of 203 would be decided otherwise');

    const changes = backtest.getByTestId('change');
    const [shown, more] = ['changes-shown', 'more-changes'].map((part) => backtest.getByTestId(part));
    await expect(changes).toHaveCount(100);
    await expect(shown).toHaveText('100 of 203 are shown.');
    await expect(more).toHaveText('Show 100 more');
    await more.focus();
    await page.keyboard.press('Enter');
    await expect(changes).toHaveCount(200);
    await expect(changes.nth(100).getByRole('link'), 'the keyboard goes on at the first that came').toBeFocused();
    await expect(shown).toHaveText('200 of 203 are shown.');
    await expect(more).toHaveText('Show 3 more');
    await more.focus();
    await page.keyboard.press('Enter');
    await expect(changes).toHaveCount(203);
    await expect(changes.nth(200).getByRole('link')).toBeFocused();
    await expect(shown).toHaveText('203 of 203 are shown.');
    await expect(more).toHaveCount(0);
    const messages = await changes.getByRole('link').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
    expect(new Set(messages).size, 'each once').toBe(203);
  } finally {
    page.once('dialog', (dialog) => dialog.accept());
    await page.goto('about:blank');
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('the editor shows the routes and the examples, and leads to them', async ({ page, request }, { project }) => {
  const name = `Surrounded ${project.name}`;
  const id = await make(request, name);
  const label = { name: `${name} label`, intent_id: id, kind: 'label', decisions: ['accepted'], settings: { label: 'x' } };
  expect((await request.post(`/api/routes?${TENANT}`, { data: label })).status()).toBe(201);
  for (const text of ['The first of them.', 'The second of them.']) {
    const made = await request.post(`/api/intents/${id}/examples?${TENANT}`, { data: { text } });
    expect(made.status()).toBe(201);
  }
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  const route = page.getByTestId('editor').getByTestId('route').filter({ hasText: label.name });
  await expect(route).toContainText('when accepted');
  await expect(page.getByTestId('examples-count')).toContainText('There are 2.');
  await expect(page.getByTestId('latest-examples')).toContainText('The second of them.');
  await isAccessible(page, project.name, 'intent-edit-around');

  await page.getByTestId('name').fill(`${name}, unsaved`);
  for (const way of [route.getByRole('link'), page.getByTestId('add-route'), page.getByTestId('edit-examples')]) {
    const asked = page.waitForEvent('dialog');
    const left = way.click();
    await (await asked).dismiss();
    await left;
    await expect(page.getByTestId('name'), 'who stays keeps all').toHaveValue(`${name}, unsaved`);
  }
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByTestId('edit-examples').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Examples of ${name}`);
  await remove(request, id);
});

test('routes that an editor cannot read are told of, and read again', { tag: '@desktop' }, async ({ page, request }) => {
  const id = await only(request, 'intents', 'q=Order+enquiry', 'intent_id');
  await page.goto(`/t/acme_corp/intents/${id}`);
  await hydrated(page);
  let isBusy = true;
  const refusal = { status: 503, json: { type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'Busy' } };
  await page.route(/\/ui\/routes\//, (route) => (isBusy ? route.fulfill(refusal) : route.continue()));
  await page.getByTestId('edit-intent').click();
  await expect(page.getByTestId('editor').getByTestId('problem')).toContainText('Busy');
  await expect(page.getByTestId('empty'), 'which is not none').toHaveCount(0);
  await page.getByTestId('name').fill('Typed meanwhile');
  isBusy = false;
  await page.getByRole('link', { name: 'Try again' }).click();
  await expect(page.getByRole('heading', { level: 2, name: 'Routes' })).toBeVisible();
  await expect(page.getByTestId('name'), 'what was typed stays').toHaveValue('Typed meanwhile');
});

test('what comes with a new intent comes once it is saved', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/intents/new');
  await hydrated(page);
  await expect(page.getByTestId('editor')).toContainText('They can be added once the intent is saved.');
  await expect(page.getByTestId('add-route')).toHaveCount(0);
});

test('who would have theirs stand saves over what was changed, and who was signed out keeps what they typed', { tag: '@desktop' }, async ({ page, context, request }) => {
  const name = `Contended ${Date.now()}`;
  const id = await make(request, name);
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  await page.getByTestId('name').fill(`${name} by me`);
  expect((await request.put(`/api/intents/${id}?${TENANT}`, { data: { name: `${name} by them` } })).status()).toBe(200);
  await page.getByTestId('save').click();
  await page.getByTestId('save-over').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} by me`);

  await page.getByTestId('edit-intent').click();
  await page.getByTestId('name').fill(`${name} again`);
  const cookies = await context.cookies();
  await context.clearCookies();
  await page.getByTestId('save').click();
  const way = page.getByTestId('faults').getByTestId('way-out');
  await expect(way).toContainText('Sign in');
  await expect(way).toHaveAttribute('target', '_blank');
  await context.addCookies(cookies);
  await expect(page.getByTestId('name')).toHaveValue(`${name} again`);
  await page.getByTestId('save').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} again`);
  await remove(request, id);
});

test('routes that cannot be read are not none', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/intents');
  await hydrated(page);
  await page.route(/\/ui\/routes\//, (route) =>
    route.fulfill({ status: 503, json: { type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'Busy' } }),
  );
  await page.getByRole('link', { name: 'Order enquiry' }).click();
  await expect(page.getByTestId('problem')).toContainText('Busy');
  await expect(page.getByText('Nothing is sent')).toHaveCount(0);
});

test('intents are found by what they are called, and whether they are active', async ({ page, request }, { project }) => {
  const name = `Dormant ${project.name}`;
  const id = await make(request, name);
  expect((await request.put(`/api/intents/${id}?${TENANT}`, { data: { name, is_active: false } })).status()).toBe(200);
  await page.goto('/t/acme_corp/intents');
  await hydrated(page);
  const rows = page.getByTestId('intent');
  const all = await rows.count();
  await page.getByRole('searchbox', { name: 'Search' }).fill('ORDER enq');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/[?&]q=ORDER/);
  await expect(rows).toHaveCount(1);
  await page.getByLabel('State').selectOption('inactive');
  await expect(page).toHaveURL(/[?&]active=false/);
  await expect(page.getByTestId('empty')).toContainText('No intent fits');
  await page.goto('/t/acme_corp/intents?active=false');
  await hydrated(page);
  await expect(page.getByLabel('State')).toHaveValue('false');
  await expect(rows.filter({ hasText: name })).toHaveCount(1);
  await expect(rows.filter({ hasText: 'Order enquiry' })).toHaveCount(0);
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(rows).toHaveCount(all);
  await remove(request, id);
});

test('intents stand as they are tried, and one that took nothing is tried on what none took', { tag: '@desktop' }, async ({ page, request }) => {
  const tenant = 'intents_in_order';
  const of = `tenant_id=${tenant}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'In order' } })).status()).toBe(201);
  try {
    let last = 0;
    for (const [name, priority] of [['Third', 300], ['First', 100], ['Second', 100]]) {
      const made = await request.post(`/api/intents?${of}`, { data: { name, priority } });
      expect(made.status()).toBe(201);
      last = (await made.json()).intent_id;
    }
    const taken = await request.post(`/api/emails?${of}`, {
      data: 'From: ann@customer.example\r\nTo: desk@example.com\r\nSubject: Nobody knows what\r\n\r\nHello\r\n',
      headers: { 'Content-Type': 'message/rfc822' },
    });
    const { email_id } = await taken.json();
    await expect.poll(async () => (await (await request.get(`/api/emails/${email_id}?${of}`)).json()).decision).toBe('review');
    await page.goto(`/t/${tenant}/intents`);
    await hydrated(page);
    await expect(page.getByTestId('intent').locator('.row-link__target')).toHaveText(['First', 'Second', 'Third']);
    await page.goto(`/t/${tenant}/intents/${last}/edit`);
    await hydrated(page);
    await page.getByTestId('try-message').selectOption({ label: 'Nobody knows what · ann@customer.example' });
    await page.getByTestId('try-draft').click();
    await expect(page.getByTestId('steps')).toBeVisible();
  } finally {
    await page.goto('about:blank');
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('examples are added and deleted', async ({ page, request }, { project }) => {
  const name = `Exemplary ${project.name}`;
  const id = await make(request, name);
  await page.goto(`/t/acme_corp/intents/${id}`);
  await hydrated(page);
  await page.getByTestId('examples').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Examples of ${name}`);
  await expect(page.getByTestId('classifier').getByRole('heading')).toHaveText('What the classifier makes of the examples');
  await page.getByTestId('example-text').fill('I want to give my sister a voucher.');
  await page.getByTestId('add-example').click();
  await expect(page.getByTestId('example')).toContainText('voucher');
  await expect(page.getByTestId('example-text'), 'the next is another').toHaveValue('');
  await isAccessible(page, project.name, 'examples-one');
  await page.getByTestId('delete-example').click();
  await page.getByTestId('delete-for-good').click();
  await expect(page.getByTestId('example')).toHaveCount(0);
  await remove(request, id);
});

/** Makes an intent, and changes it until it has so many versions; its id. */
async function makeVersions(request: APIRequestContext, name: string, count: number): Promise<number> {
  const id = await make(request, name);
  for (let version = 2; version <= count; version += 1) {
    const changed = await request.put(`/api/intents/${id}?${TENANT}`, { data: { name, description: `Version ${version}` } });
    expect((await changed.json()).version).toBe(version);
  }
  return id;
}

/** The link to other versions of this name. */
const ofVersions = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Pages of the versions' }).getByRole('link', { name });

test('each version of an intent is led to, and the keyboard with it', { tag: '@desktop' }, async ({ page, request }) => {
  const id = await makeVersions(request, `Often changed ${Date.now()}`, 40);
  const [versions, said] = ['version', 'list-said'].map((part) => page.getByTestId(part));
  const [older, newest] = ['Older', 'Newest'].map((name) => ofVersions(page, name));
  const heading = page.getByRole('heading', { name: 'Versions', exact: true });
  await page.goto(`/t/acme_corp/intents/${id}`);
  await hydrated(page);
  await expect(versions).toHaveCount(20);
  await expect(versions.first()).toContainText('Version 40 as it is now');
  await expect(newest).toHaveCount(0);

  await older.focus();
  await page.keyboard.press('Enter');
  await expect(versions.first()).toContainText('Version 20');
  await expect(versions.last()).toContainText('Version 1');
  await expect(said).toHaveText('From version 20 down to 1.');
  await expect(heading, 'the link is gone').toBeFocused();
  await expect(heading).toBeInViewport();
  await expect(versions.filter({ hasText: 'as it is now' })).toHaveCount(0);
  await expect(older, 'there are none before the first').toHaveCount(0);

  await newest.click();
  await expect(versions.first()).toContainText('Version 40');
  await expect(said).toHaveText('From version 40 down to 21.');
  await page.goBack();
  await expect(versions.first()).toContainText('Version 20');
  await versions.last().getByRole('link').click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(', version 1');
  await expect(page.locator('main'), 'another page is begun at its start').toBeFocused();
  await remove(request, id);
});

test.describe('without a script', () => {
  test.use({ javaScriptEnabled: false });

  test('each version of an intent is led to', { tag: '@desktop' }, async ({ page, request }) => {
    const id = await makeVersions(request, `Plainly changed ${Date.now()}`, 21);
    const versions = page.getByTestId('version');
    await page.goto(`/t/acme_corp/intents/${id}`);
    await expect(versions).toHaveCount(20);
    await ofVersions(page, 'Older').click();
    await expect(versions).toHaveCount(1);
    await expect(versions).toContainText('Version 1');
    await ofVersions(page, 'Newest').click();
    await expect(versions).toHaveCount(20);
    await expect(versions.first()).toContainText('Version 21 as it is now');
    await remove(request, id);
  });
});

test('what was removed can be put back until a save succeeds', { tag: '@desktop' }, async ({ page, request }) => {
  const name = `Refused ${Date.now()}`;
  const id = await make(request, name);
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  const rules = page.getByTestId('edit-rule');
  const [rule, condition] = ['Rule 2', 'Condition 1'].map((what) =>
    page.getByTestId('toast').filter({ hasText: `${what} is removed.` }),
  );
  await page.getByRole('button', { name: 'Remove rule 2' }).click();
  await page.getByRole('button', { name: 'Remove condition 1' }).click();
  await rules.getByTestId('rule-toggle').click();
  await rules.getByTestId('pattern').fill('(');

  const { answer } = await hold(page, '**/ui/intents/save');
  await page.getByTestId('save').click();
  for (const notice of [rule, condition]) {
    await expect(notice.getByTestId('undo'), 'it would not be saved with the rest').toHaveCount(0);
    await expect(notice, 'it still tells').toBeVisible();
  }
  answer();
  await expect(page.getByTestId('faults')).toBeFocused();
  await rule.getByTestId('undo').click();
  await expect(rules).toHaveCount(2);
  await condition.getByTestId('undo').click();
  await expect(page.getByTestId('match-any').getByLabel('Value of condition 1')).toHaveValue(name);

  await rules.first().getByTestId('pattern').fill('first, again');
  await page.getByTestId('save').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  const stored = await (await request.get(`/api/intents/${id}/validation-rules?${TENANT}`)).json();
  expect(stored.map((rule: { conditions: object }) => rule.conditions)).toEqual([
    { pattern: 'first, again' },
    { pattern: 'second' },
  ]);
  await remove(request, id);
});

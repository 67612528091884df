import type { APIRequestContext, Page } from '@playwright/test';

import { ADD_CUSTOMER, STAR, changeShop, messageId, resetStar, standing } from './demo';
import { expect, hydrated, test } from './fixtures';

test.afterEach(async ({ request }) => resetStar(request));

test('a message rejected for a missing row is accepted once the row is there', async ({ page, request }, { project }) => {
  await page.goto('/');
  await hydrated(page);

  await test.step('choose the tenant', async () => {
    await page.getByTestId('tenant-link').filter({ hasText: 'Acme Corporation' }).click();
    await expect(page).toHaveURL(/\/t\/acme_corp$/);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Dashboard');
    await expect(page.getByTestId('count-received')).toContainText('12');
  });

  await test.step('find the message', async () => {
    await page.getByRole('link', { name: 'All messages' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Messages');
    const row = page.getByTestId('message-row').filter({ hasText: STAR });
    await expect(row).toContainText('Rejected');
    await row.getByRole('link').click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(STAR);
  });

  const outcome = page.getByTestId('outcome');
  const verdicts = page.getByTestId('verdict');
  const failed = page.locator('[data-verdict=fail]');
  await test.step('read why it was rejected', async () => {
    await expect(outcome).toContainText('Rejected');
    await expect(page.getByTestId('explanation')).toContainText('Shop database has no row for priya.nair@northwind.example');
    await expect(page.getByTestId('classification')).toContainText('Order enquiry: its conditions hold.');
    await expect(page.getByTestId('extracted')).toContainText('1042');

    await expect(verdicts).toHaveCount(5);
    await expect(failed).toHaveCount(1);
    await expect(verdicts.first()).toHaveAttribute('data-verdict', 'fail');
    await expect(failed).toContainText('The sender email must be found in Shop database');
    await expect(failed).toContainText('a failure rejects the message');
    const words = 'customer_email in Order service must be the sender email';
    await expect(verdicts.filter({ hasText: words }), 'as the dashboard tells that rule').toHaveCount(1);
    await expect(failed.getByTestId('reason')).toContainText('priya.nair@northwind.example');

    const evidence = failed.getByTestId('evidence');
    await expect(evidence, 'is open without a click').toBeVisible();
    await expect(evidence).toContainText('Asked of Shop database');
    await expect(evidence).toContainText('SELECT customer_number, name, status FROM customers WHERE email = ?');
    await expect(evidence.getByRole('listitem')).toHaveText('priya.nair@northwind.example');
    await expect(evidence.getByTestId('row-count')).toHaveText('No row');
  });

  await test.step('it leads to where it was asked', async () => {
    await failed.getByTestId('asked-of').click();
    await expect(page.getByTestId('datasource')).toHaveCount(1);
    await page.getByTestId('datasource').getByRole('link', { name: 'Shop database' }).click();
    await expect(page.getByTestId('file-link')).toHaveText('shop.sqlite');
    await page.goBack();
    await expect(page.getByTestId('datasource')).toHaveCount(1);
    await page.goBack();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(STAR);
  });

  await test.step('see the evidence of a rule that passed', async () => {
    const passed = verdicts.filter({ hasText: 'The order number must be found in Order service' });
    await expect(passed.getByTestId('evidence')).toBeHidden();
    await passed.getByText('Evidence').click();
    await expect(passed.getByTestId('lookup')).toContainText('/v1/orders/1042');
    await expect(passed.getByTestId('lookup')).toContainText('It counts as an answer with the status 200 or 404.');
    await expect(passed.getByTestId('row-count')).toHaveText('1 row');
  });

  await test.step('add the row and run the message again', async () => {
    await page.evaluate(() => Object.assign(window, { notReloaded: true }));
    const before = (await standing(request, await messageId(request, STAR))).run;
    changeShop(ADD_CUSTOMER);
    await page.getByTestId('run-again').click();
    await expect(outcome).toContainText('Accepted');
    await expect(outcome).toContainText(`run ${before + 1}`);
    await expect(failed).toHaveCount(0);
    await expect(verdicts.first()).toHaveAttribute('data-verdict', 'pass');
    await verdicts.first().getByText('Evidence').click();
    await expect(verdicts.first().getByRole('cell', { name: 'C-20319' })).toBeVisible();
    expect(await page.evaluate(() => 'notReloaded' in window), 'the page was not reloaded').toBe(true);
    await page.screenshot({ path: `test-results/screens/${project.name}-message-accepted.png`, fullPage: true });
  });

  await test.step('it stays so', async () => {
    await page.reload();
    await expect(outcome).toContainText('Accepted');
    await page.goto('/t/acme_corp/messages?q=1042');
    await expect(page.getByTestId('message-row')).toContainText('Accepted');
  });
});

test('running again by keyboard leaves the focus where it was', async ({ page, request }) => {
  const id = await openStar(page, request);
  const button = page.getByTestId('run-again');
  await button.focus();
  const before = (await standing(request, id)).run;
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('outcome')).toContainText(`run ${before + 1}`);
  await expect(button).toBeFocused();
});

test('a person decides, with a note', async ({ page, request }) => {
  await openStar(page, request);
  await page.getByLabel('Note to the decision').fill('She called: a new customer');
  await page.getByTestId('decide-accepted').click();
  await expect(page.getByTestId('outcome')).toContainText('Accepted');
  await expect(page.getByTestId('outcome')).toContainText('She called: a new customer');
  await expect(page.locator('[data-verdict=fail]'), 'the verdicts stay').toHaveCount(1);
});

test('Enter in the note begins a line, and decides nothing', async ({ page, request }) => {
  await openStar(page, request);
  const note = page.getByLabel('Note to the decision');
  await note.fill('She called:');
  await note.press('Enter');
  await note.pressSequentially('a new customer');
  await expect(note).toHaveValue('She called:\na new customer');
  await expect(page.getByTestId('outcome')).toContainText('Rejected');
  await page.getByTestId('decide-accepted').click();
  await expect(page.getByTestId('outcome')).toContainText('Accepted');
  await expect(page.getByTestId('outcome')).toContainText('She called: a new customer');
});

async function openStar(page: Page, request: APIRequestContext): Promise<string> {
  const id = await messageId(request, STAR);
  await page.goto(`/t/acme_corp/messages/${id}`);
  await hydrated(page);
  return id;
}

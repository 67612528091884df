import { STAR, messageId, resetStar, standing } from './demo';
import { expect, test } from './fixtures';
import { unfold } from './unfold';

test.use({ javaScriptEnabled: false });

test('the way from the tenants to a message reads whole', async ({ page }) => {
  await page.goto('/');
  await page.getByTestId('tenant-link').filter({ hasText: 'Acme Corporation' }).click();
  await expect(page.getByTestId('count-received')).toContainText('12');
  await page.getByRole('link', { name: 'All messages' }).click();

  await unfold(page);
  await page.getByLabel('Decision').selectOption('Rejected');
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await expect(page.getByTestId('message-row')).toHaveCount(4);
  await expect(page.getByLabel('Decision')).toHaveValue('rejected');

  await page.getByRole('link', { name: STAR }).click();
  await expect(page.getByTestId('outcome')).toContainText('Rejected');
  const failed = page.locator('[data-verdict=fail]');
  await expect(failed.getByTestId('reason')).toContainText('priya.nair@northwind.example');
  await expect(failed.getByTestId('evidence')).toContainText('FROM customers WHERE email = ?');
  await expect(failed.getByTestId('row-count')).toHaveText('No row');
});

test('no page waits for a script', { tag: '@desktop' }, async ({ page, request }) => {
  const message = await messageId(request, STAR);
  for (const path of ['', '/messages', `/messages/${message}`, '/intents', '/rules', '/datasources', '/configs']) {
    await page.goto(`/t/acme_corp${path}`);
    await expect(page.getByTestId('loading'), path).toHaveCount(0);
    await expect(page.getByRole('heading', { level: 1 }), path).toBeVisible();
  }
});

test('what an answer quotes folds', { tag: '@desktop' }, async ({ page, request }) => {
  const id = await messageId(request, 'Re: Your order 1063 has been shipped');
  await page.goto(`/t/acme_corp/messages/${id}`);
  await expect(page.getByTestId('body')).toContainText('Samuel Okafor');
  const carrier = page.getByTestId('quoted').getByText('Carrier: DPX');
  await expect(carrier).toBeVisible();
  await page.getByText('Quoted text', { exact: true }).click();
  await expect(carrier).toBeHidden();
});

test('what works with a script alone says so', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/try');
  // It has to be looked for in the source: this browser reads pages as if scripts ran, and then runs none.
  expect(await page.content()).toContain('This works only with JavaScript.');
});

test.describe('plain forms', { tag: '@desktop' }, () => {
  test.afterEach(async ({ request }) => resetStar(request));

  test('a message is run again by a plain form', async ({ page, request }) => {
    const id = await messageId(request, STAR);
    const before = (await standing(request, id)).run;
    await page.goto(`/t/acme_corp/messages/${id}`);
    await page.getByTestId('run-again').click();
    await expect(page, 'the form leads back to the message').toHaveURL(new RegExp(`/t/acme_corp/messages/${id}\\??$`));
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(STAR);
    await expect.poll(() => standing(request, id)).toMatchObject({ status: 'done', run: before + 1 });
    await page.reload();
    await expect(page.getByTestId('outcome')).toContainText(`run ${before + 1}`);
  });

  test('a message is decided by a plain form', async ({ page, request }) => {
    const id = await messageId(request, STAR);
    await page.goto(`/t/acme_corp/messages/${id}`);
    const note = page.getByLabel('Note to the decision');
    await note.fill('first');
    await note.press('Enter');
    await note.pressSequentially('second');
    await expect(note, 'Enter posts nothing').toHaveValue('first\nsecond');
    await page.getByTestId('decide-accepted').click();
    await expect(page).toHaveURL(new RegExp(`/t/acme_corp/messages/${id}\\??$`));
    await expect(page.getByTestId('outcome')).toContainText('Accepted');
    await expect(page.getByTestId('outcome')).toContainText('first second');
  });
});

test('the sidebar leads to every page', async ({ page }, { project }) => {
  await page.goto('/t/acme_corp');
  if (project.name === 'phone') await page.getByTestId('menu').click();
  await page.getByTestId('sidebar').getByRole('link', { name: 'Rules' }).click();
  await expect(page.getByTestId('rule').first()).toBeVisible();
});

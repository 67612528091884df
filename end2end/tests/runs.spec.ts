// What a message came to before is there to be read, with its grounds.
import type { APIRequestContext, Page } from '@playwright/test';

import { ADD_CUSTOMER, STAR, changeShop, messageId, resetStar, standing } from './demo';
import { expect, hydrated, test } from './fixtures';
import { look } from './look';

test.afterEach(async ({ request }) => resetStar(request));

/** Opens the message that is rejected. Gives the number of the run that did so. */
async function openStar(page: Page, request: APIRequestContext): Promise<number> {
  const id = await messageId(request, STAR);
  const { run } = await standing(request, id);
  await page.goto(`/t/acme_corp/messages/${id}`);
  await hydrated(page);
  await expect(page.getByTestId('outcome')).toContainText('Rejected');
  return run;
}

/** The earlier run of this number. */
const earlier = (page: Page, run: number) => page.locator(`[data-testid=earlier-run][data-run="${run}"]`);

test('what a run came to stays once another one comes to something else', async ({ page, request }, { project }) => {
  const run = await openStar(page, request);
  await expect(earlier(page, run), 'the message says it itself').toHaveCount(0);
  changeShop(ADD_CUSTOMER);
  await page.getByTestId('run-again').click();
  await expect(page.getByTestId('outcome')).toContainText('Accepted');

  const before = earlier(page, run);
  const summary = before.locator('summary').first();
  await expect(summary).toContainText(`Run ${run} · Order enquiry`);
  await expect(summary).toContainText('Rejected');
  await expect(summary).toContainText('by FlowEngine');
  await expect(page.getByTestId('earlier-run').first(), 'the last comes first').toContainText(`Run ${run} ·`);
  const why = before.getByTestId('earlier-explanation');
  await expect(why).toBeHidden();
  await summary.click();
  await expect(why).toContainText('Shop database has no row for priya.nair@northwind.example');
  await expect(before.getByTestId('earlier-extracted')).toContainText('1042');
  const failed = before.getByTestId('earlier-verdict').filter({ hasText: 'The sender email must be found in Shop database' });
  await expect(failed.getByTestId('evidence'), 'what did not pass is open').toBeVisible();
  await expect(failed.getByTestId('evidence')).toContainText('SELECT customer_number, name, status FROM customers WHERE email = ?');
  await expect(failed.getByTestId('row-count')).toHaveText('No row');
  await look(page, `${project.name}-message-earlier-runs`);
});

test('what FlowEngine had decided stays while a person’s decision stands', async ({ page, request }) => {
  const run = await openStar(page, request);
  await page.getByTestId('decide-accepted').click();
  await expect(page.getByTestId('outcome')).toContainText('Accepted');
  await expect(earlier(page, run)).toContainText('Rejected');
  await expect(earlier(page, run)).toContainText('by FlowEngine');
  await expect(earlier(page, run), 'it was run no more often').toContainText('Before that · Order enquiry');
  await page.getByTestId('history-entry').first().getByTestId('take-back').click();
  await expect(page.getByTestId('outcome')).toContainText('Rejected');
  await expect(earlier(page, run), 'it stands in the message again').toHaveCount(0);
});

test.describe('without a script', { tag: '@desktop' }, () => {
  test.use({ javaScriptEnabled: false });

  test('an earlier run opens as well', async ({ page, request }) => {
    const id = await messageId(request, STAR);
    const { run } = await standing(request, id);
    const answer = await request.post(`/api/emails/${id}/reprocess?tenant_id=acme_corp`);
    expect(answer.status()).toBe(202);
    await expect.poll(() => standing(request, id)).toMatchObject({ status: 'done', run: run + 1 });
    await page.goto(`/t/acme_corp/messages/${id}`);
    const why = earlier(page, run).getByTestId('earlier-explanation');
    await expect(why).toBeHidden();
    await earlier(page, run).locator('summary').first().click();
    await expect(why).toBeVisible();
  });
});

test('what is open stays that run where another one comes before it', async ({ page, request }) => {
  const run = await openStar(page, request);
  await page.getByTestId('run-again').click();
  await expect(earlier(page, run)).toHaveCount(1);
  await earlier(page, run).locator('summary').first().click();
  await expect(earlier(page, run).getByTestId('earlier-explanation')).toBeVisible();
  await expect(page.getByTestId('message')).toHaveAttribute('data-status', 'done');
  await page.getByTestId('run-again').click();
  await expect(earlier(page, run + 1)).toHaveCount(1);
  await expect(earlier(page, run).getByTestId('earlier-explanation')).toBeVisible();
  await expect(earlier(page, run + 1).getByTestId('earlier-explanation')).toBeHidden();
});

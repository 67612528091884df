// A draft is tried on a message: each step is shown, and a change of the draft changes it.
import { STAR, messageId, only } from './demo';
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

test.use({ expectedFaults: /status of 422/ });

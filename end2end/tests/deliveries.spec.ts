// What a decision led to: a delivery that failed says why, and is sent again by a person.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect, hydrated, test } from './fixtures';
import { look } from './look';

const RAW = 'From: ann@customer.example\r\nTo: desk@example.com\r\nSubject: A question\r\n\r\nHello\r\n';

test('a delivery that failed is shown and sent again', async ({ page, request, baseURL }, { project }) => {
  const tenant = `deliveries_${project.name}`;
  const made = await request.post('/api/tenants', { data: { tenant_id: tenant, name: `Deliveries ${project.name}` } });
  expect(made.status()).toBe(201);
  try {
    // This address takes no webhook: it refuses for good.
    const route = { name: 'Tell the ERP', kind: 'webhook', decisions: ['review'], settings: { url: `${baseURL}/healthz` } };
    expect((await request.post(`/api/routes?tenant_id=${tenant}`, { data: route })).status()).toBe(201);
    const label = { name: 'Mark it', kind: 'label', decisions: ['review'], settings: { label: 'look at me' } };
    expect((await request.post(`/api/routes?tenant_id=${tenant}`, { data: label })).status()).toBe(201);
    const answer = await request.post(`/api/emails?tenant_id=${tenant}`, {
      data: RAW,
      headers: { 'Content-Type': 'message/rfc822' },
    });
    expect(answer.status()).toBe(202);
    const { email_id } = await answer.json();

    await page.goto(`/t/${tenant}/messages/${email_id}`);
    await hydrated(page);
    const failed = page.locator('[data-testid=delivery][data-status=failed]');
    await expect(failed, 'the page shows it without a reload').toContainText('The receiver refused it: 405');
    await expect(failed).toContainText('tried once');
    await expect(failed, 'what it says is asked for by who looks').not.toContainText('email.decided');
    await failed.getByText('What it says').click();
    await expect(failed.getByTestId('sent')).toContainText('email.decided');
    // Laid out: what the message is made of is a line each.
    await expect(failed.getByTestId('sent').locator('pre').first()).toHaveText(/^\{\n {2}"/);
    await expect(failed.getByTestId('sent')).toContainText('A question');
    await expect(page.locator('[data-testid=delivery][data-status=delivered]')).toContainText('look at me');
    await page.screenshot({ path: `test-results/screens/${project.name}-message-deliveries.png`, fullPage: true });
    await failed.getByTestId('retry-delivery').dblclick();
    await expect(page.getByTestId('toast')).toContainText('The delivery is on its way again.');
    await expect(failed).toContainText('tried 2 times');
    await expect(page.getByTestId('action-problem'), 'who clicks twice means it once').toHaveCount(0);
    const focused = () => page.evaluate(() => document.activeElement?.id ?? '');
    await expect.poll(focused, 'the keyboard is not lost').toMatch(/^(main|send-again-.+)$/);

    await page.getByTestId('labels').getByRole('link', { name: 'look at me' }).click();
    await expect(page).toHaveURL(/label=look%20at%20me/);
    await expect(page.getByTestId('label-filter')).toContainText('look at me');
    await expect(page.getByTestId('message-row')).toHaveCount(1);

    await page.goto(`/t/${tenant}`);
    await hydrated(page);
    const health = page.getByTestId('health');
    for (const [words, count] of [['Deliveries given up', 1], ['Deliveries on their way', 0], ['Waiting for a decision', 0]] as const) {
      await expect(health.getByRole('link', { name: words })).toBeVisible();
      await health.getByRole('link', { name: words }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Messages');
      await expect(page.getByTestId('message-row')).toHaveCount(count);
      await page.goBack();
    }
    await page.getByTestId('busiest').getByRole('link', { name: 'No intent' }).click();
    await expect(page.getByLabel('Intent')).toHaveValue('none');
    await expect(page.getByTestId('message-row')).toHaveCount(1);
    await expect(page.getByTestId('message-row').getByRole('cell', { name: 'No intent', exact: true })).toBeVisible();
  } finally {
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('what waits is sent as soon as somebody says that the receiver is back', { tag: '@desktop' }, async ({ page, request }) => {
  let isBack = false;
  const came: unknown[] = [];
  const receiver = createServer((asked, answer) => {
    asked.resume();
    came.push(asked.headers['webhook-id']);
    answer.writeHead(isBack ? 200 : 503, { 'Retry-After': '600' }).end();
  });
  await new Promise<void>((listens) => receiver.listen(0, '127.0.0.1', listens));
  const { port } = receiver.address() as AddressInfo;
  const tenant = 'deliveries_waiting';
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Waiting' } })).status()).toBe(201);
  try {
    const route = { name: 'Tell the ERP', kind: 'webhook', decisions: ['review'], settings: { url: `http://127.0.0.1:${port}` } };
    expect((await request.post(`/api/routes?tenant_id=${tenant}`, { data: route })).status()).toBe(201);
    const answer = await request.post(`/api/emails?tenant_id=${tenant}`, {
      data: RAW,
      headers: { 'Content-Type': 'message/rfc822' },
    });
    const { email_id } = await answer.json();
    await page.goto(`/t/${tenant}/messages/${email_id}`);
    await hydrated(page);
    const delivery = page.getByTestId('delivery');
    await expect(delivery).toContainText('Tried, waits');
    await expect(delivery).toContainText('The receiver answered 503');
    isBack = true;
    await delivery.getByRole('button', { name: 'Send now' }).click();
    await expect(delivery).toHaveAttribute('data-status', 'delivered');
    await expect(delivery).toContainText('tried 2 times');
    await expect(delivery.getByTestId('retry-delivery')).toHaveCount(0);

    await test.step('and what was lost there is sent a second time, once it is confirmed', async () => {
      await delivery.getByTestId('repeat-delivery').click();
      await expect(page.getByText('gets it a second time')).toBeVisible();
      await page.getByRole('button', { name: 'Cancel' }).click();
      expect(came).toHaveLength(2);
      await delivery.getByTestId('repeat-delivery').click();
      await delivery.getByTestId('repeat-now').click();
      await expect(delivery).toContainText('tried 3 times');
      await expect(delivery).toHaveAttribute('data-status', 'delivered');
      expect(came).toHaveLength(3);
      expect(new Set(came).size, 'by one id').toBe(1);
    });
  } finally {
    await page.goto('about:blank');
    await request.delete(`/api/tenants/${tenant}`);
    receiver.closeAllConnections();
    receiver.close();
  }
});

test('what was given up of several messages is sent again together', async ({ page, request }, { project }) => {
  let isBack = false;
  let came = 0;
  const receiver = createServer((asked, answer) => {
    asked.resume();
    came += 1;
    answer.writeHead(isBack ? 200 : 410).end();
  });
  await new Promise<void>((listens) => receiver.listen(0, '127.0.0.1', listens));
  const { port } = receiver.address() as AddressInfo;
  const tenant = `deliveries_many_${project.name}`;
  const made = await request.post('/api/tenants', { data: { tenant_id: tenant, name: `Given up ${project.name}` } });
  expect(made.status()).toBe(201);
  try {
    const route = { name: 'Tell the ERP', kind: 'webhook', decisions: ['review'], settings: { url: `http://127.0.0.1:${port}` } };
    expect((await request.post(`/api/routes?tenant_id=${tenant}`, { data: route })).status()).toBe(201);
    for (const subject of ['The first', 'The second']) {
      const answer = await request.post(`/api/emails?tenant_id=${tenant}`, {
        data: RAW.replace('A question', subject),
        headers: { 'Content-Type': 'message/rfc822' },
      });
      expect(answer.status()).toBe(202);
    }
    const givenUp = async () => (await (await request.get(`/api/emails?tenant_id=${tenant}&delivery=failed`)).json()).length;
    await expect.poll(givenUp).toBe(2);

    await page.goto(`/t/${tenant}/messages`);
    await hydrated(page);
    await page.getByTestId('choose').first().check();
    await expect(page.getByTestId('bulk')).toContainText('1 chosen');
    await expect(page.getByTestId('bulk-send-again'), 'among all messages it would mostly mean nothing').toHaveCount(0);

    await page.goto(`/t/${tenant}/messages?delivery=failed`);
    await hydrated(page);
    for (const i of [0, 1]) await page.getByTestId('choose').nth(i).check();
    await expect(page.getByTestId('bulk')).toContainText('2 chosen');
    await look(page, `${project.name}-messages-given-up`);
    isBack = true;
    await page.getByTestId('bulk-send-again').click();
    await expect(page.getByTestId('toast')).toHaveText(/What was given up of 2 messages is on its way again\./);
    await expect(page.getByTestId('undo'), 'what has left is not taken back').toHaveCount(0);
    await expect(page.getByTestId('message-row')).toHaveCount(0);
    await expect.poll(() => came).toBe(4);
  } finally {
    await page.goto('about:blank');
    await request.delete(`/api/tenants/${tenant}`);
    receiver.closeAllConnections();
    receiver.close();
  }
});
